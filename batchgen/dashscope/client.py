"""The service over HTTP: one POST makes one paid result, and is never repeated here.

Rules:

- POSTs have a session of their own that closes each connection after its answer: on a kept-alive
  connection that the service has just closed, a POST is lost without anybody knowing how far it
  came. Nothing is redirected: a 307 would send key and body a second time.
- "Not sent" is observed, not guessed from an exception's class: aiohttp's tracing signal comes
  before the first byte of a request is written. Without it, nothing has left (``Unsent``); after
  it, everything but a whole answer is ``Ambiguous``.
- What has come of an answer is read, even where its connection breaks off: a task id is money.
- Between the last byte of an answer and its value nothing is awaited, so a task id that has
  reached this process is not lost to a cancellation.
- The sessions have no default headers, no cookies and no proxy from the environment; the key
  travels with each request to the base URL, and nowhere else. Exceptions stop here.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace, TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import aiohttp
from aiohappyeyeballs import AddrInfoType
from yarl import URL

from batchgen.catalog import ResultShape
from batchgen.dashscope.answers import (
    Accepted,
    Ambiguous,
    Checked,
    NoAnswer,
    Refused,
    Task,
    UploadPolicy,
)
from batchgen.dashscope.documents import BODY_LIMIT
from batchgen.dashscope.endpoint import Secret
from batchgen.dashscope.transport import FAILURES, describe
from batchgen.dashscope.wire import (
    headers,
    read_answer,
    read_check,
    read_policy,
    read_stream,
    read_submit,
    read_task,
)

STREAM_LIMIT = 16 * BODY_LIMIT
"""Bytes of an answer to a POST that are read at most: each event of a stream may repeat the one
before."""

RESOLVE = {"X-DashScope-OssResourceResolve": "enable"}
"""The service follows an ``oss://`` address only where it is told to (Get a temporary file URL,
2026-05-30)."""

KEEPALIVE = 60
"""Seconds of silence on a connection before it is tried."""

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
    answer: float = 1800
    """For an answer that is the result: interleaved images were seen to take 224 s."""
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
        connector = aiohttp.TCPConnector(force_close=True, socket_factory=_keep_alive)
        self._posts = _session(connector, tracing)
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
        """POST one request for a task, once.

        Raises CancelledError, and ValueError for a body that JSON cannot hold. A submit that is
        cancelled after it was sent is in doubt, which the caller must record.
        """
        reply = await self._post(path, body, model_headers, self._timeouts.submit)
        return reply if isinstance(reply, Unsent) else reply.says(read_submit(*reply.told))

    async def ask(
        self,
        path: str,
        body: Mapping[str, Any],
        model_headers: Mapping[str, str],
        shape: ResultShape,
        *,
        streamed: bool,
    ) -> Task | Accepted | Refused | Ambiguous | Unsent:
        """POST one request whose answer is the result itself, after minutes; once, as ``submit``.

        What has come of a stream when its connection breaks is an answer, too.
        """
        reply = await self._post(path, body, model_headers, self._timeouts.answer)
        if isinstance(reply, Unsent):
            return reply
        if streamed:
            return reply.says(read_stream(*reply.told, shape, whole=reply.failure is None))
        return reply.says(read_answer(*reply.told, shape))

    async def check(
        self, path: str, body: Mapping[str, Any], model_headers: Mapping[str, str]
    ) -> Checked | Refused | Ambiguous | Unsent:
        """POST the question whether an input is good, once."""
        reply = await self._post(path, body, model_headers, self._timeouts.submit)
        return reply if isinstance(reply, Unsent) else reply.says(read_check(*reply.told))

    async def _post(
        self,
        path: str,
        body: Mapping[str, Any],
        model_headers: Mapping[str, str],
        seconds: float,
    ) -> _Reply | Unsent:
        data = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        resolve = RESOLVE if b'"oss://' in data else {}
        sent, reply = asyncio.Event(), _Reply()
        try:
            response = await self._posts.post(
                self._url(path),
                data=data,
                headers={
                    **self._headers({**model_headers, **resolve}),
                    "Content-Type": "application/json",
                },
                timeout=self._timeout(seconds),
                allow_redirects=False,
                trace_request_ctx=sent,
            )
            reply.status, reply.headers = response.status, response.headers
            await _read(response, reply.body, STREAM_LIMIT)
            if len(reply.body) > STREAM_LIMIT:
                reply.failure = Ambiguous("the answer is longer than anybody would read", "")
        except FAILURES as error:
            reason = describe(error, self._host)
            if not sent.is_set():
                return Unsent(reason, isinstance(error, aiohttp.ClientConnectorCertificateError))
            reply.failure = Ambiguous(reason, "")
        reply.content = self._without_key(reply.body)
        return reply

    async def task(self, task_id: str, shape: ResultShape) -> Task | NoAnswer:
        """GET one task. Raises nothing but CancelledError."""
        path = f"tasks/{quote(task_id, safe='')}"
        match await self._get(path):
            case NoAnswer() as none:
                return none
            case status, headers, content:
                answer = read_task(status, headers, content, shape)
        if isinstance(answer, Task) and answer.task_id not in {None, task_id}:
            return NoAnswer("the answer is about another task", heard=True)
        return answer

    async def upload_policy(self, model: str) -> UploadPolicy | Refused | NoAnswer:
        """GET the leave to upload a file for a model. Raises nothing but CancelledError."""
        match await self._get(f"uploads?action=getPolicy&model={quote(model, safe='')}"):
            case NoAnswer() as none:
                return none
            case status, headers, content:
                return read_policy(status, headers, content)

    async def _get(self, path: str) -> tuple[int, Mapping[str, str], bytes] | NoAnswer:
        body = bytearray()
        try:
            response = await self._polls.get(
                self._url(path),
                headers=self._headers(),
                timeout=self._timeout(self._timeouts.task),
                allow_redirects=False,
            )
            await _read(response, body, BODY_LIMIT)
        except FAILURES as error:
            return NoAnswer(describe(error, self._host))
        return response.status, response.headers, self._without_key(body)

    def _url(self, path: str) -> URL:
        return URL(f"{self._base_url}/{path}", encoded=True)

    def _headers(self, model_headers: Mapping[str, str] | None = None) -> dict[str, str]:
        return headers(self._key, workspace=self._workspace, model_headers=model_headers)

    def _timeout(self, total: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=total, connect=self._timeouts.connect, sock_read=total)

    def _without_key(self, body: bytearray) -> bytes:
        """The answer without the key: what stands in front of the service may echo a request,
        header and all, in its error. A short key is a stand-in's and no secret, and a word of ids
        and addresses besides.
        """
        key = self._key.reveal().encode()
        return bytes(body.replace(key, b"***") if len(key) >= SECRET_LENGTH else body)


_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class _Reply:
    """What came upon a POST that was sent; ``failure`` where it broke off, or never came."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    content: bytes = b""
    failure: Ambiguous | None = None

    @property
    def told(self) -> tuple[int, Mapping[str, str], bytes]:
        return self.status, self.headers, self.content

    def says(self, answer: _Answer) -> _Answer | Ambiguous:
        """What was read of it. A task or a result in hand counts, however the rest broke off."""
        if isinstance(answer, Accepted | Task | Checked):
            return answer
        return self.failure or answer


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


async def _read(response: aiohttp.ClientResponse, body: bytearray, limit: int) -> None:
    """The body, or its first bytes past the limit, which no reader accepts as whole."""
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > limit:
                break
    finally:
        # A connection whose answer was read to its end has already gone back to its pool.
        response.close()


def _keep_alive(address: AddrInfoType) -> socket.socket:
    """A socket that says now and then that it is there: an answer may take minutes, and what
    stands between forgets a silent connection sooner.
    """
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE)
    return made
