"""Requests over HTTP, in bytes: each POST is sent once, and the key goes nowhere else.

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
- A key may be rotated in mid-run: what was answered with 401 was surely not done, and is sent once
  more if there is another key by then.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import SimpleNamespace, TracebackType
from typing import Any, Self, TypeVar

import aiohttp
from aiohappyeyeballs import AddrInfoType
from yarl import URL

from batchgen.dashscope.answers import Accepted, Ambiguous, Checked, NoAnswer, Refused, Task
from batchgen.dashscope.documents import BODY_LIMIT
from batchgen.dashscope.endpoint import Secret, fingerprint
from batchgen.dashscope.times import read_date
from batchgen.dashscope.transport import FAILURES, describe
from batchgen.dashscope.wire import headers

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

_OWN_TYPES = {"application/json", "text/event-stream"}

Told = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body of an answer."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Unsent:
    """No byte of the request has left this machine: it may be sent again.

    ``lasting`` where waiting will not help (the service's certificate is not accepted).
    """

    reason: str
    lasting: bool = False


@dataclass(slots=True)
class Reply:
    """What came upon a POST that was sent; ``failure`` where it broke off, or never came."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    content: bytes = b""
    failure: Ambiguous | None = None

    @property
    def told(self) -> Told:
        return self.status, self.headers, self.content

    def says(self, answer: _Answer) -> _Answer | Ambiguous:
        """What was read of it. A task or a result in hand counts, however the rest broke off."""
        if isinstance(answer, Accepted | Task | Checked):
            return answer
        return self.failure or answer


@dataclass(frozen=True, slots=True)
class _Post:
    """A request before it has its key."""

    path: str
    data: bytes
    headers: Mapping[str, str]
    seconds: float


class Connection:
    """The way to one base URL, with a key. An async context manager.

    ``renew`` reads the key anew where it came from (None: there is none any more). It is called in
    a thread, when the key there is has been refused. ``connect`` is in seconds.
    """

    def __init__(
        self,
        base_url: str,
        key: Secret,
        *,
        workspace: str | None,
        connect: float,
        renew: Callable[[], Secret | None],
    ) -> None:
        self._base_url = base_url
        self.host = URL(base_url).host or ""
        self._key = key
        self._workspace = workspace
        self._connect = connect
        self._renew = renew
        self.endpoint = fingerprint(base_url, key)
        """A fingerprint of the host, and of the key that is used now."""
        self.service_time: float | None = None
        """What the service's clock showed in its newest answer."""

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

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        model_headers: Mapping[str, str],
        seconds: float,
        read: Callable[[Reply], _Answer],
    ) -> _Answer | Ambiguous | Unsent:
        """POST once, and ``read`` what came upon it within ``seconds``.

        Raises CancelledError, and ValueError for a body that JSON cannot hold.
        """
        data = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        resolve = RESOLVE if b'"oss://' in data else {}
        more = {**model_headers, **resolve, "Content-Type": "application/json"}
        post, key = _Post(path, data, more, seconds), self._key
        answer = await self._post(post, key, read)
        if not _is_refused_key(answer) or not await self._has_other_than(key):
            return answer
        return await self._post(post, self._key, read)

    async def _post(
        self, post: _Post, key: Secret, read: Callable[[Reply], _Answer]
    ) -> _Answer | Ambiguous | Unsent:
        sent, reply = asyncio.Event(), Reply()
        try:
            response = await self._posts.post(
                self._url(post.path),
                data=post.data,
                headers=self._headers(key, post.headers),
                timeout=self._timeout(post.seconds),
                allow_redirects=False,
                trace_request_ctx=sent,
            )
            reply.status, reply.headers = response.status, response.headers
            self._note_time(response)
            await _read(response, reply.body, STREAM_LIMIT)
            if len(reply.body) > STREAM_LIMIT:
                reply.failure = Ambiguous("the answer is longer than anybody would read", "")
        except FAILURES as error:
            reason = describe(error, self.host)
            if not sent.is_set():
                return Unsent(reason, isinstance(error, aiohttp.ClientConnectorCertificateError))
            reply.failure = Ambiguous(reason, "")
        reply.content = _without_key(reply.body, key)
        return reply.says(read(reply))

    async def ask(self, path: str, seconds: float, *, method: str = "GET") -> Told | NoAnswer:
        """What may be asked again at will. Raises nothing but CancelledError."""
        key = self._key
        told = await self._ask(key, method, path, seconds)
        if isinstance(told, NoAnswer) or told[0] != HTTPStatus.UNAUTHORIZED:
            return told
        if not await self._has_other_than(key):
            return told
        return await self._ask(self._key, method, path, seconds)

    async def _ask(self, key: Secret, method: str, path: str, seconds: float) -> Told | NoAnswer:
        body = bytearray()
        try:
            response = await self._polls.request(
                method,
                self._url(path),
                headers=self._headers(key),
                timeout=self._timeout(seconds),
                allow_redirects=False,
            )
            self._note_time(response)
            await _read(response, body, BODY_LIMIT)
        except FAILURES as error:
            return NoAnswer(describe(error, self.host))
        return response.status, response.headers, _without_key(body, key)

    async def _has_other_than(self, refused: Secret) -> bool:
        """Read the key anew, unless another request has already."""
        if self._key is refused:
            found = await asyncio.get_running_loop().run_in_executor(None, self._renew)
            self._key = found or refused
            self.endpoint = fingerprint(self._base_url, self._key)
        return self._key.reveal() != refused.reveal()

    def _note_time(self, response: aiohttp.ClientResponse) -> None:
        """The service's clock; a page of something on the way has a clock of its own."""
        if response.content_type in _OWN_TYPES and (date := read_date(response.headers)):
            self.service_time = date

    def _url(self, path: str) -> URL:
        return URL(f"{self._base_url}/{path}", encoded=True)

    def _headers(
        self, key: Secret, model_headers: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        return headers(key, workspace=self._workspace, model_headers=model_headers)

    def _timeout(self, total: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=total, connect=self._connect, sock_read=total)


def _is_refused_key(answer: object) -> bool:
    return isinstance(answer, Refused) and answer.status == HTTPStatus.UNAUTHORIZED


def _without_key(body: bytearray, secret: Secret) -> bytes:
    """The answer without the key: what stands in front of the service may echo a request, header
    and all, in its error. A short key is a stand-in's and no secret, and a word of ids and
    addresses besides.
    """
    key = secret.reveal().encode()
    return bytes(body.replace(key, b"***") if len(key) >= SECRET_LENGTH else body)


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
