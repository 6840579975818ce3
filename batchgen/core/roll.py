"""What the service's list says of the tasks of one account and model, and what that is worth.

The list is asked by status, so that it is as short as what waits and renders there, whatever has
ended during the day. A task that it has shown alive and shows no longer has ended, and so has one
that it does not show though it shows a younger one. Else a task that it has never shown may be too
young for it: that proves nothing.

It costs a question a page, so it is asked only where more tasks than pages want a look. And it may
lag behind, or be incomplete: what is then asked of a task itself tells so. A list that was wrong
about half of the tasks, or knows less than half of those that are old enough, is left alone for a
while, each time longer.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from batchgen.core.policy import LONGEST_PAUSE

JUDGED = 8
"""The newest verdicts count."""

LAG_BORNE = 10.0
"""Seconds by which a list may be behind: as long as it takes to ask about many tasks singly."""

MISSES_BORNE = 2
"""How often in a row a list that was there before may not be had because the service is busy or
silent, not refused."""

FIRST_BAN = 60.0
"""Seconds for which a list that was wrong is left alone at first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """A look at the list, begun at ``asked_at``: the ids of tasks by what it says of them.

    ``waiting`` is None where only those that render were asked for. Not ``whole``: it was too long
    to be read, as the numbers of its pages tell.
    """

    asked_at: float
    rendering: frozenset[str]
    waiting: frozenset[str] | None
    ended: frozenset[str] = frozenset()
    rendering_pages: int = 1
    waiting_pages: int = 1
    whole: bool = True


class Roll:
    """The list of one account and model, as it was found so far."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._verdicts: deque[bool] = deque(maxlen=JUDGED)
        self._late: deque[float] = deque(maxlen=JUDGED // 2)
        self._banned_until = 0.0
        self._bans = 0
        self.seen: dict[str, float] = {}
        """The jobs whose tasks it has shown alive, and not shown otherwise since; and when last."""
        self.pages = {True: 1, False: 1}
        """Of those that render, and of those that wait: so long was it."""
        self.misses = MISSES_BORNE
        """Looks at it in a row that brought nothing; one that was never there has none to spare."""
        self.rested_at = {True: 0.0, False: 0.0}
        """When each may be asked for again."""

    def is_usable(self, now: float) -> bool:
        """Whether what it says is worth asking for."""
        return now >= self._banned_until

    def judge(self, *, right: bool, lag: float | None, now: float) -> None:
        """It was right, or wrong, to say that a task has ended, and showed it alive so many seconds
        after its end (less than 0: before).
        """
        self._verdicts.append(right)
        if lag is not None:
            self._late.append(lag)
        lags = len(self._late) == self._late.maxlen and min(self._late) > LAG_BORNE / self._speed
        if lags or self._verdicts.count(False) >= JUDGED // 2:
            self.ban(now)
        elif len(self._verdicts) == JUDGED and all(self._verdicts):
            self._bans = 0

    def miss(self, now: float) -> None:
        """It could not be had, this time: tasks asked about singly cost a busy service more."""
        self.misses += 1
        if self.misses > MISSES_BORNE:
            self.ban(now)

    def ban(self, now: float) -> None:
        """Leave it alone for a while; what was asked before that says nothing new."""
        if now < self._banned_until:
            return
        pause = min(FIRST_BAN * 2.0 ** min(self._bans, 10), LONGEST_PAUSE)
        self._banned_until = now + pause / self._speed
        self._bans += 1
        self._verdicts.clear()
        self._late.clear()
        self.seen.clear()
