"""Request rates. They count the loop's seconds, not the clock's: rendering is sped up, the clients'
pace is not.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Hashable


class Quotas:
    """At most N admitted requests in any period, for each subject by itself (a sliding window, no
    burst on top).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._admitted: defaultdict[Hashable, deque[float]] = defaultdict(deque)

    def admits(self, subject: Hashable, most: int, seconds: float = 1.0) -> bool:
        """Counts the request when there is room for it."""
        if not self.has_room(subject, most, seconds):
            return False
        self.count(subject)
        return True

    def has_room(self, subject: Hashable, most: int, seconds: float = 1.0) -> bool:
        return len(self._recent(subject, seconds)) < most

    def rises_steadily(self, subject: Hashable) -> bool:
        """Whether a second more of this pace is no more than twice the second before; a first
        request always is.
        """
        recent, last = self._recent(subject, 2.0), self._loop.time() - 1
        now = sum(time > last for time in recent)
        return now + 1 <= max(1, 2 * (len(recent) - now))

    def count(self, subject: Hashable) -> None:
        """A request was admitted now."""
        self._admitted[subject].append(self._loop.time())

    def _recent(self, subject: Hashable, seconds: float) -> deque[float]:
        recent, start = self._admitted[subject], self._loop.time() - seconds
        while recent and recent[0] <= start:
            recent.popleft()
        return recent
