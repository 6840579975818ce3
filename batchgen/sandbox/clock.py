"""The sandbox's only clock.

Rules. The time is a start plus the event loop's own time, multiplied by the speed: a test on
virtual time and a person who wants a night in a minute use the same arithmetic, and the wall clock
is never read while the sandbox runs. The value is part of the store. It stands still while no
sandbox runs, so that tasks of yesterday evening are still there in the morning, and it is saved
with every answer, so that it is never behind a time somebody has seen, unless the disk was full.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

FASTEST = 1_000_000
"""Seconds in one of the loop: at more, a task is forgotten sooner than anybody can ask for it."""

_LATE = 0.001
"""Seconds of the loop: rounding must not make an alarm ring before its time."""


class Clock:
    """Unix seconds, `speed` of them for each second of the loop."""

    def __init__(self, start: float, *, speed: float, loop: asyncio.AbstractEventLoop) -> None:
        check_speed(speed)
        self._start = start
        self._origin = loop.time()
        self._loop = loop
        self.speed = speed

    def now(self) -> float:
        return self._start + (self._loop.time() - self._origin) * self.speed

    def later(self, seconds: float) -> float:
        """The time in so many of the clients' seconds: their pace is not sped up."""
        return self.now() + seconds * self.speed

    def at(self, time: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call it when this time has come."""
        when = self._origin + (time - self._start) / self.speed
        return self._loop.call_at(when + _LATE, callback)

    async def until(self, time: float) -> None:
        await asyncio.sleep(max(0.0, (time - self.now()) / self.speed))


def check_speed(speed: float) -> None:
    """Raises ValueError for one at which no clock can run."""
    if not 0 < speed <= FASTEST:
        raise ValueError(f"the speed must be above 0 and at most {FASTEST:,}, not {speed:g}")
