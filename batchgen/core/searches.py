"""Which lanes' doubts the service's list is asked about next.

A doubt is sought at once when its answer is lost or a run takes it up, and again at the moment that
the last look has named. One look serves all the doubts of a lane, so it comes when the first of
them wants one. There is one search at a time: it may take many questions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from batchgen.core.actions import Search
from batchgen.core.agenda import Agenda
from batchgen.core.job import Job
from batchgen.core.lanes import LaneKey
from batchgen.core.queries import Queries
from batchgen.core.standing import Standing

BREATH = 5.0
"""Seconds between two searches of a lane, whatever the first has brought; less where a doubt
settles sooner."""


class Searches:
    """The doubts that are sought."""

    def __init__(self, standing: Standing, queries: Queries) -> None:
        self._standing = standing
        self._queries = queries
        self._doubts: defaultdict[LaneKey, Agenda[str]] = defaultdict(Agenda)
        """By the moment of their next look."""
        self._lanes: Agenda[LaneKey] = Agenda()
        """By the moment of the first of these."""
        self._rested_at: dict[LaneKey, float] = {}
        self._under_way = False

    def __bool__(self) -> bool:
        """Something is sought, now or later, if queries are wanted at all."""
        return bool(self._lanes) and self._queries.wanted

    def put(self, job: Job) -> None:
        """A doubt is to be sought."""
        self._doubts[job.lane].put(job.id, job.not_before)
        self._file(job.lane)

    def drop(self, name: str, lane: LaneKey) -> None:
        """A doubt is sought no longer, or filed anew."""
        if name in self._doubts[lane]:
            self._doubts[lane].drop(name)
            self._file(lane)

    def of(self, lane: LaneKey) -> list[Job]:
        """The doubts of a lane, in the order in which their requests were sent."""
        jobs = [self._standing.jobs[name] for name in self._doubts[lane]]
        return sorted(jobs, key=lambda job: (job.started_at, job.order))

    def settle(self, action: Search, now: float) -> None:
        """A search is over, and its facts are taken in."""
        self._under_way = False
        lane = (action.account, action.model)
        self._rested_at[lane] = now + min(BREATH, self._standing.policy.settle)
        self._file(lane)

    def begin(self, now: float) -> Iterator[Search]:
        """The search that is due, if one is."""
        lane, moment = self._lanes.first(), self.next_at
        if lane is not None and moment is not None and moment <= now:
            self._under_way = True
            self._queries.turn(now)
            yield Search(*lane)

    @property
    def next_at(self) -> float | None:
        """When the next search may begin; None while none is wanted, or one is under way."""
        first = self._lanes.first_key()
        if first is None or self._under_way or not self._queries.wanted:
            return None
        return max(first, self._queries.free_at)

    def _file(self, lane: LaneKey) -> None:
        first = self._doubts[lane].first_key()
        if first is None:
            self._lanes.drop(lane)
        else:
            self._lanes.put(lane, max(first, self._rested_at.get(lane, 0.0)))
