"""A question about tasks waits for its turn among all others of the account."""

from __future__ import annotations

import asyncio

from batchgen.core.queries import Queries
from batchgen.runner.clock import Clock

STEP_BACK = 0.1
"""The part of the time between two turns for which a further question lets others go first."""


class Turns:
    """Of an action that may take more questions than one."""

    def __init__(self, queries: Queries, clock: Clock) -> None:
        self._queries = queries
        self._clock = clock
        self._is_first = True

    async def wait(self) -> None:
        """Until the next question may leave. The first one may: its turn began the action.

        The next turn is left to a look that is due, or a long list would take all of them.
        """
        if not self._is_first:
            queries, now = self._queries, self._clock.now()
            await asyncio.sleep(max(queries.free_at - now, 0.0) + STEP_BACK * queries.gap)
            now = self._clock.now()
            await asyncio.sleep(queries.turn(now) - now)
        self._is_first = False
