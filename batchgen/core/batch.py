"""All jobs of a batch: what to do now, and when to look again.

Rules of this file:

* ``Batch`` is the fold of all facts (``standing``) plus the actions under way. ``after`` takes a
  fact in; ``decide`` returns the facts it has decided (already taken in) and the I/O to start. The
  caller writes the facts down first and starts the I/O only then; if it cannot write, it throws the
  whole ``Batch`` away, because the journal is the truth.
* A decision is state at once. Asked again without news, ``decide`` answers nothing.
* What is wanted is stored, never what is connected: a replay starts with nothing under way, and
  takes up every unfinished job from the facts alone. There is no other recovery.
* Every index is an ``Agenda``: a decision costs by what has changed, not by the number of jobs.

Theory of operation. ``after`` changes one job (or one gate), then files the job anew: out of every
index it was in, into the one its state belongs to:

    PENDING     its line in ``admission``, by way of ``preparing`` -> Prepare, Submit
    SUBMITTING  ``_posts``, where a new run finds those that a dead one left behind
    RENDERING   ``_looks``, by the moment of the next look     -> Poll
    READY       ``_fetches`` by deadline, ``_later`` if deferred -> Download
                ``_looks`` where a URL went stale              -> Poll
                ``_seals`` when every result is settled        -> Seal
                ``_out_of_reach`` where it did and there is no task to ask
    FAILED      ``_retries``, where the policy allows another attempt
    PARKED, LOST  ``_parked``, where a new run finds it and looks again
    EXPIRED     ``_seals``, where some results were saved in time -> Seal

``settle`` says that an action is over: what its facts left undone is filed again.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from batchgen.core import facts as f
from batchgen.core.actions import Action, Download, Poll, Prepare, Seal, Submit
from batchgen.core.admission import Admission, Step
from batchgen.core.agenda import Agenda
from batchgen.core.job import Job, ResultState
from batchgen.core.lanes import NEVER, Lane
from batchgen.core.lifecycle import State
from batchgen.core.policy import HOUR, LONGEST_PAUSE, OVERDUE, Policy
from batchgen.core.standing import Standing

RETRY_AFTER = 30.0
"""Seconds between a failed task and the next attempt that the policy allows."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What ``decide`` wants: facts to write down first, then actions to start."""

    facts: tuple[f.Fact, ...] = ()
    actions: tuple[Action, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.facts or self.actions)


class Batch:
    """A standing, the indexes over it, and the actions under way.

    ``chosen`` limits what this run submits; what is already paid for is collected in any case.
    """

    def __init__(
        self, policy: Policy, *, facts: Iterable[f.Fact] = (), chosen: Collection[str] | None = None
    ) -> None:
        self.policy = policy
        self.standing = Standing(policy)
        self.under_way: dict[Action, float] = {}
        """What was started, and when."""
        self._fetched = 0
        self._fetch_seconds = 0.0
        self._admission = Admission(self.standing, chosen)
        self._queries_wanted = True
        self._query_free_at = -math.inf
        self._posts: set[str] = set()
        self._orphans: list[str] = []
        self._looks: Agenda[str] = Agenda()
        self._fetches: Agenda[tuple[str, int]] = Agenda()
        self._later: Agenda[tuple[str, int]] = Agenda()
        self._seals: Agenda[str] = Agenda()
        self._retries: set[str] = set()
        self._stuck: set[str] = set()
        self._out_of_reach: set[str] = set()
        self._parked: set[str] = set()
        self._unparked: list[str] = []
        self._remainders: set[str] = set()
        self._named = (
            *(self._posts, self._retries, self._stuck, self._out_of_reach),
            *(self._parked, self._remainders),
        )
        for fact in facts:
            self.after(fact)

    def __repr__(self) -> str:
        return f"<Batch of {self.standing!r}, {len(self.under_way)} under way>"

    # -- news ----------------------------------------------------------------------------------

    def after(self, fact: f.Fact) -> None:
        """Take a fact in. IllegalStep: it cannot follow, and nothing has changed."""
        known = self.standing.jobs.get(fact.job) if isinstance(fact, f.JobFact) else None
        old_lane = known.lane if known else None
        self.standing.after(fact)
        if isinstance(fact, f.RunStarted):
            self._start_run(fact.at)
        elif isinstance(fact, f.JobFact):
            job = self.standing.jobs[fact.job]
            if old_lane is not None:
                self._unfile(job, old_lane)
            self._file(job, fact)

    def settle(self, action: Action, now: float) -> None:
        """An action is over and its facts are taken in: file again what is left of the work."""
        since = self.under_way.pop(action)
        if isinstance(action, Prepare):
            self._admission.settle(action, now)
            return
        if isinstance(action, Download):
            self._fetched += 1
            self._fetch_seconds += now - since
        job = self.standing.jobs[action.job]
        if job.state is State.EXPIRED and not isinstance(action, Seal):
            self._file_remainder(job)
        elif isinstance(action, Poll):
            self._settle_poll(job, now)
        elif job.state is State.READY:
            self._file_results(job)

    def stop_submitting(self) -> None:
        """From here on nothing new is bought; what is paid for is still collected."""
        self._admission.close()

    def stop_queries(self) -> None:
        """The service answers this key no more: only what has a URL can still be collected."""
        self.stop_submitting()
        self._queries_wanted = False

    def slow_queries(self, until: float) -> None:
        """The service asked its queries to wait."""
        self._query_free_at = max(self._query_free_at, until)

    def give_up_posts(self, now: float) -> tuple[f.Fact, ...]:
        """Nobody waits any longer for the answers to POSTs under way: these jobs are in doubt."""
        names = sorted(action.job for action in self.under_way if isinstance(action, Submit))
        sending = [job for job in self._jobs(names) if job.state is State.SUBMITTING]
        return tuple(self._take(_lost_answer(job, now)) for job in sending)

    # -- decisions -----------------------------------------------------------------------------

    def decide(self, now: float) -> Decision:
        """What to do at this moment; done as far as this state is concerned."""
        facts = [self._take(fact) for fact in self._overdue(now)]
        actions: list[Action] = [*self._downloads(now), *self._seal_all(), *self._polls(now)]
        while steps := [self._step(step) for step in self._admission.steps(now)]:
            facts.extend(fact for fact, _ in steps if fact is not None)
            actions.extend(action for _, action in steps if action is not None)
        self.under_way.update(dict.fromkeys(actions, now))
        return Decision(tuple(facts), tuple(actions))

    def wake_at(self, now: float) -> float:
        """When time alone makes something possible; later than now, or infinite."""
        moments = [self._later.first_key()]
        if self._may_query and self._looks:
            moments.append(max(self._looks.first_key() or 0.0, self._query_free_at))
        moments += self._admission.moments()
        first = min((moment for moment in moments if moment is not None), default=NEVER)
        return max(first, math.nextafter(now, math.inf))

    @property
    def settled(self) -> bool:
        """This run has nothing left to do, neither now nor later."""
        facts = self._posts or self._retries or self._stuck or self._out_of_reach or self._unparked
        looks = self._looks if self._queries_wanted else ()
        left = self.under_way or facts or looks or self._fetches or self._later or self._seals
        return not left and self._admission.over

    @property
    def mean_fetch_seconds(self) -> float:
        """Of the downloads of this run; 0 before the first has ended."""
        return self._fetch_seconds / self._fetched if self._fetched else 0.0

    def queued(self, lane: Lane) -> int:
        """How many jobs are in line for a lane."""
        return self._admission.queued(lane)

    @property
    def budget_reached(self) -> bool:
        """Jobs are left that the budget does not allow, and nothing in flight can free it."""
        return self._admission.budget_reached

    # -- filing --------------------------------------------------------------------------------

    def _step(self, step: Step) -> Step:
        if step[0] is not None:
            self.after(step[0])
        return step

    def _take(self, fact: f.Fact) -> f.Fact:
        self.after(fact)
        return fact

    def _start_run(self, now: float) -> None:
        """A clock that was set back must not make this run wait longer than a pause can be."""
        latest = now + LONGEST_PAUSE
        self._looks.clamp(latest)
        self._later.clamp(latest)
        self._admission.clamp(latest)
        self._orphans = sorted(self._posts)
        self._unparked = sorted(self._parked)
        for job in self._jobs(sorted(self._remainders)):
            self._file_remainder(job)

    def _unfile(self, job: Job, lane: tuple[str, str]) -> None:
        self._admission.drop(job.id, lane)
        self._looks.drop(job.id)
        self._seals.drop(job.id)
        for index in range(len(job.results)):
            self._fetches.drop((job.id, index))
            self._later.drop((job.id, index))
        for names in self._named:
            names.discard(job.id)

    def _file(self, job: Job, fact: f.JobFact) -> None:
        match job.state:
            case State.PENDING:
                self._admission.put(job)
            case State.SUBMITTING:
                self._posts.add(job.id)
            case State.RENDERING:
                self._looks.put(job.id, fact.at + self._look_in(job, fact.at))
            case State.READY:
                self._file_results(job)
            case State.PARKED | State.LOST:
                self._parked.add(job.id)
            case State.EXPIRED if job.is_remainder:
                self._remainders.add(job.id)
                if not isinstance(fact, f.Parked):  # something stands in the sidecar's way
                    self._file_remainder(job)
            case State.FAILED if isinstance(fact, f.TaskFailed):
                if self.policy.retry.allows(fact.code, fact.attempt):
                    self._retries.add(job.id)
            case _:
                pass

    def _file_results(self, job: Job) -> None:
        if job.is_out_of_reach:
            self._out_of_reach.add(job.id)
        if job.whole and Seal(job.id, job.attempt) not in self.under_way:
            self._seals.put(job.id, job.expires)
        if (ask_at := job.stale_until) is not None and not self._is_polled(job):
            self._looks.put(job.id, ask_at)
        for index, result in enumerate(job.results):
            if result.state is not ResultState.WANTED or result.stale:
                continue
            if Download(job.id, job.attempt, index) in self.under_way:
                continue
            if result.not_before:
                self._later.put((job.id, index), result.not_before)
            else:
                self._fetches.put((job.id, index), job.expires)

    def _file_remainder(self, job: Job) -> None:
        """Once nothing is under way any more that could add to it."""
        if job.is_remainder and not any(action.job == job.id for action in self.under_way):
            self._seals.put(job.id, job.expires)

    def _is_polled(self, job: Job) -> bool:
        return Poll(job.id, job.attempt) in self.under_way

    def _settle_poll(self, job: Job, now: float) -> None:
        unseen = job.state is State.RENDERING or job.stale_until is not None
        if not unseen or job.state not in {State.RENDERING, State.READY} or job.id in self._looks:
            return
        if self._has_lasted_too_long(job, now):
            self._stuck.add(job.id)
        else:
            self._looks.put(job.id, now + self._pause_between_looks(job, now))

    def _has_lasted_too_long(self, job: Job, now: float) -> bool:
        """Seen running, or in the queue, for longer than the service itself allows."""
        if job.rendered:
            return now > job.expires + OVERDUE
        speed, running = self.policy.service_speed, now - (job.running_since or now)
        waited = now - job.submitted_at
        return running * speed > self.policy.stuck_after or waited * speed > self.policy.gone_after

    def _look_in(self, job: Job, now: float) -> float:
        """Nothing to wait for where a new run takes the task up."""
        return self._pause_between_looks(job, now) if job.at_service else 0.0

    def _pause_between_looks(self, job: Job, now: float) -> float:
        return self.policy.look_again_in(max(now - job.submitted_at, 0.0), job.model)

    # -- what may be done now ------------------------------------------------------------------

    def _overdue(self, now: float) -> Iterator[f.Fact]:
        """Facts that nobody brings: of what a dead run left, and of what has lasted too long."""
        yield from self._left_behind(now)
        for job in self._jobs(sorted(self._retries)):
            yield f.Requeued(
                **_about(job, now),
                until=now + RETRY_AFTER / self.policy.service_speed,
                reason=f"{job.code} is worth another attempt",
            )
        for job in self._jobs(sorted(self._out_of_reach)):
            reason = "its addresses lead nowhere, and an answer without a task is given only once"
            yield f.Expired(**_about(job, now), reason=reason)
        for job in self._jobs(sorted(self._stuck)):
            hours = (now - job.submitted_at) * self.policy.service_speed / HOUR
            reason = f"submitted {hours:.0f} hours ago, and its results could not be had since"
            yield f.Parked(**_about(job, now), reason=reason)

    def _left_behind(self, now: float) -> Iterator[f.Fact]:
        orphans, self._orphans = self._orphans, []
        for job in self._jobs(orphans):
            yield _lost_answer(job, now)
        unparked, self._unparked = self._unparked, []
        for job in self._jobs(unparked):
            yield (f.Reopened if job.rendered else f.Unparked)(**_about(job, now))

    def _jobs(self, names: Iterable[str]) -> list[Job]:
        return [self.standing.jobs[name] for name in names]

    def _downloads(self, now: float) -> Iterator[Action]:
        for key in self._later.due(now):
            self._fetches.put(key, self.standing.jobs[key[0]].expires)
        free = self.policy.downloads - self._count_under_way(Download)
        for _ in range(min(free, len(self._fetches))):
            name, index = self._fetches.pop()
            yield Download(name, self.standing.jobs[name].attempt, index)

    def _seal_all(self) -> Iterator[Action]:
        while self._seals:
            name = self._seals.pop()
            yield Seal(name, self.standing.jobs[name].attempt)

    def _polls(self, now: float) -> Iterator[Action]:
        """At most one: the next is due when the query rate allows it, and ``wake_at`` says when."""
        look = self._looks.first_key()
        if look is None or look > now or self._query_free_at > now or not self._may_query:
            return
        self._query_free_at = now + 1.0 / self.policy.queries_per_second
        name = self._looks.pop()
        yield Poll(name, self.standing.jobs[name].attempt)

    @property
    def _may_query(self) -> bool:
        return self._queries_wanted and self._count_under_way(Poll) < self.policy.queries_in_flight

    def _count_under_way(self, kind: type[Action]) -> int:
        return sum(isinstance(action, kind) for action in self.under_way)


def _lost_answer(job: Job, now: float) -> f.SubmitLost:
    reason = "the run that sent it ended while the answer was under way"
    if job.direct:
        reason += "; it would have been the result itself, and cannot be asked for again"
    return f.SubmitLost(**_about(job, now), reason=reason)


def _about(job: Job, now: float) -> dict[str, Any]:
    """What every fact about this attempt says first."""
    return {"at": now, "account": job.account, "job": job.id, "attempt": job.attempt}
