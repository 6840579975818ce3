"""When a task is looked at next, by what others of its model have taken.

Rules of this file:

* A task that waits at the service is looked at soon, since refusals of media and content fail one
  within seconds of its submit, and then ever more seldom, but not later than it could have come to
  its turn and its end.
* A task that renders is looked at when the first could be ready: shortly before the shortest that
  was seen lately. From then on every two and a half; short ones every second, and those that
  take very long as the service advises.
* Before anything was seen to end, any task that renders could be ready.
* What cannot be ready yet is looked at now and then all the same: it may have failed.
* The list is asked as often as something is likely to have ended, so that a page of it tells of
  more than one task (``rest``).

Ages and pauses are in seconds of ours, of which the service may have more (``service_speed``).
"""

from __future__ import annotations

from collections import deque
from math import inf

from batchgen.core.lanes import LaneKey
from batchgen.core.policy import Policy

FIRST = 2.0
"""Seconds after its submit at which a task is looked at first."""

SOONEST, LATEST = 1.0, 2.5
"""Seconds between two looks at a task that may be ready, and between two looks at the list."""

FINENESS, COARSENESS = 20, 200
"""A look comes after a twentieth of the time that a task has been rendering, up to ``LATEST``, and
where a two-hundredth is more than that, after that, up to what the service advises."""

RARELY = 60.0
"""Seconds between two looks at a task that cannot be ready yet."""

EARLY = 0.9
"""The part of the shortest rendering after which another could be ready."""

WORTH = 2.8
"""How many tasks should have ended for each page of the list that is asked for."""

REMEMBERED = 32
"""Renderings that are remembered: what a model takes changes with its load."""


class Cadence:
    """What the tasks of one account and model have taken."""

    def __init__(self, *, speed: float, poll_seconds: float) -> None:
        """``poll_seconds`` is what the service advises for the time between two looks."""
        self._speed = speed
        self._advised = poll_seconds
        self._took: deque[float] = deque(maxlen=REMEMBERED)
        self._ended: deque[float] = deque(maxlen=REMEMBERED)

    def __repr__(self) -> str:
        return f"<Cadence of {len(self._took)} renderings, usually {self.usual} s>"

    def note(self, ended: float, took: float | None) -> None:
        """A task was seen to end at this moment, after so many seconds, if anybody knows."""
        self._ended.append(ended)
        if took is not None and took > 0:
            self._took.append(took)

    @property
    def usual(self) -> float | None:
        """Seconds that a rendering takes: the median; None before one has ended."""
        return sorted(self._took)[len(self._took) // 2] if self._took else None

    @property
    def patience(self) -> float:
        """Seconds for which the list is believed about a task that it shows to be rendering."""
        return max(RARELY / self._speed, 1.25 * max(self._took, default=0.0) + FIRST / self._speed)

    def waiting_pause(self, age: float) -> float:
        """Until the next look at a task that waits, submitted so long ago."""
        pause = min(max(age * self._speed / 4, FIRST), self._advised) / self._speed
        return min(pause, self._passage)

    def rendering_pause(self, age: float) -> float:
        """Until the next look at a task that has been rendering for so long."""
        theirs = age * self._speed
        latest = min(max(LATEST, theirs / COARSENESS), self._advised)
        look = min(max(theirs / FINENESS, SOONEST), latest) / self._speed
        idle = EARLY * min(self._took, default=0.0) - age
        return max(look, min(idle, RARELY / self._speed))

    def rest(self, pages: int, now: float) -> float:
        """Between two looks at a list of so many pages."""
        pause = WORTH * pages * self._between(now)
        return min(max(pause, SOONEST / self._speed), LATEST / self._speed)

    def waiting_rest(self, pages: int, now: float) -> float:
        """The same where it is the list of who waits, too."""
        rest = self.rest(pages, now)
        return max(rest, min(2 * max(rest, FIRST / self._speed), self._passage))

    @property
    def _passage(self) -> float:
        """Seconds in which a task that waits could have come to its end."""
        return max(min(self._took, default=inf), SOONEST / self._speed)

    def _between(self, now: float) -> float:
        """Seconds from one end to the next, lately."""
        if not self._ended:
            return LATEST / self._speed
        return max(now - self._ended[0], 0.0) / len(self._ended)


class Cadences(dict[LaneKey, Cadence]):
    """Of every lane, made when it is first asked for."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self._policy = policy

    def __missing__(self, lane: LaneKey) -> Cadence:
        limits = self._policy.lane(lane[1])
        made = Cadence(speed=self._policy.service_speed, poll_seconds=limits.poll_seconds)
        self[lane] = made
        return made
