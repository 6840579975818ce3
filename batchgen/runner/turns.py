"""A question about tasks waits for its turn among all others of the account."""

from __future__ import annotations

import asyncio

from batchgen.core.queries import Queries
from batchgen.runner.clock import Clock


class Turns:
    """Of an action that may take more questions than one."""

    def __init__(self, queries: Queries, clock: Clock) -> None:
        self._queries = queries
        self._clock = clock
        self._is_first = True

    async def wait(self) -> None:
        """Until the next question may leave. The first one may: its turn began the action."""
        if not self._is_first:
            now = self._clock.now()
            await asyncio.sleep(self._queries.turn(now) - now)
        self._is_first = False
