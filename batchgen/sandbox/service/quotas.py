"""Request rates. They count the loop's seconds, not the clock's: rendering is sped up, the clients'
pace is not.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Hashable


class Quotas:
    """At most N admitted requests in any second, for each subject by itself (a sliding window, no
    burst on top).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._admitted: defaultdict[Hashable, deque[float]] = defaultdict(deque)

    def admits(self, subject: Hashable, per_second: int) -> bool:
        now = self._loop.time()
        recent = self._admitted[subject]
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if len(recent) >= per_second:
            return False
        recent.append(now)
        return True
