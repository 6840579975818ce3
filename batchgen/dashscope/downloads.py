"""One result from its signed address into a sink: whole, or not at all.

Rules:

- What has arrived is whole only if its length was announced (or it was chunked) and reached, and
  the checksum, where one was sent (Content-MD5), is right. An error page is never a result.
- A broken download continues where it stopped only under the same strong validator (``If-Range``);
  whenever the bytes so far are not to be kept, ``restart`` is called *before* new ones arrive.
- Silence is ended by a time-out, and a drip by a minimum of bytes in each window; the sink's own
  time does not count, so a slow disk is not taken for a slow network.
- No key, no cookie, no proxy, no decompression, no reused connection; every redirection is
  followed by hand, at most three, and each target passes the address policy.
- Errors of the sink pass through untouched: they are not the network's.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from batchgen.dashscope.addresses import AddressPolicy, AddressRefused
from batchgen.dashscope.pages import ERROR_PAGES, page_words
from batchgen.dashscope.transport import FAILURES, describe, out_of_handles

_HOPS = 3
_CHUNK = 2**20
_STALE = {401, 403, 404, 410}
_REDIRECTIONS = {301, 302, 303, 307, 308}

Sink = Callable[[bytes], Awaitable[None]]
Restart = Callable[[], Awaitable[None]]


class FailureKind(StrEnum):
    """What to do about a download that failed."""

    RETRY = "retry"  #: the same address again, later
    STALE = "stale"  #: the address no longer works: ask the task for its address anew
    UNREACHABLE = "unreachable"  #: its host cannot be reached: a new address may name another
    REFUSED = "refused"  #: asking again gives the same; a person must look


@dataclass(frozen=True, slots=True)
class Downloaded:
    """All bytes have gone into the sink. ``checked_by`` names what proved that they are all."""

    bytes_total: int
    etag: str | None
    content_type: str | None
    checked_by: str


@dataclass(frozen=True, slots=True)
class DownloadFailed:
    """``validator`` goes with the bytes in the sink: pass both on to continue; None: start anew."""

    kind: FailureKind
    reason: str
    validator: str | None = None


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
            read_bufsize=_CHUNK,
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
        validator: str | None,
        sink: Sink,
        restart: Restart,
        max_bytes: int,
    ) -> Downloaded | DownloadFailed:
        """Fetch ``url`` into ``sink``, which already holds ``offset`` bytes under ``validator``.

        ``restart`` empties the sink. Raises CancelledError and what sink and restart raise.
        """
        if offset and not _is_strong(validator):
            await restart()
            offset = 0
        transfer = _Transfer(self._pace, offset, validator if offset else None, sink, restart)
        try:
            response = await self._open(url, transfer.request_headers())
            try:
                return await transfer.receive(response, max_bytes)
            finally:
                response.close()
        except _Failed as failed:
            return DownloadFailed(failed.kind, failed.reason, transfer.validator)

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


def _is_strong(validator: str | None) -> bool:
    return validator is not None and validator.startswith('"')


class _Transfer:
    """The state of one download: where the sink stands, and under which validator."""

    def __init__(
        self, pace: Pace, offset: int, validator: str | None, sink: Sink, restart: Restart
    ) -> None:
        self.validator = validator
        self._pace = pace
        self._offset = offset
        self._sink = sink
        self._restart = restart

    def request_headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        if self._offset and self.validator:
            headers |= {"Range": f"bytes={self._offset}-", "If-Range": self.validator}
        return headers

    async def receive(self, response: aiohttp.ClientResponse, max_bytes: int) -> Downloaded:
        """The body of a good answer into the sink; raises _Failed for anything else."""
        await self._refuse_errors(response)
        await self._place(response)
        announced = _announced(response)
        if announced is not None and self._offset + announced > max_bytes:
            total = self._offset + announced
            raise _Failed(
                FailureKind.REFUSED, f"{total} bytes are more than the {max_bytes} expected at most"
            )
        md5 = await self._fill(response, max_bytes)
        if not self._offset:
            raise _Failed(FailureKind.RETRY, "the result has no bytes")
        wanted = _content_md5(response)
        if wanted and md5 != wanted:
            await self._start_over()
            raise _Failed(FailureKind.RETRY, "the bytes do not match their Content-MD5")
        return Downloaded(
            self._offset,
            response.headers.get("ETag"),
            response.headers.get("Content-Type"),
            "Content-MD5" if wanted else "chunks" if announced is None else "Content-Length",
        )

    async def _fill(self, response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
        """All of the body into the sink; gives its MD5."""
        digest = hashlib.md5(usedforsecurity=False)
        clock = asyncio.get_running_loop().time
        flow = _Flow(self._pace)
        while True:
            asked = clock()
            try:
                chunk = await response.content.read(_CHUNK)
            except FAILURES as error:
                words = describe(error, response.url.host or "")
                raise _Failed(FailureKind.RETRY, words) from None
            if not chunk:
                return digest.digest()
            if self._offset + len(chunk) > max_bytes:
                raise _Failed(FailureKind.REFUSED, f"more than {max_bytes} bytes")
            flow.add(clock() - asked, len(chunk))
            digest.update(chunk)
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
            return
        words = page_words(await self._first_bytes(response), response.url)
        kind = FailureKind.STALE if status in _STALE else FailureKind.RETRY
        page = f" ({response.content_type})" if is_good else ""
        raise _Failed(kind, f"HTTP {status}{page}: {words or 'no explanation'}")

    async def _place(self, response: aiohttp.ClientResponse) -> None:
        """Settle where the body goes: behind what is there, or into an emptied sink."""
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise _Failed(FailureKind.REFUSED, "the result is sent compressed, though not asked")
        etag = response.headers.get("ETag")
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            begins = response.headers.get("Content-Range", "").startswith(f"bytes {self._offset}-")
            if not self._offset or not begins or etag not in {None, self.validator}:
                await self._start_over()
                raise _Failed(FailureKind.RETRY, "HTTP 206 with another part than asked for")
            return
        if self._offset:
            await self._start_over()
        self.validator = etag if _is_strong(etag) else None

    async def _start_over(self) -> None:
        await self._restart()
        self._offset = 0
        self.validator = None

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


def _content_md5(response: aiohttp.ClientResponse) -> bytes | None:
    """The MD5 of a whole body. Of a part, OSS gives the whole object's, which cannot be checked
    here; and an ETag is the MD5 of some objects only, so it is not compared.
    """
    if response.status != HTTPStatus.OK:
        return None
    try:
        return base64.b64decode(response.headers.get("Content-MD5", ""), validate=True) or None
    except binascii.Error:
        return None
