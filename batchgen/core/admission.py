"""Which job may be submitted now: the lines before the lanes, and what bars them.

A job leaves its line when five things agree: what it needs is prepared, the lane is open (no task
is being made there, its rate and its pauses are over, nothing is stopped), there is room in flight,
the budget and the disk allow the worst case, and it is the first of its line (``line``). Jobs that
need nothing do not wait for those that do, and nothing is prepared for a job behind one that the
budget or the disk does not allow. How often and how many is said by the lane's ``Allowance``, but
for the number in flight where the manifest has one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from enum import Enum, auto

from batchgen.core import facts as f
from batchgen.core.actions import Action, Prepare, Submit
from batchgen.core.agenda import Agenda
from batchgen.core.allowances import Allowances
from batchgen.core.job import Job
from batchgen.core.lanes import Lane, LaneKey
from batchgen.core.line import Line
from batchgen.core.preparing import Preparing
from batchgen.core.standing import Standing

Step = tuple[f.Fact | None, Action | None]
"""A fact to be taken in at once, and an action to begin when it is written down."""


class _Shortage(Enum):
    """What keeps a job back that nothing else does."""

    MONEY = auto()
    DISK = auto()


class Admission:
    """The jobs that wait to be submitted. ``chosen`` limits which of them this run submits."""

    def __init__(
        self,
        standing: Standing,
        chosen: Collection[str] | None,
        allowances: Allowances,
    ) -> None:
        self._standing = standing
        self._chosen = chosen
        self._allowances = allowances
        self._ready: dict[LaneKey, Line] = {}
        self._waiting: defaultdict[LaneKey, Agenda[str]] = defaultdict(Agenda)
        """Those that must not be submitted before some moment."""
        self._preparing = Preparing(standing, self._make_ready, allowances.room)
        self._open = True
        self._service_time: float | None = None
        self._service_time_at = 0.0
        self.free: int | None = None
        """Bytes on the disk where results go; None where nobody can say."""

    def see_service_time(self, at: float, service_time: float) -> None:
        """The newest that is known of the service's clock goes into the facts of submits.

        It goes on while ours does, and so does what it has shown at least.
        """
        if at >= self._service_time_at:
            self._service_time, self._service_time_at = service_time, at

    def close(self) -> None:
        """Nobody is let through any more."""
        self._open = False

    def put(self, job: Job) -> None:
        """Get a pending job in line."""
        if self._chosen is not None and job.id not in self._chosen:
            return
        if job.not_before:
            self._waiting[job.lane].put(job.id, job.not_before)
        else:
            self._line_up(job)

    def drop(self, name: str, lane: LaneKey) -> None:
        """Take a job out of the line it was in, if it was."""
        self._line(lane).drop(name)
        self._waiting[lane].drop(name)
        self._preparing.drop(name, lane)

    def clamp(self, latest: float) -> None:
        """Let nobody wait beyond this moment."""
        for waiting in self._waiting.values():
            waiting.clamp(latest)

    def settle(self, action: Prepare, now: float) -> None:
        """Something that jobs need was tried: its facts say what came of it."""
        account = self._standing.jobs[action.job].account
        self._preparing.settle((account, action.need), now)

    # -- decisions -----------------------------------------------------------------------------

    def steps(self, now: float) -> Iterator[Step]:
        """What to do for the jobs in line. Each fact must be taken in before the next is asked for:
        it may take the last room, or the last money.

        To be asked again until there is nothing more: a submit makes room for preparations.
        """
        for waiting in self._waiting.values():
            for name in waiting.due(now):
                self._line_up(self._standing.jobs[name])
        for job in self._preparing.ended(now):
            self._line(job.lane).drop(job.id)
        for lane in self._preparing.in_turn(self._lanes()):
            yield from self._prepare(lane, now)
        for lane in sorted(filter(self._is_willing, self._lanes()), key=self._first_place):
            first = self._first_ready(lane)
            if first is not None and self._opens_at(lane) <= now and self._is_willing(lane):
                yield self._submit(first, now)

    def moments(self) -> Iterator[float]:
        """When time alone will let somebody through."""
        for waiting in self._waiting.values():
            if self._is_open and (first := waiting.first_key()) is not None:
                yield first
        for lane in self._lanes():
            if (first := self._preparing.rested_at(lane)) is not None:
                yield first
            if self._is_willing(lane):
                yield self._opens_at(lane)

    @property
    def buying(self) -> list[Lane]:
        """The lanes for which somebody is in line."""
        return [each for each in self._lanes() if self.queued(each) and not self._is_stopped(each)]

    def queued(self, lane: Lane) -> int:
        """How many jobs are in line for a lane."""
        key = lane.key
        return len(self._line(key)) + len(self._waiting[key]) + self._preparing.count(key)

    @property
    def over(self) -> bool:
        """This run will let nobody through any more."""
        return all(map(self._is_over, self._standing.lanes.values()))

    @property
    def budget_reached(self) -> bool:
        """Jobs are left that the budget does not allow, and nothing in flight can free it."""
        return not self._standing.in_flight and bool(self._kept_back(_Shortage.MONEY))

    @property
    def disk_needed(self) -> int | None:
        """How many bytes must be free for one of the next jobs, where there are not so many.

        None where the disk keeps nobody back, or what is in flight can change that.
        """
        if self._standing.in_flight or self._standing.bytes_ahead:
            return None
        needs = [job.bytes for job in self._kept_back(_Shortage.DISK)]
        return min(needs) + self._standing.policy.disk_margin if needs else None

    def _kept_back(self, shortage: _Shortage) -> list[Job]:
        lanes = self._standing.lanes.values()
        short = [job for lane in lanes if self._is_short(lane) for job in self._next(lane)]
        return [job for job in short if self._lacks(job) is shortage]

    def _line_up(self, job: Job) -> None:
        if job.needs:
            self._preparing.put(job)
        else:
            self._make_ready(job)

    def _make_ready(self, job: Job) -> None:
        self._line(job.lane).put(job)

    def _prepare(self, lane: Lane, now: float) -> Iterator[Step]:
        self._preparing.wake(lane, now)
        if not self._may_prepare(lane):
            return
        for barred in self._preparing.take(lane, now):
            yield barred, None
        # The first to be prepared may be another one now.
        if self._may_prepare(lane) and (action := self._preparing.begin(lane)) is not None:
            yield _asked(lane.account, action.need, now), action

    def _submit(self, job: Job, now: float) -> Step:
        self._line(job.lane).drop(job.id)
        attempt = job.attempt + 1
        started = f.SubmitStarted(
            at=now,
            account=job.account,
            job=job.id,
            attempt=attempt,
            service_time=self._shown(now),
        )
        return started, Submit(job.id, attempt)

    def _shown(self, now: float) -> float | None:
        if self._service_time is None:
            return None
        pace = min(self._standing.policy.service_speed, 1.0)
        return self._service_time + (now - self._service_time_at) * pace

    def _line(self, lane: LaneKey) -> Line:
        if lane not in self._ready:
            self._ready[lane] = Line(self._standing.jobs, self._standing.lanes[lane])
        return self._ready[lane]

    # -- conditions ----------------------------------------------------------------------------

    def _lanes(self) -> list[Lane]:
        return list(self._standing.lanes.values()) if self._is_open else []

    @property
    def _is_open(self) -> bool:
        return self._open and not self._standing.failing

    def _is_over(self, lane: Lane) -> bool:
        if not self._is_open or not self.queued(lane) or self._is_stopped(lane):
            return True
        if self._waiting[lane.key] or self._standing.in_flight:
            return False
        if self._preparing.rested_at(lane) is not None:  # it may be cheaper than who is ready
            return False
        return self._is_short(lane)

    def _is_short(self, lane: Lane) -> bool:
        """Somebody is in line, and there is no money or no disk for anybody who comes next."""
        ready = self._first_ready(lane)
        if ready is not None and self._lacks(ready) is None:
            return False
        return bool(self._next(lane)) and not self._is_worth_preparing(lane)

    def _next(self, lane: Lane) -> list[Job]:
        jobs = [self._first_ready(lane), self._preparing.first(lane)]
        return [job for job in jobs if job is not None]

    def _is_willing(self, lane: Lane) -> bool:
        """Only time keeps the first in line from a submit, if anything does."""
        job = self._first_ready(lane)
        return job is not None and self._has_room(lane, job) and self._lacks(job) is None

    def _may_prepare(self, lane: Lane) -> bool:
        return not self._is_stopped(lane) and self._is_worth_preparing(lane)

    def _is_worth_preparing(self, lane: Lane) -> bool:
        """There is money and room for the next, and it will not be stuck behind one without."""
        job, ready = self._preparing.first(lane), self._first_ready(lane)
        if job is None or self._lacks(job) is not None:
            return False
        return ready is None or job.order < ready.order or self._lacks(ready) is None

    def _is_stopped(self, lane: Lane) -> bool:
        gates = (lane.gate, self._standing.gates[lane.account])
        return any(gate.stopped for gate in gates)

    def _opens_at(self, lane: Lane) -> float:
        return lane.opens_at(
            self._standing.gates[lane.account], self._allowances.of(lane).opens_at(lane.sent_at)
        )

    def _first_ready(self, lane: Lane) -> Job | None:
        return self._line(lane.key).first()

    def _first_place(self, lane: Lane) -> int:
        job = self._first_ready(lane)
        return job.order if job else 0

    def _has_room(self, lane: Lane, job: Job) -> bool:
        cap = self._standing.policy.max_in_flight
        if cap is None:
            return lane.in_flight < self._allowances.of(lane).room(direct=job.direct)
        return self._standing.in_flight < cap

    def _lacks(self, job: Job) -> _Shortage | None:
        if not self._affords(job):
            return _Shortage.MONEY
        return None if self._fits(job) else _Shortage.DISK

    def _fits(self, job: Job) -> bool:
        if self.free is None:
            return True
        left = self.free - self._standing.bytes_ahead - job.bytes
        return left >= self._standing.policy.disk_margin

    def _affords(self, job: Job) -> bool:
        budget = self._standing.policy.budget
        if budget is None:
            return True
        worst = self._standing.preparations.worst(job)
        return self._standing.spent + self._standing.reserved + worst <= budget


def _asked(account: str, need: f.Need, now: float) -> f.Fact | None:
    """What costs money is a fact before it is done."""
    if need.kind == f.UPLOAD:
        return None
    return f.CheckStarted(
        at=now, account=account, model=need.model, content=need.content, price=need.price
    )
