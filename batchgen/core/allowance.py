"""What one account may do with one model, as far as is known by now: how many requests a second,
and how many tasks render at once.

Rules of this file:

* The catalog's numbers hold until the service has told its own (``told``). Both may be wrong for an
  account that others use as well, so what is seen counts more.
* More tasks of ours rendering than were thought possible: so many are. Fewer, for a while, though
  others of ours wait: so many are, until more are seen.
* At the service are as many tasks as render, and as many in line as may find a slot free before
  their successors are sent: who is in line cannot be taken back for nothing when plans change, and
  renders no sooner.
* Requests leave evenly, and one that was late is followed sooner, though no more than are allowed
  leave in a second. Some travel longer than others, so no more than that are answered in a second
  either, if the next one is as fast as the fastest.
* A request that is throttled slows down those that follow, and each that is taken makes up for a
  part of it.

It lives as long as a run: the next one asks, and sees, anew.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import ceil

from batchgen.core.cadence import RARELY, Cadence
from batchgen.core.policy import LaneLimits

LEAD = 6.0
"""Seconds from the end of a task until a successor that was sent for it is there: the end is
noticed, its turn comes, and the request is answered."""

QUEUE = 500
"""Tasks that the service lets wait for one model, where it does not say (Query model limits)."""

BRAKE, REGAINED = 0.7, 0.02
"""What a throttled request leaves of the rate, and what one that is taken gives back of it."""

CARE = 1.002
"""How much longer than a second the second is in which no more may leave than are allowed."""

TRIED_AFTER = 10
"""Requests that get through until one task more may wait where none was allowed to."""

LEAST = 0.05
"""The part of the allowed rate that is always left."""

REMEMBERED, JUDGED = 1000, 20
"""Answers that are remembered (no model is allowed as many requests in a second), and those that
tell how fast one can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLimits:
    """What the service says of one model; None where it says nothing (Query model limits, 2026)."""

    submits_per_second: float | None = None
    running: int | None = None
    waiting: int | None = None
    """Tasks that may be in line."""


class Allowance:
    """The limits of one account and model."""

    def __init__(self, limits: LaneLimits, cadence: Cadence) -> None:
        self._limits = limits
        self._cadence = cadence
        self._share = 1.0
        self._next_at: float | None = None
        """When the next request should leave to keep the pace; None before the first."""
        self._sent: deque[float] = deque(maxlen=REMEMBERED)
        """When requests left, the newest last."""
        self._answered: deque[float] = deque(maxlen=REMEMBERED)
        """When requests were answered, the newest last."""
        self._travelled: deque[float] = deque(maxlen=JUDGED)
        """Seconds that the newest took."""
        self._waiting: int | None = None
        self._unqueued: int | None = None
        """Requests that were taken since one was refused for the number of tasks there were, or
        since one more is tried."""
        self._tried = 0
        """How many more than were refused are tried by now."""
        self._fewer_since: float | None = None
        self._most_seen = 0
        self.running = limits.running
        """Tasks of ours that render at once."""

    def __repr__(self) -> str:
        return f"<Allowance of {1 / self.gap:.2f} a second, {self.running} + {self.in_line}>"

    @property
    def gap(self) -> float:
        """Seconds between two requests."""
        return 1.0 / (self._share * self._limits.submits_per_second)

    def opens_at(self, sent_at: float) -> float:
        """When the next request may leave, if the last one left at this moment."""
        many = max(int(1 / self.gap), 1)
        # Of another run nobody knows but the last one: a second after that there is room again.
        moments = [sent_at + many * self.gap if self._next_at is None else self._next_at]
        if len(self._sent) >= many:
            moments.append(self._sent[-many] + many * self.gap * CARE)
        if len(self._answered) >= many:
            answered = self._answered[-many] + many * self.gap * CARE
            known = len(self._travelled) == JUDGED
            moments.append(answered - (min(self._travelled) if known else 0.0))
        return max(moments)

    @property
    def in_line(self) -> int:
        """How many tasks should wait at the service."""
        usual = self._cadence.usual
        most = QUEUE if self._waiting is None else self._waiting
        if usual is None:
            return min(self.running, most)
        ends = ceil(self.running * LEAD / usual) + 1
        return min(ends, max(ceil(LEAD / self.gap), 1), most)

    def room(self, *, direct: bool) -> int:
        """How many requests of a kind may be in flight: an answer that is the result itself is
        waited for while it is worked on, and nothing stands in line for it.
        """
        if not direct:
            return self.running + self.in_line
        return min(self.running + self._tried, max(self.running, self._limits.running))

    def told(self, told: ServiceLimits) -> None:
        """The service has said what it allows."""
        limits = self._limits
        self._limits = LaneLimits(
            submits_per_second=told.submits_per_second or limits.submits_per_second,
            running=told.running or limits.running,
            poll_seconds=limits.poll_seconds,
        )
        self.running = told.running or self.running
        self._waiting, self._unqueued, self._tried = told.waiting, None, 0

    def saw(self, running: int, waiting: int | None, now: float) -> None:
        """So many tasks of ours render at this moment, and so many wait (None: nobody asked)."""
        self.running = max(self.running, running)
        if running >= self.running or waiting == 0:
            self._fewer_since = None
        elif self._fewer_since is None:
            if waiting:
                self._fewer_since, self._most_seen = now, running
        else:
            self._most_seen = max(self._most_seen, running)
            if now - self._fewer_since >= max(RARELY, self._cadence.usual or 0.0):
                self.running, self._fewer_since = max(self._most_seen, 1), None

    def does_not_queue(self, in_flight: int) -> None:
        """The service refused a request because so many are there: nothing may wait, until some
        have got through, and then one more is tried.
        """
        self.running = max(in_flight, 1)
        self._waiting, self._unqueued, self._tried = 0, 0, 0

    def throttled(self) -> None:
        """The service asked for fewer requests."""
        self._share = max(self._share * BRAKE, LEAST)

    def sent(self, at: float) -> None:
        """A request leaves. What it is late is made up for, by half a gap at most."""
        on_time = at if self._next_at is None else max(self._next_at, at - self.gap / 2)
        self._next_at = on_time + self.gap
        self._sent.append(at)

    def answered(self, sent_at: float, at: float) -> None:
        """A request that left at one moment was answered at another, or nobody waits any more."""
        self._answered.append(at)
        self._travelled.append(at - sent_at)

    def got_through(self, *, direct: bool = False) -> None:
        """The service took a request, or (``direct``) answered it with the result itself."""
        self._share = min(self._share + REGAINED, 1.0)
        if self._unqueued is None:
            return
        self._unqueued += 1
        # A result takes its time: so one more is tried when all that may be in flight have come.
        if self._unqueued >= (self.running + self._tried if direct else TRIED_AFTER):
            self._unqueued, self._tried = 0, self._tried + 1
            self._waiting = self._tried
