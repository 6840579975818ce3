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
    SUBMITTING  ``overdue``, where a new run finds those that a dead one left behind
    IN_DOUBT    ``searches``, while it is not held             -> Search
    RENDERING   ``looks``, by the moment of the next look      -> Poll, Survey
    READY       ``fetches``, by the deadline                   -> Download
                ``looks`` where a URL went stale               -> Poll
                ``_seals`` when every result is settled        -> Seal
                ``overdue`` where it did and there is no task to ask
    FAILED      ``overdue``, where the policy allows another attempt
    PARKED, LOST  ``overdue``, where a new run finds it and looks again
    EXPIRED     ``_seals``, where some results were saved in time -> Seal

``settle`` says that an action is over: what its facts left undone is filed again. What only this
run knows (the service's clock, the disk, what the list shows and the limits are, how long tasks
take) comes as news that is no fact: the next run can ask again.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from batchgen.core import facts as f
from batchgen.core.actions import (
    Action,
    AskLimits,
    Download,
    LaneAction,
    Poll,
    Prepare,
    Seal,
    Search,
    Submit,
    Survey,
)
from batchgen.core.admission import Admission, Step
from batchgen.core.agenda import Agenda
from batchgen.core.allowances import Allowances
from batchgen.core.cadence import Cadences
from batchgen.core.fetches import Fetches
from batchgen.core.job import Job
from batchgen.core.lanes import NEVER, Lane
from batchgen.core.lifecycle import State
from batchgen.core.looks import Looks
from batchgen.core.news import NOTHING, News
from batchgen.core.overdue import Overdue, about, lost_answer
from batchgen.core.policy import HOUR, LONGEST_PAUSE, Policy
from batchgen.core.queries import Queries
from batchgen.core.searches import Searches
from batchgen.core.standing import Standing


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
    ``standing`` is what the facts before ``facts`` add up to, ``newest`` the last fact of each of
    its jobs that is not done, in their order.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        standing: Standing | None = None,
        newest: Iterable[f.JobFact] = (),
        facts: Iterable[f.Fact] = (),
        chosen: Collection[str] | None = None,
    ) -> None:
        self.policy = policy
        self.standing = standing or Standing(policy)
        self.under_way: dict[Action, float] = {}
        """What was started, and when."""
        cadences = Cadences(policy)
        self.queries = Queries(policy.queries_per_second)
        """Whose turns the further questions of an action take, too."""
        self._allowances = Allowances(self.standing, cadences, self.queries)
        self._admission = Admission(self.standing, chosen, self._allowances)
        self._looks = Looks(self.standing, self.queries, cadences)
        self._searches = Searches(self.standing, self.queries)
        self._overdue = Overdue(self.standing)
        self._fetches = Fetches(self.standing)
        self._seals: Agenda[str] = Agenda()
        self._remainders: set[str] = set()
        """Expired, and some results were saved before."""
        for last in newest:
            self._file(self.standing.jobs[last.job], last)
        self._learns = False
        for fact in facts:
            self.after(fact)
        self._learns = True
        """What the limits are and how long tasks take is learned from what this run sees."""

    def __repr__(self) -> str:
        return f"<Batch of {self.standing!r}, {len(self.under_way)} under way>"

    # -- news ----------------------------------------------------------------------------------

    def after(self, fact: f.Fact) -> None:
        """Take a fact in. IllegalStep: it cannot follow, and nothing has changed."""
        known = self.standing.jobs.get(fact.job) if isinstance(fact, f.JobFact) else None
        before = (known.lane, known.state) if known else None
        self.standing.after(fact)
        if isinstance(fact, f.RunStarted):
            self._start_run(fact.at)
        elif isinstance(fact, f.JobFact):
            job = self.standing.jobs[fact.job]
            if before is not None:
                self._unfile(job, before[0])
                if before[1] is State.RENDERING and job.state is not State.RENDERING:
                    self._looks.note_end(job, fact, learns=self._learns)
            self._file(job, fact)
        if self._learns:
            self._allowances.learn(fact)

    def settle(self, action: Action, now: float, news: News = NOTHING) -> None:
        """An action is over and its facts are taken in: file again what is left of the work."""
        began = self.under_way.pop(action)
        self._hear(action, began, now, news)
        match action:
            case Prepare():
                self._admission.settle(action, now)
            case Search():
                self._searches.settle(action, now)
            case Survey():
                self._looks.settle_survey(action, now, news)
                self._allowances.see(action, news, now)
            case AskLimits():
                self._allowances.told(action, news)
            case Submit() | Poll() | Download() | Seal():
                self._settle_job(action, now, news)

    def _hear(self, action: Action, began: float, now: float, news: News) -> None:
        """What the answers to questions say of those to come."""
        if isinstance(action, Poll | Search | Survey):
            self._hear_answer(action, began, now, news)
        if news.wait_until is not None:
            self.queries.slow(news.wait_until)
        if news.key_refused:  # only what has a URL can still be collected
            self.queries.stop()
            self.stop_submitting()

    def _hear_answer(
        self, action: Poll | Search | Survey, began: float, now: float, news: News
    ) -> None:
        if news.answered:
            self.queries.note_answer()
        elif not (isinstance(action, Poll) and self._looks.is_unclear(action.job)):
            # Of a task that gave none before it says nothing of the service.
            throttled = news.wait_until is not None
            self.queries.note_silence(began, now, throttled=throttled)

    def _settle_job(self, action: Submit | Poll | Download | Seal, now: float, news: News) -> None:
        match action:
            case Poll():
                self._looks.settle(action, now, news)
            case Download():
                self._fetches.settle(action, now)
        job = self.standing.jobs[action.job]
        if job.state is State.EXPIRED and not isinstance(action, Seal):
            self._file_remainder(job)
        elif job.state is State.READY and not isinstance(action, Poll):
            self._file_results(job)

    def stop_submitting(self) -> None:
        """From here on nothing new is bought; what is paid for is still collected."""
        self._admission.close()

    def see_service_time(self, at: float, service_time: float) -> None:
        """The service's clock showed this when ours showed ``at``; both in Unix seconds."""
        self._admission.see_service_time(at, service_time)

    def see_disk(self, free: int | None) -> None:
        """So many bytes are free where results go; None: nobody can say."""
        self._admission.free = free

    def give_up_posts(self, now: float) -> tuple[f.Fact, ...]:
        """Nobody waits any longer for the answers to POSTs under way: these jobs are in doubt."""
        names = sorted(action.job for action in self.under_way if isinstance(action, Submit))
        sending = [job for job in self._jobs(names) if job.state is State.SUBMITTING]
        return tuple(self._take(lost_answer(job, now)) for job in sending)

    # -- decisions -----------------------------------------------------------------------------

    def decide(self, now: float) -> Decision:
        """What to do at this moment; done as far as this state is concerned."""
        facts = [self._take(fact) for fact in self._facts(now)]
        actions: list[Action] = [*self._fetches.begin(now), *self._seal_all()]
        # A search comes first: other jobs wait for what it finds, and looks may want every turn.
        actions += [*self._searches.begin(now), *self._looks.begin(now)]
        actions += self._allowances.ask(self._admission.buying)
        while steps := [self._step(step) for step in self._admission.steps(now)]:
            facts.extend(fact for fact, _ in steps if fact is not None)
            actions.extend(action for _, action in steps if action is not None)
        self.under_way.update(dict.fromkeys(actions, now))
        return Decision(tuple(facts), tuple(actions))

    def wake_at(self, now: float) -> float:
        """When time alone makes something possible; later than now, or infinite."""
        moments = [self._fetches.next_at, self._looks.next_at, self._searches.next_at]
        moments += self._admission.moments()
        first = min((moment for moment in moments if moment is not None), default=NEVER)
        return max(first, math.nextafter(now, math.inf))

    @property
    def buys(self) -> bool:
        """A request may be sent in this run before anything is asked."""
        return bool(self._overdue.retries) or not self._admission.over

    @property
    def settled(self) -> bool:
        """This run has nothing left to do, neither now nor later."""
        # Nobody waits for a look at the list, or at limits, when there is nothing to see any more.
        busy = any(not isinstance(action, Survey | AskLimits) for action in self.under_way)
        facts = self._overdue or self._looks.stuck
        queries = self._looks or self._searches
        left = busy or facts or queries or self._fetches or self._seals
        return not left and self._admission.over

    @property
    def mean_fetch_seconds(self) -> float:
        """Of the downloads of this run; 0 before the first has ended."""
        return self._fetches.mean_seconds

    def running(self, lane: Lane) -> int:
        """How many tasks of a lane render at once, as far as is known by now."""
        return self._allowances.running(lane)

    def queued(self, lane: Lane) -> int:
        """How many jobs are in line for a lane."""
        return self._admission.queued(lane)

    @property
    def budget_reached(self) -> bool:
        """Jobs are left that the budget does not allow, and nothing in flight can free it."""
        return self._admission.budget_reached

    @property
    def disk_needed(self) -> int | None:
        """Where the disk is full, how many bytes must be free for the next job; else None."""
        return self._admission.disk_needed

    @property
    def failing(self) -> bool:
        """So many jobs failed one after another that nothing more is submitted."""
        return self.standing.failing

    def doubts(self, account: str, model: str) -> list[Job]:
        """The jobs that a search is about, in the order in which their requests were sent."""
        return self._searches.of((account, model))

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
        self._looks.start_run(now)
        self._fetches.clamp(latest)
        self._admission.clamp(latest)
        self._overdue.start_run()
        for job in self._jobs(sorted(self._remainders)):
            self._file_remainder(job)
        for job in self._jobs(sorted(self.standing.in_doubt)):
            self._file_doubt(job)

    def _unfile(self, job: Job, lane: tuple[str, str]) -> None:
        self._admission.drop(job.id, lane)
        self._looks.drop(job.id, lane)
        self._searches.drop(job.id, lane)
        self._seals.drop(job.id)
        self._fetches.drop(job)
        self._overdue.drop(job.id)
        self._remainders.discard(job.id)

    def _file(self, job: Job, fact: f.JobFact) -> None:
        self._overdue.put(job, fact)
        match job.state:
            case State.PENDING:
                self._admission.put(job)
            case State.IN_DOUBT:
                self._file_doubt(job)
            case State.RENDERING:
                self._looks.put(job, fact)
            case State.READY:
                self._file_results(job)
            case State.EXPIRED if job.is_remainder:
                self._remainders.add(job.id)
                if not isinstance(fact, f.Parked):  # something stands in the sidecar's way
                    self._file_remainder(job)
            case _:
                pass

    def _file_results(self, job: Job) -> None:
        if job.whole and Seal(job.id, job.attempt) not in self.under_way:
            self._seals.put(job.id, job.expires)
        self._looks.put_stale(job)
        self._fetches.put(job)

    def _file_remainder(self, job: Job) -> None:
        """Once nothing is under way any more that could add to it."""
        if job.is_remainder and not any(_is_about(job, action) for action in self.under_way):
            self._seals.put(job.id, job.expires)

    def _file_doubt(self, job: Job) -> None:
        if job.is_sought:
            self._searches.put(job)

    # -- what may be done now ------------------------------------------------------------------

    def _facts(self, now: float) -> Iterator[f.Fact]:
        """What no action brings: of a dead run, of the list, and of what has lasted too long."""
        yield from self._overdue.facts(now)
        for job in self._jobs(self._looks.newly_rendering()):
            yield f.RenderingStarted(**about(job, now))
        for job in self._jobs(sorted(self._looks.stuck)):
            hours = (now - job.submitted_at) * self.policy.service_speed / HOUR
            reason = f"submitted {hours:.0f} hours ago, and its results could not be had since"
            yield f.Parked(**about(job, now), reason=reason)

    def _jobs(self, names: Iterable[str]) -> list[Job]:
        return [self.standing.jobs[name] for name in names]

    def _seal_all(self) -> Iterator[Action]:
        while self._seals:
            name = self._seals.pop()
            yield Seal(name, self.standing.jobs[name].attempt)


def _is_about(job: Job, action: Action) -> bool:
    return not isinstance(action, LaneAction) and action.job == job.id
