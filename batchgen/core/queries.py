"""How often the service may be asked where things stand: one rate for the whole account.

Polls, surveys and searches share it (the service allows 20 a second; QwenCloud counts questions
about a task, the list and cancelling together). Each question takes a turn, and the turns are
evenly spaced, ``CARE`` slower than allowed, since what is sent evenly arrives bunched. A question
that is throttled halves the rate, and so do some in a row that are not answered, if they left after
that was halved last; each answer gives a part of it back.
"""

from __future__ import annotations

import math

CARE = 0.05
"""The share of the allowed rate that is left unused."""

SLOWEST = 0.2
"""Questions a second while none is answered."""

REGAINED = 0.02
"""The share of the full rate that an answer gives back."""


ALONE = 3
"""Questions in a row that may go without an answer for reasons of their own."""


class Queries:
    """The pace of all questions."""

    def __init__(self, per_second: float) -> None:
        self._full = per_second * (1 - CARE)
        self._per_second = self._full
        self._slowed_at = -math.inf
        self._unanswered = 0
        self.wanted = True
        """The service still answers this key."""
        self.free_at = -math.inf
        """The moment of the next turn."""

    @property
    def gap(self) -> float:
        """Seconds between two turns."""
        return 1 / self._per_second

    def stop(self) -> None:
        """None is wanted any more."""
        self.wanted = False

    def slow(self, until: float) -> None:
        """No turn comes before this moment."""
        self.free_at = max(self.free_at, until)

    def turn(self, now: float) -> float:
        """Take the next turn: the moment at which one question may leave, now at the soonest."""
        at = max(self.free_at, now)
        self.free_at = at + self.gap
        return at

    def note_answer(self) -> None:
        """A question was answered."""
        self._unanswered = 0
        self._per_second = min(self._per_second + REGAINED * self._full, self._full)

    def note_silence(self, began: float, now: float, *, throttled: bool) -> None:
        """A question that left at one moment had no answer at another, or is throttled."""
        self._unanswered += 1
        if began >= self._slowed_at and (throttled or self._unanswered > ALONE):
            self._per_second = max(self._per_second / 2, min(SLOWEST, self._full))
            self._slowed_at = now
