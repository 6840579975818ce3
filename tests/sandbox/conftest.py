from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from batchgen.sandbox import Sandbox

START = 1_790_000_000.0
VIDEO = "/services/aigc/video-generation/video-synthesis"


class Client:
    """What a client of the service does, in one line each; keeps whole answers."""

    sandbox: Sandbox
    session: aiohttp.ClientSession
    answer: aiohttp.ClientResponse

    def __init__(self, key: str = "sk-sandbox") -> None:
        self.headers = {"Authorization": f"Bearer {key}"}

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        return await self._send("GET", path, params=query)

    async def post(self, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        return await self._send("POST", path, json=body, headers=self.headers | headers)

    async def submit(
        self, model: str, path: str = VIDEO, /, *, given: Any, **parameters: Any
    ) -> dict[str, Any]:
        body = {"model": model, "input": given, "parameters": parameters}
        return await self.post(path, body, **{"X-DashScope-Async": "enable"})

    async def task(self, model: str = "wan2.6-t2v", prompt: str = "fox", **parameters: Any) -> str:
        """The id of a new text-to-video task."""
        answer = await self.submit(model, given={"prompt": prompt}, **parameters)
        assert self.answer.status == 200, answer
        return answer["output"]["task_id"]

    async def output(self, task_id: str) -> dict[str, Any]:
        return (await self.get(f"/tasks/{task_id}"))["output"]

    async def status(self, task_id: str) -> str:
        return (await self.output(task_id))["task_status"]

    async def download(self, url: str, **headers: str) -> bytes:
        async with self.session.get(url, headers=headers) as self.answer:
            return await self.answer.read()

    async def _send(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        url = self.sandbox.base_url + path
        async with self.session.request(
            method, url, **{"headers": self.headers} | more
        ) as self.answer:
            return await self.answer.json()


Serve = Callable[..., AbstractAsyncContextManager[Client]]


@asynccontextmanager
async def serving(
    *arguments: Any, key: str = "sk-sandbox", **options: Any
) -> AsyncIterator[Client]:
    """A client of a sandbox made from the arguments."""
    client = Client(key)
    async with (
        Sandbox(*arguments, **{"start": START} | options) as client.sandbox,
        aiohttp.ClientSession() as client.session,
    ):
        yield client


@pytest.fixture(name="serving")
def _serving() -> Serve:
    return serving


class FirstRequestStarts(Client):
    """Virtual time begins with the test, not with its fixtures; so does this one's sandbox."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = AsyncExitStack()

    async def _send(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        if not hasattr(self, "sandbox"):
            started = await self.stack.enter_async_context(serving())
            self.sandbox, self.session = started.sandbox, started.session
        return await super()._send(method, path, **more)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    client = FirstRequestStarts()
    yield client
    await client.stack.aclose()
