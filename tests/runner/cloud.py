"""A scripted service with a storage of its own: it answers what a test says, and remembers all."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import av
from aiohttp import BodyPartReader, web
from PIL import Image

from batchgen.api import Endpoint
from batchgen.dashscope.endpoint import Secret

KEY = "sk-canary-0123456789abcdef"
RESET = object()
"""As an answer: the connection breaks, after the request was read."""
SILENCE = object()
"""As an answer to an upload: none, ever."""


@dataclass
class Stored:
    """One form that reached the storage."""

    fields: dict[str, str]
    """In the order in which they came, ``file`` included."""
    content: bytes
    headers: dict[str, str]


@dataclass
class Posted:
    """One request that reached the service."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass
class Cloud:
    """Each list of answers is used up from its start; the last one is repeated."""

    posts: list[Any] = field(default_factory=list)
    looks: list[Any] = field(default_factory=list)
    policies: list[Any] = field(default_factory=lambda: [None])
    """None: a good one."""
    stores: list[Any] = field(default_factory=lambda: [(200, "")])
    checks: list[Any] = field(default_factory=list)
    delay: float = 0.0
    """Seconds until a POST is answered."""
    dead: float = 0
    """How many downloads are refused before one succeeds."""
    asked: list[str] = field(default_factory=list)
    """The models that policies were asked for, and when."""
    asked_at: list[float] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)
    checked: list[Posted] = field(default_factory=list)
    waiting: int = 0
    peak: int = 0
    """POSTs that waited for their answer at the same time, at most."""
    url: str = ""
    port: int = 0
    """The same for all runs: what is kept of addresses must lead somewhere."""
    key: str = KEY
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def serving(self):
        application = web.Application(client_max_size=2**26)
        application.router.add_get("/api/v1/uploads", self._policy)
        application.router.add_post("/store", self._store)
        application.router.add_post("/api/v1/services/{path:.*}", self._post)
        application.router.add_get("/api/v1/tasks/{task}", self._look)
        application.router.add_get("/{name}.{kind:png|mp4}", self._result)
        self.closing.clear()
        runner = web.AppRunner(application, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
            self.port = runner.addresses[0][1]
            self.url = f"http://127.0.0.1:{self.port}"
            yield Endpoint(base_url=f"{self.url}/api/v1", key=Secret(self.key))
        finally:
            self.closing.set()
            await runner.cleanup()

    def policy(self, **changes: Any) -> dict[str, Any]:
        data = {
            "policy": "cG9saWN5",
            "signature": "c2lnbmF0dXJl",
            "upload_dir": "dashscope-instant/a1/2026-11-22/b2",
            "upload_host": f"{self.url}/store",
            "expire_in_seconds": 300,
            "max_file_size_mb": 100,
            "capacity_limit_mb": 999999999,
            "oss_access_key_id": "SAMPLE-KEY-ID",
            "x_oss_object_acl": "private",
            "x_oss_forbid_overwrite": "true",
        }
        return {"request_id": "r", "data": {**data, **changes}}

    async def _policy(self, request: web.Request) -> web.StreamResponse:
        assert request.query["action"] == "getPolicy"
        self.asked.append(request.query["model"])
        self.asked_at.append(asyncio.get_running_loop().time())
        return self._say(_next(self.policies) or self.policy(), request)

    async def _store(self, request: web.Request) -> web.StreamResponse:
        fields, content = {}, b""
        reader = await request.multipart()
        while isinstance(part := await reader.next(), BodyPartReader):
            text = await part.read()
            fields[part.name or ""] = part.filename or text.decode()
            content = bytes(text)
        answer = _next(self.stores)
        if answer is SILENCE:
            await self.closing.wait()
            return web.Response(status=503)
        if answer == (200, ""):
            self.stored.append(Stored(fields, content, dict(request.headers)))
        return self._say(answer, request)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        posted = Posted(request.match_info["path"], body, dict(request.headers))
        if body["model"].endswith("detect"):
            self.checked.append(posted)
            return self._say(_next(self.checks), request)
        self.posted.append(posted)
        self.waiting += 1
        self.peak = max(self.peak, self.waiting)
        await asyncio.sleep(self.delay)
        self.waiting -= 1
        return self._say(_next(self.posts), request)

    async def _look(self, request: web.Request) -> web.StreamResponse:
        return self._say(_next(self.looks), request)

    async def _result(self, request: web.Request) -> web.StreamResponse:
        self.dead -= 1
        if self.dead >= 0:
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        return web.Response(body=png() if request.match_info["kind"] == "png" else mp4())

    def _say(self, answer: Any, request: web.Request) -> web.StreamResponse:
        if answer is RESET:
            assert request.transport
            request.transport.abort()
            return web.Response()
        status, said = answer if isinstance(answer, tuple) else (200, answer)
        text = said if isinstance(said, str) else json.dumps(said)
        text = text.replace("HOST", self.url).replace("NEW", f"t-{len(self.posted)}")
        kind = "text/event-stream" if text.startswith("id:") else "application/json"
        kind = "application/xml" if text.startswith("<") else kind
        text = text.replace("TASK", request.match_info.get("task", ""))
        return web.Response(status=status, text=text, content_type=kind)


def _next(answers: list[Any]) -> Any:
    return answers.pop(0) if len(answers) > 1 else answers[0]


def png(color: str = "navy", side: int = 8) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (side, side), color).save(target, "PNG")
    return target.getvalue()


@cache
def mp4() -> bytes:
    """One frame is enough for a video."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=10)
        video.width = video.height = 16
        container.mux(video.encode(av.VideoFrame.from_image(Image.new("RGB", (16, 16)))))
        container.mux(video.encode())
    return target.getvalue()


MADE = {"output": {"task_status": "PENDING", "task_id": "NEW"}, "request_id": "r-1"}
DONE = {
    "request_id": "r-2",
    "output": {
        "task_id": "TASK",
        "task_status": "SUCCEEDED",
        "results": {"video_url": "HOST/1.mp4"},
    },
    "usage": {"duration": 4.0, "size": "512*640", "fps": 16, "video_count": 1, "SR": 480},
}
