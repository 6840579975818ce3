"""How often the service may be asked where things stand: one rate for the whole account."""

from __future__ import annotations

import math


class Queries:
    """The pace of polls and searches."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self.wanted = True
        """The service still answers this key."""
        self.free_at = -math.inf
        """When the next may leave."""

    def stop(self) -> None:
        """None is wanted any more."""
        self.wanted = False

    def slow(self, until: float) -> None:
        """None leaves before this moment."""
        self.free_at = max(self.free_at, until)

    def charge(self, count: int, now: float) -> None:
        """So many were made at this moment: the next waits until the rate allows it."""
        self.free_at = max(self.free_at, now) + count / self._per_second
