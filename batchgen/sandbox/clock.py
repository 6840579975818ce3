"""The sandbox's only clock.

Rules. The time is a start plus the event loop's own time, multiplied by the speed: a test on
virtual time and a person who wants a night in a minute use the same arithmetic, and the wall clock
is never read while the sandbox runs. The value is part of the store. It stands still while no
sandbox runs, so that tasks of yesterday evening are still there in the morning, and it is saved
with every answer, so that it is never behind a time somebody has seen, unless the disk was full.
"""

from __future__ import annotations

import asyncio


class Clock:
    """Unix seconds, `speed` of them for each second of the loop."""

    def __init__(self, start: float, *, speed: float, loop: asyncio.AbstractEventLoop) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be above zero, not {speed}")
        self._start = start
        self._origin = loop.time()
        self._loop = loop
        self.speed = speed

    def now(self) -> float:
        return self._start + (self._loop.time() - self._origin) * self.speed
