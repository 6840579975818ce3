"""Where a batch stands: what the facts add up to, and nothing else.

``status`` shows a ``Standing``; a run decides on one (``batch``). It is the plain fold of the
facts, so two of them built from the same facts are equal, whoever built them and when.
"""

from __future__ import annotations

from collections import Counter

from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.lanes import Gate, Lane
from batchgen.core.lifecycle import State
from batchgen.core.needs import Preparations
from batchgen.core.policy import Policy


class Standing:
    """The jobs, lanes, gates and money of a batch. Read it; only ``after`` writes it."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.jobs: dict[str, Job] = {}
        self.lanes: dict[tuple[str, str], Lane] = {}
        self.gates: dict[str, Gate] = {}
        self.preparations = Preparations(policy)
        self.counts: Counter[State] = Counter()
        self.spent = 0
        """Micro-units billed, for tasks that succeeded and for checks."""
        self.reserved = 0
        """Micro-units that what is under way, or in doubt, may still cost."""
        self.at_service = 0
        self.task_ids: set[str] = set()
        """Of all tasks that the service said it made for this batch."""
        self.currency: str | None = None
        """Of all prices: a batch lives in one region, and so by one price list."""

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
            case f.RunStarted():
                self.preparations.reopen(fact.at)
                for gate in self.gates.values():
                    gate.reopen(fact.at)
                for lane in self.lanes.values():
                    lane.reopen(fact.at)
            case _:
                raise TypeError(f"not a fact of a batch: {type(fact).__name__}")

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

    def _after_need_fact(self, fact: f.NeedFact) -> None:
        reserved, spent = self.preparations.reserved, self.preparations.spent
        self.preparations.after(fact)
        self.reserved += self.preparations.reserved - reserved
        self.spent += self.preparations.spent - spent

    def _after_job_fact(self, fact: f.JobFact) -> None:
        job = self.jobs.get(fact.job) or Job(fact.job, fact.account)
        state, reserved, spent = job.state, job.reserved, job.spent
        at_service, rendered = job.at_service, job.rendered
        job.after(fact)
        self.jobs[job.id] = job
        if self.currency is None or isinstance(fact, f.SubmitStarted):
            self.currency = job.currency
        lane = self.lane(job)
        if state is not State.NEW:
            self.counts[state] -= 1
        self.counts[job.state] += 1
        self.reserved += job.reserved - reserved
        self.spent += job.spent - spent
        self.at_service += job.at_service - at_service
        lane.at_service += job.at_service - at_service
        posts = (job.state is State.SUBMITTING) - (state is State.SUBMITTING)
        lane.submitting += posts
        lane.posting += 0 if job.direct else posts
        if job.rendered and not rendered:
            lane.rendered += 1
            lane.render_seconds += job.render_seconds
        if state is State.SUBMITTING and isinstance(fact, f.Submitted | f.Rendered):
            lane.gate.got_through()
            self.gate(job).got_through()
        self._note(lane, job, fact)

    def _note(self, lane: Lane, job: Job, fact: f.JobFact) -> None:
        match fact:
            case f.SubmitStarted():
                lane.submit_started(fact.at)
            case f.Submitted():
                self.task_ids.add(fact.task_id)
            case f.SubmitLost() if not job.direct:
                lane.quiet_until = fact.at + self.policy.settle
            case _:
                pass

    def _values(self) -> tuple[object, ...]:
        counts = {state: count for state, count in self.counts.items() if count}
        money = (self.spent, self.reserved, self.at_service)
        return (self.jobs, self.lanes, self.gates, self.preparations, counts, money)
