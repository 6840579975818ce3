"""What is prepared ahead of the lanes, so that no submit waits for an upload needlessly.

Rules of this file:

* Of each line, the first few jobs that need something are *taken*: about as many as their lane has
  room for, prepared ones counted in. Further ahead nothing is done: uploads live for two days only.
* A taken job is prepared, or waits for needs, or has met an obstacle. Several jobs may
  wait for one need; it is under way at most once.
* A job whose need has to be tried again later rests meanwhile, and leaves its place to another.
* The hands are few, so the lanes take turns: at most one thing is begun for each, then the next.
* Uploads run ahead in any order. A check costs money, so only the first taken job of a line is
  checked: the budget can then be held against that very job.
* A job that is prepared goes into its line, and comes back from there when an upload of its ends
  before its turn has come.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from batchgen.core import facts as f
from batchgen.core.actions import Prepare
from batchgen.core.agenda import Agenda
from batchgen.core.job import Job
from batchgen.core.lanes import Lane, LaneKey
from batchgen.core.needs import NeedKey
from batchgen.core.standing import Standing


class Preparing:
    """The jobs that need something before they can be sent."""

    def __init__(
        self,
        standing: Standing,
        on_prepared: Callable[[Job], None],
        room: Callable[[Lane], int],
    ) -> None:
        self._standing = standing
        self._on_prepared = on_prepared
        self._room = room
        self._backlog: defaultdict[LaneKey, Agenda[str]] = defaultdict(Agenda)
        self._taken: defaultdict[LaneKey, Agenda[str]] = defaultdict(Agenda)
        self._prepared: defaultdict[LaneKey, set[str]] = defaultdict(set)
        self._barred: defaultdict[LaneKey, set[str]] = defaultdict(set)
        self._lacking: dict[str, tuple[NeedKey, ...]] = {}
        """What each taken job waits for, and the same the other way round:"""
        self._waiting: defaultdict[NeedKey, set[str]] = defaultdict(set)
        self._due: defaultdict[LaneKey, Agenda[f.Need]] = defaultdict(Agenda)
        """Uploads to begin, by the place of who needs them."""
        self._resting: defaultdict[LaneKey, Agenda[str]] = defaultdict(Agenda)
        """By the moment when they get in line again."""
        self._served: dict[LaneKey, int] = {}
        """When something was last begun for a lane, counted in things begun."""
        self._count = itertools.count(1)
        self._under_way: set[NeedKey] = set()
        self._ends: Agenda[str] = Agenda()
        """Prepared jobs, by the end of their first upload."""

    # -- jobs ----------------------------------------------------------------------------------

    def put(self, job: Job) -> None:
        """A job that needs something gets in line."""
        self._backlog[job.lane].put(job.id, job.order)

    def drop(self, name: str, lane: LaneKey) -> None:
        """Forget a job, wherever it stands."""
        for agenda in (self._backlog[lane], self._taken[lane], self._resting[lane], self._ends):
            agenda.drop(name)
        for names in (self._prepared[lane], self._barred[lane]):
            names.discard(name)
        self._stop_waiting(name)

    def count(self, lane: LaneKey) -> int:
        """How many jobs of a line are not prepared yet."""
        return len(self._taken[lane]) + len(self._backlog[lane]) + len(self._resting[lane])

    def first(self, lane: Lane) -> Job | None:
        """The job of a line to be prepared next, as far as there is room."""
        names = [self._taken[lane.key].first()]
        if self._has_room(lane):
            names.append(self._backlog[lane.key].first())
        jobs = [self._standing.jobs[name] for name in names if name is not None]
        return min(jobs, key=_place, default=None)

    def in_turn(self, lanes: Iterable[Lane]) -> list[Lane]:
        """The lane that has waited longest for something to be begun comes first."""
        return sorted(lanes, key=lambda lane: self._served.get(lane.key, 0))

    def rested_at(self, lane: Lane) -> float | None:
        """When the first of the resting jobs gets in line again."""
        return self._resting[lane.key].first_key()

    def wake(self, lane: Lane, now: float) -> None:
        """Who has rested long enough gets in line again."""
        for name in self._resting[lane.key].due(now):
            self.put(self._standing.jobs[name])

    def ended(self, now: float) -> Iterator[Job]:
        """Prepared jobs that have lost an upload: they are no longer ready, and start anew."""
        for name in self._ends.due(now):
            job = self._standing.jobs[name]
            self._prepared[job.lane].discard(name)
            self.put(job)
            yield job

    def take(self, lane: Lane, now: float) -> Iterator[f.Barred]:
        """Look at as many jobs of the line as the lane has room for.

        Yields the jobs that cannot have what they need: each makes room for another, so it must be
        taken in before the next is asked for.
        """
        backlog, barred = self._backlog[lane.key], self._barred[lane.key]
        while True:
            while backlog and self._has_room(lane):
                self._look_at(self._standing.jobs[backlog.pop()], now)
            if not barred:
                return
            job = self._standing.jobs[min(barred)]
            code, message = next(self._standing.preparations.obstacles(job))
            yield f.Barred(at=now, account=job.account, job=job.id, code=code, message=message)

    # -- what they need ------------------------------------------------------------------------

    def begin(self, lane: Lane) -> Prepare | None:
        """One thing to begin now for the lane's jobs, if there are hands for it."""
        if not self._has_hands:
            return None
        need = self._upload(lane) or self._check(lane)
        if need is None:
            return None
        self._served[lane.key] = next(self._count)
        self._under_way.add((lane.account, need))
        return Prepare(min(self._waiting_in(lane, need), key=_place).id, need)

    def settle(self, key: NeedKey, now: float) -> None:
        """What was begun is over: those that wait for it are looked at again."""
        self._under_way.discard(key)
        for name in sorted(self._waiting.get(key, ())):
            self._look_at(self._standing.jobs[name], now)

    @property
    def _has_hands(self) -> bool:
        return len(self._under_way) < self._standing.policy.preparations

    def _has_room(self, lane: Lane) -> bool:
        return len(self._taken[lane.key]) + len(self._prepared[lane.key]) < self._room(lane)

    def _look_at(self, job: Job, now: float) -> None:
        """Prepared, barred, at rest, or waiting for what it lacks."""
        preparations = self._standing.preparations
        self._stop_waiting(job.id)
        self._taken[job.lane].drop(job.id)
        if next(preparations.obstacles(job), None) is not None:
            self._taken[job.lane].put(job.id, job.order)
            self._barred[job.lane].add(job.id)
        elif not (missing := preparations.missing(job, now)):
            self._prepared[job.lane].add(job.id)
            self._ends.put(job.id, preparations.ends(job))
            self._on_prepared(job)
        elif (until := preparations.not_before(job.account, missing)) > now:
            self._resting[job.lane].put(job.id, until)
        else:
            self._taken[job.lane].put(job.id, job.order)
            self._wait(job, missing)

    def _wait(self, job: Job, missing: tuple[f.Need, ...]) -> None:
        self._lacking[job.id] = tuple((job.account, need) for need in missing)
        due = self._due[job.lane]
        for key in self._lacking[job.id]:
            self._waiting[key].add(job.id)
            if key[1].kind == f.UPLOAD and key[1] not in due:
                due.put(key[1], job.order)

    def _stop_waiting(self, name: str) -> None:
        for key in self._lacking.pop(name, ()):
            self._waiting[key].discard(name)
            if not self._waiting[key]:
                del self._waiting[key]

    def _waiting_in(self, lane: Lane, need: f.Need) -> list[Job]:
        names = self._waiting.get((lane.account, need), ())
        return [self._standing.jobs[name] for name in names if name in self._taken[lane.key]]

    def _upload(self, lane: Lane) -> f.Need | None:
        """The next file that somebody waits for and nobody uploads."""
        due = self._due[lane.key]
        while due:
            need = due.pop()
            if (lane.account, need) not in self._under_way and self._waiting_in(lane, need):
                return need
        return None

    def _check(self, lane: Lane) -> f.Need | None:
        """What the first taken job needs to have checked, if nothing else comes before."""
        name = self._taken[lane.key].first()
        for key in self._lacking.get(name or "", ()):
            if key[1].kind == f.CHECK and key not in self._under_way:
                return key[1]
        return None


def _place(job: Job) -> tuple[int, str]:
    return job.order, job.id
