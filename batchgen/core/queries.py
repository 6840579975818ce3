"""How often the service may be asked where things stand: one rate for the whole account.

Polls, surveys and searches share it (the service allows 20 a second; QwenCloud counts questions
about a task, the list and cancelling together). They leave evenly, ``CARE`` slower than allowed,
since what is sent evenly arrives bunched. A look at the list takes the time of all its pages in
advance, as many as it had the last time; a search, of which nobody knows how many questions it
takes, asks at a pace of its own, which is taken from that of the others while it lasts. A question
without an answer, throttled or not, halves the rate, if it left after that was halved last; each
answer gives a part of it back.
"""

from __future__ import annotations

import math

CARE = 0.05
"""The share of the allowed rate that is left unused."""

SLOWEST = 0.2
"""Questions a second while none is answered."""

REGAINED = 0.02
"""The share of the full rate that an answer gives back."""


class Queries:
    """The pace of all questions."""

    def __init__(self, per_second: float) -> None:
        self._full = per_second * (1 - CARE)
        self._per_second = self._full
        self._slowed_at = -math.inf
        self.lent = 0.0
        """Questions a second that a search asks meanwhile."""
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
        rate = max(self._per_second - self.lent, min(SLOWEST, self._full))
        self.free_at = max(self.free_at, now) + count / rate

    def note(self, began: float, now: float, *, answered: bool) -> None:
        """A question that left at one moment has ended at another."""
        if answered:
            self._per_second = min(self._per_second + REGAINED * self._full, self._full)
        elif began >= self._slowed_at:
            self._per_second = max(self._per_second / 2, min(SLOWEST, self._full))
            self._slowed_at = now
