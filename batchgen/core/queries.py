"""How often the service may be asked where things stand: one rate for the whole account.

Polls, surveys and searches share it (the service allows 20 a second; QwenCloud counts questions
about a task, the list and cancelling together). Each question takes a turn, and the turns are
evenly spaced, ``CARE`` slower than allowed, since what is sent evenly arrives bunched. A question
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
        self.wanted = True
        """The service still answers this key."""
        self.free_at = -math.inf
        """The moment of the next turn."""

    def stop(self) -> None:
        """None is wanted any more."""
        self.wanted = False

    def slow(self, until: float) -> None:
        """No turn comes before this moment."""
        self.free_at = max(self.free_at, until)

    def turn(self, now: float) -> float:
        """Take the next turn: the moment at which one question may leave, now at the soonest."""
        at = max(self.free_at, now)
        self.free_at = at + 1 / self._per_second
        return at

    def note(self, began: float, now: float, *, answered: bool) -> None:
        """A question that left at one moment has ended at another."""
        if answered:
            self._per_second = min(self._per_second + REGAINED * self._full, self._full)
        elif began >= self._slowed_at:
            self._per_second = max(self._per_second / 2, min(SLOWEST, self._full))
            self._slowed_at = now
