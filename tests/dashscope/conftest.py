"""Recorded answers, and servers that misbehave in ways no polite server can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from multidict import CIMultiDict

SAMPLES = Path(__file__).parent.parent / "samples" / "answers"


@dataclass(frozen=True)
class Answer:
    """A recorded answer: ``<case>.json`` (``.events`` for a stream), with ``<case>.headers`` where
    they say more than 200.
    """

    status: int
    headers: CIMultiDict[str]
    body: bytes


def recorded(case: str) -> Answer:
    path = SAMPLES / f"{case}.headers"
    status, *lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else ["200"]
    pairs = (line.split(": ", 1) for line in lines)
    stream = SAMPLES / f"{case}.events"
    body = (stream if stream.exists() else SAMPLES / f"{case}.json").read_bytes()
    return Answer(int(status), CIMultiDict((name, value) for name, value in pairs), body)


@pytest.fixture
def answer() -> Callable[[str], Answer]:
    return recorded


Script = Callable[[asyncio.StreamWriter, int], Awaitable[None]]
"""Writes whatever it likes; the number says which request this is, from 0."""


@dataclass
class RawServer:
    """Reads each request whole, then lets the script do its worst."""

    script: Script
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._tasks.add(task)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _request(reader):
                self.requests.append(request)
                await self.script(writer, len(self.requests) - 1)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _request(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + (await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b"")


Serve = Callable[..., Awaitable[RawServer]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start servers on loopback; all are gone after the test."""
    running: list[tuple[asyncio.Server, RawServer]] = []

    async def start(script: Script, **options: object) -> RawServer:
        raw = RawServer(script)
        server = await asyncio.start_server(raw.connected, "127.0.0.1", 0, **options)
        raw.port = server.sockets[0].getsockname()[1]
        running.append((server, raw))
        return raw

    yield start
    for server, raw in running:
        server.close()
        await raw.stop()
        await server.wait_closed()


def response(
    body: bytes = b"", status: str = "200 OK", *, length: bool = True, **headers: str
) -> bytes:
    """An HTTP answer as bytes; underscores of header names are hyphens."""
    lines = [f"HTTP/1.1 {status}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.fixture
def http() -> Callable[..., bytes]:
    return response


@pytest.fixture
def says() -> Callable[..., Script]:
    """A script that writes the same bytes to each request, and may close afterwards."""

    def script(*parts: bytes, close: bool = False) -> Script:
        async def write(writer: asyncio.StreamWriter, _number: int) -> None:
            for part in parts:
                writer.write(part)
                await writer.drain()
            if close:
                writer.close()

        return write

    return script
