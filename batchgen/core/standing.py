"""Where a batch stands: what the facts add up to, and nothing else.

``status`` shows a ``Standing``; a run decides on one (``batch``). It is the plain fold of the
facts, so two of them built from the same facts are equal, whoever built them and when.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, Self

from batchgen.core import facts as f
from batchgen.core.job import IllegalStep, Job
from batchgen.core.lanes import Gate, Lane
from batchgen.core.lifecycle import State
from batchgen.core.needs import Preparations
from batchgen.core.policy import Policy


class Standing:
    """The jobs, lanes, gates and money of a batch. Read it; only ``after`` writes it."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.taken = 0
        """How many facts it has taken in."""
        self.jobs: dict[str, Job] = {}
        self.lanes: dict[tuple[str, str], Lane] = {}
        self.gates: dict[str, Gate] = {}
        self.preparations = Preparations(policy)
        self.counts: Counter[State] = Counter()
        self.spent = 0
        """Micro-units billed, for tasks that succeeded and for checks."""
        self.reserved = 0
        """Micro-units that what is under way, or in doubt, may still cost."""
        self.bytes_ahead = 0
        """What the results under way, or in doubt, may yet take on disk."""
        self.at_service = 0
        self.in_doubt: set[str] = set()
        """The jobs whose answers were lost."""
        self.task_ids: set[str] = set()
        """Of all tasks that were made for this batch, as the service has said."""
        self.failures = 0
        """Jobs that failed for good in this run, one after another."""
        self.currency: str | None = None
        """Of all prices: a batch lives in one region, and so by one price list."""
        self.private: bool | None = None
        """Whether it was begun at a private address, as a stand-in of the service has."""
        self.connected: f.Connected | None = None
        """The host and the key that are asked now, or were at last."""

    def __repr__(self) -> str:
        states = ", ".join(f"{count} {state}" for state, count in self.counts.items() if count)
        return f"<Standing: {states or 'no jobs'}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Standing):
            return NotImplemented
        return self._values() == other._values()

    __hash__ = None  # type: ignore[assignment]  # it changes with every fact

    @property
    def in_flight(self) -> int:
        """Submitted, or being submitted, and not seen terminal."""
        return self.at_service + self.counts[State.SUBMITTING]

    @property
    def failing(self) -> bool:
        """So many jobs failed one after another that this run should buy nothing more."""
        most = self.policy.stop_after_failures
        return most is not None and self.failures >= most

    @property
    def stops(self) -> list[f.LaneStopped]:
        """What the service has stopped since the last run began."""
        gates = [*self.gates.values(), *(lane.gate for lane in self.lanes.values())]
        return [gate.stopped for gate in gates if gate.stopped]

    def after(self, fact: f.Fact) -> None:
        """Take a fact in. IllegalStep: it cannot follow, and nothing has changed."""
        match fact:
            case f.JobFact():
                self._after_job_fact(fact)
            case f.NeedFact():
                self._after_need_fact(fact)
            case f.LanePaused() | f.LaneStopped():
                self._gate(fact).after(fact)
            case f.Connected():
                self.preparations.connect(fact.endpoint)
                self.connected = fact
                if fact.private is not None:
                    self.private = fact.private
            case f.RunStarted():
                self._start_run(fact.at)
            case _:
                raise TypeError(f"not a fact of a batch: {type(fact).__name__}")
        self.taken += 1

    def is_tried_again(self, fact: f.JobFact) -> bool:
        """Whether the failure of a task is worth another paid attempt."""
        retry, job = self.policy.retry, self.jobs[fact.job]
        return isinstance(fact, f.TaskFailed) and retry.allows(fact.code, job.tried)

    def lane(self, job: Job) -> Lane:
        """The lane that the job's submits take."""
        return self._lane(job.account, job.model)

    def gate(self, job: Job) -> Gate:
        """The gate of the job's whole account."""
        return self.gates[job.account]

    def _lane(self, account: str, model: str) -> Lane:
        key = (account, model)
        if key not in self.lanes:
            self.gates.setdefault(account, Gate())
            self.lanes[key] = Lane(account, model, self.policy.lane(model))
        return self.lanes[key]

    def _gate(self, fact: f.LaneFact) -> Gate:
        if fact.model is None:
            return self.gates.setdefault(fact.account, Gate())
        return self._lane(fact.account, fact.model).gate

    def _start_run(self, now: float) -> None:
        self.failures = 0
        self.preparations.reopen(now)
        for gate in self.gates.values():
            gate.reopen(now)
        for lane in self.lanes.values():
            lane.reopen(now)
        for name in self.in_doubt:
            job = self.jobs[name]
            before = _Measures.of(job)
            job.seek(now)
            self._add(self.lane(job), job, before)

    def _after_need_fact(self, fact: f.NeedFact) -> None:
        reserved, spent = self.preparations.reserved, self.preparations.spent
        self.preparations.after(fact)
        self.reserved += self.preparations.reserved - reserved
        self.spent += self.preparations.spent - spent

    def _after_job_fact(self, fact: f.JobFact) -> None:
        job = self.jobs.get(fact.job) or Job(fact.job, fact.account)
        if isinstance(fact, f.Adopted) and fact.task_id in self.task_ids:
            raise IllegalStep(job, fact, f"task {fact.task_id} belongs to another request")
        before = _Measures.of(job)
        job.after(fact)
        if isinstance(fact, f.SubmitStarted):
            job.endpoint = self.connected.endpoint if self.connected else None
        self.jobs[job.id] = job
        if self.currency is None or isinstance(fact, f.SubmitStarted):
            self.currency = job.currency
        lane = self.lane(job)
        self._add(lane, job, before)
        if job.rendered and not before.rendered:
            self._count_success(lane, job)
        if job.state is State.FAILED and before.state is not State.FAILED:
            self.failures += not self.is_tried_again(fact)
        if before.state is State.SUBMITTING and isinstance(fact, f.Submitted | f.Rendered):
            lane.gate.got_through()
            self.gate(job).got_through()
        self._note(lane, fact)

    def _add(self, lane: Lane, job: Job, before: _Measures) -> None:
        """What the job now is, instead of what it was before."""
        now = _Measures.of(job)
        if before.state is not State.NEW:
            self.counts[before.state] -= 1
        self.counts[now.state] += 1
        self.reserved += now.reserved - before.reserved
        self.spent += now.spent - before.spent
        self.bytes_ahead += now.bytes_ahead - before.bytes_ahead
        self.at_service += now.at_service - before.at_service
        lane.at_service += now.at_service - before.at_service
        posts = (now.state is State.SUBMITTING) - (before.state is State.SUBMITTING)
        lane.submitting += posts
        lane.posting += 0 if job.direct else posts
        lane.seek(job.likeness, now.sought - before.sought)
        (self.in_doubt.add if now.state is State.IN_DOUBT else self.in_doubt.discard)(job.id)

    def _count_success(self, lane: Lane, job: Job) -> None:
        lane.rendered += 1
        lane.render_seconds += job.render_seconds
        if not self.failing:
            self.failures = 0

    def _note(self, lane: Lane, fact: f.JobFact) -> None:
        match fact:
            case f.SubmitStarted():
                lane.submit_started(fact.at)
            case f.Submitted():
                self.task_ids.add(fact.task_id)
                lane.submitted(fact.at, fact.task_id)
            case f.Adopted():
                self.task_ids.add(fact.task_id)
            case _:
                pass

    def _values(self) -> tuple[object, ...]:
        counts = {state: count for state, count in self.counts.items() if count}
        sums = (self.spent, self.reserved, self.bytes_ahead, self.at_service, self.failures)
        names = (self.in_doubt, self.task_ids)
        place = (self.currency, self.private, self.connected)
        known = (self.jobs, self.lanes, self.gates, self.preparations)
        return (self.taken, *known, counts, sums, names, place)


class _Measures(NamedTuple):
    """What a job adds to the sums."""

    state: State
    reserved: int
    spent: int
    bytes_ahead: int
    at_service: bool
    rendered: bool
    sought: bool

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(
            job.state,
            job.reserved,
            job.spent,
            job.bytes_ahead,
            job.at_service,
            job.rendered,
            job.is_sought,
        )
