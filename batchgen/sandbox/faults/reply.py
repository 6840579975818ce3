"""An answer that is caught before it is sent: aiohttp writes it, and the bytes stay here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web
from multidict import CIMultiDict

_FRAMING = {"content-length", "transfer-encoding", "connection"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that has not been sent."""

    status: int
    reason: str
    headers: CIMultiDict[str]
    body: bytes

    def head(self, *framing: str) -> bytes:
        """Status line and headers, with this framing in the place of aiohttp's."""
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        lines += [
            f"{name}: {value}"
            for name, value in self.headers.items()
            if name.lower() not in _FRAMING
        ]
        return "\r\n".join([*lines, *framing, "Connection: close", "", ""]).encode()

    def with_length(self, length: int) -> bytes:
        return self.head(f"Content-Length: {length}")


class Recorder:
    """A transport whose bytes stay here. For all else it is the real one."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.real = transport
        self.written = bytearray()

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, chunks: Iterable[bytes]) -> None:
        self.written += b"".join(chunks)

    def taken(self) -> bytes:
        """What was written, and is not held any longer."""
        taken, self.written = bytes(self.written), bytearray()
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@contextmanager
def recording(request: web.Request, recorder: Recorder) -> Iterator[None]:
    """Whatever answer is written meanwhile goes to the recorder."""
    protocol = request.protocol
    protocol.transport = cast("asyncio.Transport", recorder)
    try:
        yield
    finally:
        if protocol.transport is not None:  # None: the client has gone
            protocol.transport = recorder.real


async def finished(request: web.Request, response: web.StreamResponse, recorder: Recorder) -> Reply:
    """The whole answer, written to its end while it is being recorded."""
    await response.prepare(request)
    await response.write_eof()
    response.force_close()
    body = recorder.taken().partition(b"\r\n\r\n")[2]
    if "Transfer-Encoding" in response.headers:
        body = b"".join(_chunks(body))
    return Reply(response.status, response.reason or "", response.headers.copy(), body)


def _chunks(body: bytes) -> Iterator[bytes]:
    while body:
        size, _, body = body.partition(b"\r\n")
        yield body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
