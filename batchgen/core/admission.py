"""Which job may be submitted now: the lines before the lanes, and what bars them.

A job leaves its line when four things agree: the lane is open (nothing is being posted there, its
rate and its pauses are over, nothing is stopped), there is room in flight, the budget allows the
worst case, and it is the first of its line in the order of the manifest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from batchgen.core.job import Job
from batchgen.core.lanes import Lane, Line
from batchgen.core.standing import Standing


class Admission:
    """The jobs that wait to be submitted. ``chosen`` limits which of them this run submits."""

    def __init__(self, standing: Standing, chosen: Collection[str] | None) -> None:
        self._standing = standing
        self._chosen = chosen
        self._lines: defaultdict[tuple[str, str], Line] = defaultdict(Line)
        self._open = True

    def close(self) -> None:
        """Nobody is let through any more."""
        self._open = False

    def put(self, job: Job) -> None:
        """Get a pending job in line."""
        if self._chosen is not None and job.id not in self._chosen:
            return
        line = self._lines[job.account, job.model]
        if job.not_before:
            line.waiting.put(job.id, job.not_before)
        else:
            line.ready.put(job.id, job.order)

    def drop(self, name: str, lane: tuple[str, str]) -> None:
        """Take a job out of the line it was in, if it was."""
        if (line := self._lines.get(lane)) is not None:
            line.ready.drop(name)
            line.waiting.drop(name)

    def clamp(self, latest: float) -> None:
        """Let nobody wait beyond this moment."""
        for line in self._lines.values():
            line.waiting.clamp(latest)

    def admit(self, now: float) -> Iterator[Job]:
        """The jobs whose request may leave now, in the order of the manifest.

        Each must be taken in as submitting before the next is asked for: it may take the last room.
        """
        for line in self._lines.values():
            for name in line.waiting.due(now):
                line.ready.put(name, self._standing.jobs[name].order)
        for lane in sorted(self._willing(), key=self._first_place):
            if self._opens_at(lane) <= now and self._is_willing(lane):
                yield self._standing.jobs[self._line(lane).ready.pop()]

    def moments(self) -> Iterator[float]:
        """When time alone will let somebody through."""
        for line in self._lines.values():
            if self._open and (first := line.waiting.first_key()) is not None:
                yield first
        for lane in self._willing():
            yield self._opens_at(lane)

    def queued(self, lane: Lane) -> int:
        """How many jobs are in line for a lane."""
        return len(self._line(lane))

    @property
    def over(self) -> bool:
        """This run will let nobody through any more."""
        return all(map(self._is_over, self._standing.lanes.values()))

    @property
    def budget_reached(self) -> bool:
        """Jobs are left that the budget does not allow, and nothing in flight can free it."""
        lanes = self._standing.lanes.values()
        return not self._standing.in_flight and not all(map(self._affords, lanes))

    def _is_over(self, lane: Lane) -> bool:
        line = self._line(lane)
        if not self._open or not line:
            return True
        if lane.gate.stopped or self._standing.gates[lane.account].stopped:
            return True
        return not line.waiting and not self._affords(lane) and not self._standing.in_flight

    def _willing(self) -> list[Lane]:
        lanes = self._standing.lanes.values() if self._open else ()
        return [lane for lane in lanes if self._is_willing(lane)]

    def _is_willing(self, lane: Lane) -> bool:
        """Only time keeps the first in line from a submit, if anything does."""
        return bool(self._line(lane).ready) and self._has_room(lane) and self._affords(lane)

    def _opens_at(self, lane: Lane) -> float:
        return lane.opens_at(self._standing.gates[lane.account])

    def _first_place(self, lane: Lane) -> float:
        return self._line(lane).ready.first_key() or 0

    def _line(self, lane: Lane) -> Line:
        return self._lines[lane.account, lane.model]

    def _has_room(self, lane: Lane) -> bool:
        cap = self._standing.policy.max_in_flight
        if cap is None:
            return lane.in_flight < lane.limits.max_in_flight
        return self._standing.in_flight < cap

    def _affords(self, lane: Lane) -> bool:
        first, budget = self._line(lane).ready.first(), self._standing.policy.budget
        if budget is None or first is None:
            return True
        price = self._standing.jobs[first].price or 0
        return self._standing.spent + self._standing.reserved + price <= budget
