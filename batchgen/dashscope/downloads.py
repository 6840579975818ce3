"""One result from its signed address into a sink: whole, or not at all.

Rules:

- What has arrived is whole only if its length was announced (or it was chunked) and reached. An
  error page is never a result. The checksums that were sent are handed on: they are to be held
  against what lies in the sink, which may have been begun by an earlier program.
- A broken download continues where it stopped only in the same version (``If-Range``); whatever is
  to come instead of the bytes so far is announced by ``begin`` *before* it comes.
- Silence is ended by a time-out, and a drip by a minimum of bytes in each window; the sink's own
  time does not count, so a slow disk is not taken for a slow network.
- No key, no cookie, no proxy, no decompression, no reused connection; every redirection is
  followed by hand, at most three, and each target passes the address policy.
- Errors of the sink pass through untouched: they are not the network's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from batchgen.dashscope.addresses import AddressPolicy, AddressRefused
from batchgen.dashscope.objects import Version
from batchgen.dashscope.pages import ERROR_PAGES, page_words
from batchgen.dashscope.transport import FAILURES, describe, out_of_handles

_HOPS = 3
_BUFFER = 2**20
"""Bytes that a connection may have read ahead."""
_STALE = {401, 403, 404, 410}
_REDIRECTIONS = {301, 302, 303, 307, 308}

Sink = Callable[[bytes], Awaitable[None]]
Begin = Callable[[Version | None], Awaitable[None]]
"""Empties the sink, for the bytes of this version; None: for nothing that is known yet."""


class FailureKind(StrEnum):
    """What to do about a download that failed."""

    RETRY = "retry"  #: the same address again, later
    STALE = "stale"  #: the address no longer works: ask the task for its address anew
    UNREACHABLE = "unreachable"  #: its host cannot be reached: a new address may name another
    REFUSED = "refused"  #: asking again gives the same; a person must look


@dataclass(frozen=True, slots=True)
class Downloaded:
    """All bytes have gone into the sink: those of this version, whose length is now known."""

    version: Version


@dataclass(frozen=True, slots=True)
class DownloadFailed:
    """What has come stays in the sink, and can be continued if its version has an ETag."""

    kind: FailureKind
    reason: str


@dataclass(frozen=True, slots=True)
class Pace:
    """When a download counts as stuck: seconds, and bytes in each window of seconds."""

    connect: float = 15
    silence: float = 60
    window: float = 60
    window_bytes: int = 64 * 1024


class _Failed(Exception):
    """Carries a failure out of the reading of an answer."""

    def __init__(self, kind: FailureKind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class Downloader:
    """Fetches results. An async context manager; many downloads may run at once.

    ``private_ok`` is true if, and only if, the service's own base URL is private.
    """

    def __init__(self, *, private_ok: bool, pace: Pace | None = None) -> None:
        self._policy = AddressPolicy(private_ok)
        self._pace = pace or Pace()

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            force_close=True, limit=0, socket_factory=self._policy.socket
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_BUFFER,
            timeout=aiohttp.ClientTimeout(
                total=None, connect=self._pace.connect, sock_read=self._pace.silence
            ),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def download(
        self,
        url: str,
        *,
        offset: int,
        version: Version | None,
        sink: Sink,
        begin: Begin,
        max_bytes: int,
    ) -> Downloaded | DownloadFailed:
        """Fetch ``url`` into ``sink``, which already holds ``offset`` bytes of ``version``.

        Raises CancelledError and what sink and begin raise.
        """
        transfer = _Transfer(self._pace, offset, version, sink, begin)
        try:
            response = await self._open(url, transfer.request_headers())
            try:
                return await transfer.receive(response, max_bytes)
            finally:
                response.close()
        except _Failed as failed:
            return DownloadFailed(failed.kind, failed.reason)

    async def _open(self, url: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """The first answer that is not a redirection."""
        target = _parse(url)
        for _ in range(_HOPS + 1):
            response = await self._ask(target, headers)
            if response.status not in _REDIRECTIONS:
                return response
            response.close()
            target = _parse(response.headers.get("Location", ""), base=target)
        raise _Failed(FailureKind.REFUSED, f"more than {_HOPS} redirections")

    async def _ask(self, url: URL, headers: dict[str, str]) -> aiohttp.ClientResponse:
        host = url.host or ""
        try:
            return await self._session.get(
                self._policy.admit(url), headers=headers, allow_redirects=False
            )
        except AddressRefused as refused:
            raise _Failed(FailureKind.REFUSED, str(refused)) from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.__cause__, AddressRefused):
                raise _Failed(FailureKind.REFUSED, str(error.__cause__)) from None
            kind = FailureKind.RETRY if out_of_handles(error) else FailureKind.UNREACHABLE
            raise _Failed(kind, describe(error, host)) from None
        except (aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise _Failed(FailureKind.UNREACHABLE, describe(error, host)) from None
        except FAILURES as error:
            raise _Failed(FailureKind.RETRY, describe(error, host)) from None


def _parse(url: str, *, base: URL | None = None) -> URL:
    """A signed address exactly as given: to re-quote its query would break the signature."""
    try:
        target = URL(url, encoded=True)
        return base.join(target) if base and url else target
    except ValueError:
        raise _Failed(FailureKind.REFUSED, "the result address cannot be read") from None


class _Transfer:
    """The state of one download: where the sink stands, and in which version."""

    def __init__(
        self, pace: Pace, offset: int, version: Version | None, sink: Sink, begin: Begin
    ) -> None:
        self._pace = pace
        self._version = version or Version()
        # Without a strong ETag nothing says that the rest would be the rest of the same bytes.
        self._offset = offset if self._version.etag else 0
        self._sink = sink
        self._begin = begin

    def request_headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        if self._offset and self._version.etag:
            headers |= {"Range": f"bytes={self._offset}-", "If-Range": self._version.etag}
        return headers

    async def receive(self, response: aiohttp.ClientResponse, max_bytes: int) -> Downloaded:
        """The body of a good answer into the sink; raises _Failed for anything else."""
        await self._refuse_errors(response)
        announced = _announced(response)
        await self._place(response, announced)
        if announced is not None and self._offset + announced > max_bytes:
            total = self._offset + announced
            raise _Failed(
                FailureKind.REFUSED, f"{total} bytes are more than the {max_bytes} expected at most"
            )
        await self._fill(response, max_bytes)
        if not self._offset:
            raise _Failed(FailureKind.RETRY, "the result has no bytes")
        if self._version.bytes not in {None, self._offset}:
            words = f"{self._offset} of {self._version.bytes} bytes have come"
            raise _Failed(FailureKind.RETRY, words)
        return Downloaded(replace(self._version, bytes=self._offset))

    async def _fill(self, response: aiohttp.ClientResponse, max_bytes: int) -> None:
        """All of the body into the sink."""
        clock = asyncio.get_running_loop().time
        flow = _Flow(self._pace)
        while True:
            asked = clock()
            try:
                chunk, ends_a_chunk = await response.content.readchunk()
            except FAILURES as error:
                words = describe(error, response.url.host or "")
                raise _Failed(FailureKind.RETRY, words) from None
            if not chunk and not ends_a_chunk:
                return
            if self._offset + len(chunk) > max_bytes:
                raise _Failed(FailureKind.REFUSED, f"more than {max_bytes} bytes")
            flow.add(clock() - asked, len(chunk))
            await self._sink(chunk)
            self._offset += len(chunk)

    async def _refuse_errors(self, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            await self._start_over()
            raise _Failed(FailureKind.RETRY, "HTTP 416: the range is not there, from the start")
        is_page = response.content_type in ERROR_PAGES
        is_good = status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}
        if is_good and not is_page:
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                words = "the result is sent compressed, though not asked"
                raise _Failed(FailureKind.REFUSED, words)
            return
        words = page_words(await self._first_bytes(response), response.url)
        kind = FailureKind.STALE if status in _STALE else FailureKind.RETRY
        page = f" ({response.content_type})" if is_good else ""
        raise _Failed(kind, f"HTTP {status}{page}: {words or 'no explanation'}")

    async def _place(self, response: aiohttp.ClientResponse, announced: int | None) -> None:
        """Settle where the body goes: behind what is there, or into an emptied sink."""
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            if not self._offset or not self._version.continues(self._offset, response.headers):
                await self._start_over()
                raise _Failed(FailureKind.RETRY, "HTTP 206 with another part than asked for")
            return
        await self._start_over(Version.of(response.headers, announced))

    async def _start_over(self, version: Version | None = None) -> None:
        await self._begin(version)
        self._offset = 0
        self._version = version or Version()

    async def _first_bytes(self, response: aiohttp.ClientResponse) -> bytes:
        """The start of an error page; a page that breaks off is still an error page."""
        try:
            return await response.content.read(4096)
        except FAILURES:
            return b""


class _Flow:
    """Ends a drip: a read time-out alone never stops one byte every 100 ms."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._waited = 0.0
        self._received = 0

    def add(self, waited: float, received: int) -> None:
        """Count seconds of waiting for the network and what came of it; raises _Failed."""
        self._waited += waited
        self._received += received
        if self._waited < self._pace.window:
            return
        if self._received < self._pace.window_bytes:
            words = f"only {self._received} bytes in {self._waited:.0f} s"
            raise _Failed(FailureKind.RETRY, words)
        self._waited, self._received = 0.0, 0


def _announced(response: aiohttp.ClientResponse) -> int | None:
    """The body's length in bytes, None if chunked; a body that ends anyhow proves nothing."""
    if response.content_length is not None:
        return response.content_length
    if "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        return None
    raise _Failed(FailureKind.RETRY, "the answer does not say how long it is")
