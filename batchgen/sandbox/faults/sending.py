"""The ways to send an answer badly.

Rules.
1. aiohttp's server is too polite for most of this: it announces what it sends and ends what it
   began. So the real answer is written into memory first, and what goes out are bytes.
2. After a bad answer nothing else comes over its connection: it is closed, or reset.
3. Every wait is sleep on the loop, in slices, and ends when the client has gone.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from batchgen.sandbox.connections import reset
from batchgen.sandbox.faults.actions import (
    Change,
    CutShort,
    Damage,
    Delay,
    Drip,
    Ending,
    Endless,
    Reset,
    Stall,
    WrongLength,
)
from batchgen.sandbox.faults.changes import changed
from batchgen.sandbox.faults.reply import Reply

GLANCE = 1.0
"""Seconds between two looks whether the client is still there."""
FLUSH = 0.05
"""Seconds between two looks whether the kernel has taken all bytes."""
TICK = 0.1
"""Seconds between two drops of a slow body, or as many as one byte takes."""


class Gone(Exception):
    """The client has closed the connection."""


class Line:
    """The connection of one request. Raises Gone once the client has closed it."""

    def __init__(self, request: web.Request) -> None:
        self._request = request

    def transport(self) -> asyncio.Transport:
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise Gone
        return transport

    async def send(self, data: bytes) -> None:
        """Return when the kernel has taken it all."""
        self.transport().write(data)
        while self.transport().get_write_buffer_size():
            await self.wait(FLUSH)

    async def wait(self, seconds: float) -> None:
        self.transport()
        while seconds > 0:
            await asyncio.sleep(min(seconds, GLANCE))
            seconds -= GLANCE
            self.transport()

    async def silence(self) -> None:
        """Wait for ever, but for Gone."""
        while True:
            await self.wait(GLANCE)

    def reset(self) -> None:
        reset(self._request)

    def close(self) -> None:
        self.transport().close()


async def send(action: Damage | Change, reply: Reply, line: Line) -> None:
    """Send the reply as the action has it, and end the connection. Raises Gone."""
    match action:
        case Reset():
            line.reset()
        case Stall(size):
            await _stall(reply, size, line)
        case Delay(seconds):
            await line.wait(seconds)
            await whole(reply, line)
        case Drip(rate):
            await _drip(reply, rate, line)
        case CutShort(size, ending):
            await _cut(reply, len(reply.body) // 2 if size is None else size, ending, line)
        case WrongLength(by):
            await line.send(reply.with_length(max(0, len(reply.body) + by)) + reply.body)
            line.close()
        case Endless(size):
            await _endless(reply, size, line)
        case _:
            await whole(changed(action, reply), line)


async def whole(reply: Reply, line: Line) -> None:
    """Send the reply as it is, and close. Raises Gone."""
    await line.send(reply.with_length(len(reply.body)) + reply.body)
    line.close()


async def _stall(reply: Reply, size: int | None, line: Line) -> None:
    if size is not None:
        await line.send(reply.with_length(len(reply.body)) + reply.body[:size])
    await line.silence()


async def _drip(reply: Reply, rate: float, line: Line) -> None:
    drop = max(1, int(rate * TICK))
    await line.send(reply.with_length(len(reply.body)))
    for start in range(0, len(reply.body), drop):
        await line.wait(drop / rate)
        await line.send(reply.body[start : start + drop])
    line.close()


async def _cut(reply: Reply, size: int, ending: Ending, line: Line) -> None:
    part = reply.body[:size]
    match ending:
        case Ending.RESET:
            await line.send(reply.with_length(len(reply.body)) + part)
            line.reset()
            return
        case Ending.CLOSE:
            await line.send(reply.head() + part)
        case Ending.CHUNK:
            # An empty chunk would be the last one.
            chunk = f"{len(part):x}\r\n".encode() + part + b"\r\n" if part else b""
            await line.send(reply.head("Transfer-Encoding: chunked") + chunk)
        case Ending.WHOLE:
            await line.send(reply.with_length(len(part)) + part)
    line.close()


async def _endless(reply: Reply, size: int, line: Line) -> None:
    piece = reply.body or bytes(1024)
    await line.send(reply.head())
    while size > 0:
        await line.send(piece[:size])
        size -= len(piece)
    line.reset()
