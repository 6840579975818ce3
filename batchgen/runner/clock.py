"""The loop is the clock: *now* is a wall-clock anchor plus the time of the event loop.

So times written to the journal are real in production and virtual in tests, with one source of
time, and a wall clock that is set forward or back in mid-run moves nothing.
"""

from __future__ import annotations

import asyncio


class Clock:
    """Made inside the running loop; ``wall`` is the Unix time of this moment."""

    def __init__(self, wall: float) -> None:
        self._time = asyncio.get_running_loop().time
        self._anchor = wall - self._time()

    def now(self) -> float:
        """Unix seconds."""
        return self._anchor + self._time()
