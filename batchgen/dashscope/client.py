"""The service over HTTP: one POST makes one paid task, and is never repeated here.

Rules:

- POSTs have a session of their own that closes each connection after its answer: on a kept-alive
  connection that the service has just closed, a POST is lost without anybody knowing how far it
  came. Nothing is redirected: a 307 would send key and body a second time.
- "Not sent" is observed, not guessed from an exception's class: aiohttp's tracing signal comes
  before the first byte of a request is written. Without it, nothing has left (``Unsent``); after
  it, everything but a whole answer is ``Ambiguous``.
- Between the last byte of an answer and its value nothing is awaited, so a task id that has
  reached this process is not lost to a cancellation.
- The sessions have no default headers, no cookies and no proxy from the environment; the key
  travels with each request to the base URL, and nowhere else. Exceptions stop here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace, TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from batchgen.catalog import ResultShape
from batchgen.dashscope.answers import Accepted, Ambiguous, NoAnswer, Refused, Task
from batchgen.dashscope.endpoint import Secret
from batchgen.dashscope.transport import FAILURES, describe
from batchgen.dashscope.wire import BODY_LIMIT, headers, read_submit, read_task

SECRET_LENGTH = 16
"""Keys of the service have 35 characters."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """No byte of the request has left this machine: it may be sent again.

    ``lasting`` where waiting will not help (the service's certificate is not accepted).
    """

    reason: str
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds. The official SDK waits 300 s for a submit; the service's own limit, in its
    ``x-dashscope-timeout`` header, was seen as 180 s.
    """

    connect: float = 15
    submit: float = 300
    task: float = 30


class Service:
    """The service at one base URL, with one key. An async context manager."""

    def __init__(
        self,
        base_url: str,
        key: Secret,
        *,
        workspace: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._base_url = base_url
        self._host = URL(base_url).host or ""
        self._key = key
        self._workspace = workspace
        self._timeouts = timeouts or Timeouts()

    async def __aenter__(self) -> Self:
        tracing = aiohttp.TraceConfig()
        tracing.on_request_headers_sent.append(_mark_as_sent)
        self._posts = _session(aiohttp.TCPConnector(force_close=True), tracing)
        self._polls = _session(aiohttp.TCPConnector())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._posts.close()
        await self._polls.close()

    def __repr__(self) -> str:
        return f"Service({self._host})"

    async def submit(
        self, path: str, body: Mapping[str, Any], model_headers: Mapping[str, str]
    ) -> Accepted | Refused | Ambiguous | Unsent:
        """POST one request, once.

        Raises CancelledError, and ValueError for a body that JSON cannot hold. A submit that is
        cancelled after it was sent is in doubt, which the caller must record.
        """
        data = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        sent = asyncio.Event()
        try:
            response = await self._posts.post(
                self._url(path),
                data=data,
                headers={**self._headers(model_headers), "Content-Type": "application/json"},
                timeout=self._timeout(self._timeouts.submit),
                allow_redirects=False,
                trace_request_ctx=sent,
            )
            content = await self._read(response)
        except FAILURES as error:
            reason = describe(error, self._host)
            if sent.is_set():
                return Ambiguous(reason, "")
            return Unsent(reason, isinstance(error, aiohttp.ClientConnectorCertificateError))
        return read_submit(response.status, response.headers, content)

    async def task(self, task_id: str, shape: ResultShape) -> Task | NoAnswer:
        """GET one task. Raises nothing but CancelledError."""
        try:
            response = await self._polls.get(
                self._url(f"tasks/{quote(task_id, safe='')}"),
                headers=self._headers(),
                timeout=self._timeout(self._timeouts.task),
                allow_redirects=False,
            )
            content = await self._read(response)
        except FAILURES as error:
            return NoAnswer(describe(error, self._host))
        answer = read_task(response.status, response.headers, content, shape)
        if isinstance(answer, Task) and answer.task_id not in {None, task_id}:
            return NoAnswer("the answer is about another task", heard=True)
        return answer

    def _url(self, path: str) -> URL:
        return URL(f"{self._base_url}/{path}", encoded=True)

    def _headers(self, model_headers: Mapping[str, str] | None = None) -> dict[str, str]:
        return headers(self._key, workspace=self._workspace, model_headers=model_headers)

    def _timeout(self, total: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=total, connect=self._timeouts.connect, sock_read=total)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The answer without the key: what stands in front of the service may echo a request,
        header and all, in its error. A short key is a stand-in's and no secret, and a word of ids
        and addresses besides.
        """
        key, content = self._key.reveal().encode(), await _read(response)
        return content.replace(key, b"***") if len(key) >= SECRET_LENGTH else content


def _session(
    connector: aiohttp.TCPConnector, *tracing: aiohttp.TraceConfig
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        trace_configs=list(tracing),
    )


async def _mark_as_sent(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    context.trace_request_ctx.set()


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, or its first bytes past the limit, which no reader accepts as whole."""
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > BODY_LIMIT:
                break
    finally:
        # A connection whose answer was read to its end has already gone back to its pool.
        response.close()
    return bytes(body)
