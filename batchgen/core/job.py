"""One job: the fold of its facts.

Rules of this file:

* ``Job.after`` is the only way a job changes. It looks at the fact and the job, at nothing else:
  not at a clock, a limit or another job. Replaying the facts therefore gives the job back. Only
  what is a fact about all jobs comes from outside: the start of a run makes it ``seek`` the task of
  a lost answer anew, and the run says to which ``endpoint`` its request was sent.
* A step that is not in the table of ``lifecycle`` is an ``IllegalStep``, which tells the job's
  story and leaves the job as it was.

Each result of an attempt is a small machine of its own (``results``); the job is ready while one is
wanted or the sidecar is unwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any

from batchgen.core import facts as f
from batchgen.core.lifecycle import STEPS, State
from batchgen.core.results import Result, ResultState, are_beyond_reach, is_any, next_look

__all__ = ["IllegalStep", "Job", "Result", "ResultState"]


class IllegalStep(Exception):
    """A fact that cannot follow: a bug of ours, or two writers on one journal."""

    def __init__(self, job: Job, fact: f.JobFact, why: str) -> None:
        story = job.story.replace(" ", " -> ") or "nothing"
        super().__init__(
            f"job {job.id!r} is {job.state} (attempt {job.attempt}) and cannot take"
            f" {type(fact).__name__}: {why}; its story: {story}"
        )


@dataclass(slots=True)
class Job:
    """The fold of one job's facts. Read it; only ``after`` writes it."""

    id: str
    account: str
    state: State = State.NEW
    request: str = ""
    model: str = ""
    order: int = 0
    price: int | None = None
    currency: str | None = None
    needs: tuple[f.Need, ...] = ()
    direct: bool = False
    """The answer to its POST is the result; there never is a task."""
    likeness: str = ""
    bytes: int = 0
    attempt: int = 0
    first_attempt: int = 0
    """The last attempt before those that count against the retries: a person's wish begins anew."""
    task_id: str | None = None
    submitted_at: float = 0.0
    running_since: float | None = None
    started_at: float = 0.0
    """When its newest request was about to leave."""
    service_time: float | None = None
    """What the service's clock had shown at least at that moment."""
    endpoint: str | None = None
    """A fingerprint of the host and the key that it was sent to; None where nobody noted it."""
    lost_at: float = 0.0
    """When the answer to that request counted as lost, or a later run took the doubt up."""
    searches: int = 0
    """Looks at the service's list that did not settle the doubt, in this run."""
    blind_searches: int = 0
    """The last of these, in a row, that proved nothing."""
    absent_since: float | None = None
    """The first of these, in a row, that found the list whole and without its task."""
    held: bool = False
    """The list cannot settle the doubt, in this run: a person must decide."""
    adopted: bool = False
    """The answer to the request was lost, and its task was found on the service's list."""
    at_service: bool = False
    """Submitted and not seen terminal: it counts against the limit in flight."""
    sealed: bool = False
    """The sidecar lies beside all that was saved."""
    rendered: bool = False
    """The task of this attempt was seen to succeed: its results exist and were paid for."""
    render_seconds: float = 0.0
    """From the submit to the moment its success was seen."""
    not_before: float = 0.0
    tries: int = 0
    """Requests in a row that the service did not take, for the same reason."""
    expires: float = 0.0
    results: list[Result] = field(default_factory=list)
    reserved: int = 0
    risked: int = 0
    """The part of it for attempts that a person has written off, though they may be billed yet."""
    spent: int = 0
    """By all attempts."""
    sunk: int = 0
    """The part of it for attempts before the one that now counts."""
    code: str | None = None
    message: str | None = None
    unsent: bool = False
    """It failed before its request could leave: the next run may try again."""
    story: str = ""
    """The kinds of its facts, oldest first; one text for all jobs that have the same."""

    def __repr__(self) -> str:
        saved = sum(result.state is ResultState.SAVED for result in self.results)
        files = f", {saved}/{len(self.results)} files" if self.results else ""
        return f"<Job {self.id} {self.state}, attempt {self.attempt}{files}>"

    @property
    def lane(self) -> tuple[str, str]:
        """Account and model: whose limits count for its submits."""
        return self.account, self.model

    @property
    def version(self) -> int:
        """How many facts it has taken in."""
        return len(self.story.split())

    @property
    def tried(self) -> int:
        """Attempts that count against the retries."""
        return self.attempt - self.first_attempt

    @property
    def is_sought(self) -> bool:
        """In doubt, and the service's list may settle it."""
        return self.state is State.IN_DOUBT and not self.held

    @property
    def bytes_ahead(self) -> int:
        """What its results may yet take on disk."""
        on_its_way = self.state in {State.SUBMITTING, State.RENDERING} or self.is_sought
        return self.bytes if on_its_way or (self.state is State.READY and not self.whole) else 0

    @property
    def stale_until(self) -> float | None:
        """When the task should be asked for new URLs; None while no result needs one."""
        return None if self.task_id is None else next_look(self.results)

    @property
    def is_out_of_reach(self) -> bool:
        """Nothing can be fetched any more, and there is no task to ask for new URLs."""
        return self.task_id is None and are_beyond_reach(self.results)

    @property
    def is_remainder(self) -> bool:
        """Some results were saved before the others expired, and have no sidecar yet."""
        saved = is_any(self.results, ResultState.SAVED)
        return self.state is State.EXPIRED and saved and not self.sealed

    @property
    def whole(self) -> bool:
        """Every result is settled: the sidecar can be written."""
        return not is_any(self.results, ResultState.WANTED)

    def after(self, fact: f.JobFact) -> None:
        """Take one fact in. IllegalStep leaves the job as it was."""
        self._check(fact)
        self.state = STEPS[self.state][type(fact)]
        self.story = intern(f"{self.story} {type(fact).__name__}".lstrip())
        _CONSEQUENCES.get(type(fact), _nothing_more)(self, fact)

    def seek(self, now: float) -> None:
        """Begin the search for the task of a lost answer, from its start."""
        self.lost_at, self.not_before = now, 0.0
        self.searches, self.blind_searches, self.absent_since = 0, 0, None
        self.held = self.direct

    def _check(self, fact: f.JobFact) -> None:
        if type(fact) not in STEPS[self.state]:
            raise IllegalStep(self, fact, "no such step from this state")
        if isinstance(fact, f.AttemptFact):
            expected = self.attempt + isinstance(fact, f.SubmitStarted)
            if fact.attempt != expected:
                raise IllegalStep(self, fact, f"it speaks of attempt {fact.attempt}")
        if isinstance(fact, f.ResultFact):
            known = fact.index < len(self.results)
            if not known or self.results[fact.index].state is not ResultState.WANTED:
                raise IllegalStep(self, fact, f"result {fact.index} is not wanted")
        if isinstance(fact, f.Sealed | f.SealedInPart) and not (self.whole or self.is_remainder):
            raise IllegalStep(self, fact, "results are still wanted")


# -- what a fact changes besides the state ---------------------------------------------------------


def _nothing_more(_job: Job, _fact: f.JobFact) -> None:
    return None


def _wanted(job: Job, fact: f.Wanted) -> None:
    job.request, job.model, job.order = fact.request, fact.model, fact.order
    job.price, job.currency = fact.price, fact.currency
    job.needs, job.direct = fact.needs, fact.direct
    job.likeness, job.bytes = fact.likeness, fact.bytes
    job.not_before, job.tries = 0.0, 0
    job.code = job.message = None
    job.unsent = False


def _submit_started(job: Job, fact: f.SubmitStarted) -> None:
    job.attempt = fact.attempt
    job.started_at = job.submitted_at = fact.at
    job.service_time = fact.service_time
    job.reserved = job.risked + (job.price or 0)
    job.task_id, job.running_since = None, None
    job.rendered, job.sealed = False, False
    job.adopted = job.held = False
    job.results = []


def _submitted(job: Job, fact: f.Submitted | f.Adopted) -> None:
    job.task_id = fact.task_id
    job.adopted = isinstance(fact, f.Adopted)
    # An adopted task is as old as the request whose answer was lost.
    job.submitted_at = job.started_at if job.adopted else fact.at
    job.at_service = True
    job.tries = 0
    job.code = job.message = None


def _deferred(job: Job, fact: f.Deferred | f.Requeued) -> None:
    job.not_before = fact.until
    job.reserved = job.risked
    if isinstance(fact, f.Deferred):
        # Nothing was taken: the attempt did not happen, and its number is used again.
        job.attempt -= 1
        job.tries = job.tries + 1 if job.code == fact.code else 1
        job.code, job.message = fact.code, fact.message


def _unbilled(job: Job, fact: f.Refused | f.Barred | f.TaskFailed | f.TaskCanceled) -> None:
    job.reserved = job.risked
    job.at_service = False
    job.tries = 0
    job.unsent = isinstance(fact, f.Barred) or (isinstance(fact, f.Refused) and not fact.sent)
    if isinstance(fact, f.TaskCanceled):
        job.code, job.message = None, "cancelled by batchgen cancel" if fact.asked else None
    else:
        job.code, job.message = fact.code, fact.message


def _in_trouble(job: Job, fact: f.Parked | f.Lost | f.Expired) -> None:
    job.at_service = False
    job.message = fact.reason


def _submit_lost(job: Job, fact: f.SubmitLost) -> None:
    job.seek(fact.at)
    job.message = fact.reason


def _sought_in_vain(job: Job, fact: f.SoughtInVain) -> None:
    job.searches += 1
    job.blind_searches = job.blind_searches + 1 if fact.blind else 0
    job.not_before = fact.until
    job.message = fact.reason
    if not fact.absent:
        job.absent_since = None
    elif job.absent_since is None:
        job.absent_since = fact.at


def _held(job: Job, fact: f.Held) -> None:
    job.held = True
    job.message = fact.reason


def _found_absent(job: Job, _fact: f.FoundAbsent) -> None:
    """Nothing was taken: the attempt did not happen, and its number is used again."""
    job.attempt -= 1
    job.reserved = job.risked
    job.not_before, job.tries = 0.0, 0
    job.message = None


def _renewed(job: Job, _fact: f.Renewed) -> None:
    """What may still be billed stays reserved, and what was billed stays spent."""
    job.risked, job.sunk = job.reserved, job.spent
    job.first_attempt = job.attempt
    job.not_before, job.tries = 0.0, 0
    job.at_service = False
    job.code = job.message = None
    job.held = job.unsent = False


def _rendering_started(job: Job, fact: f.RenderingStarted) -> None:
    job.running_since = fact.at


def _rendered(job: Job, fact: f.Rendered) -> None:
    job.spent = job.sunk + ((job.price or 0) if fact.cost is None else fact.cost)
    job.reserved = job.risked
    job.at_service = False
    job.expires = fact.expires
    if not job.rendered:
        job.rendered = True
        job.tries = 0
        job.render_seconds = fact.at - job.submitted_at
        job.results = [Result() for _ in fact.results]
    for result, ref in zip(job.results, fact.results, strict=False):
        result.told(ref)


def _fetch_broken(job: Job, fact: f.FetchDeferred | f.LinkStale) -> None:
    job.results[fact.index].broke(fact)


def _saved(job: Job, fact: f.Saved) -> None:
    job.results[fact.index].saved(fact)
    job.sealed = False


def _sealed(job: Job, _fact: f.Sealed | f.SealedInPart) -> None:
    job.sealed = True
    if job.state is State.EXPIRED:
        return
    troubles = [result.trouble for result in job.results if result.trouble]
    job.message = "; ".join(troubles) or None
    job.code = None


def _sidecar_vanished(job: Job, _fact: f.SidecarVanished) -> None:
    job.sealed = False


def _results_vanished(job: Job, fact: f.ResultsVanished) -> None:
    job.sealed = False
    for index in fact.indexes:
        job.results[index] = Result(stale=True, not_before=fact.at)


def _reopened(job: Job, _fact: f.Unparked | f.Reopened) -> None:
    for result in job.results:
        result.tries = 0


_CONSEQUENCES: Mapping[type[f.JobFact], Callable[[Job, Any], None]] = {
    f.Wanted: _wanted,
    f.SubmitStarted: _submit_started,
    f.Submitted: _submitted,
    f.Deferred: _deferred,
    f.Requeued: _deferred,
    f.Refused: _unbilled,
    f.Barred: _unbilled,
    f.TaskFailed: _unbilled,
    f.TaskCanceled: _unbilled,
    f.SubmitLost: _submit_lost,
    f.SoughtInVain: _sought_in_vain,
    f.Adopted: _submitted,
    f.FoundAbsent: _found_absent,
    f.Held: _held,
    f.Renewed: _renewed,
    f.Parked: _in_trouble,
    f.Lost: _in_trouble,
    f.Expired: _in_trouble,
    f.RenderingStarted: _rendering_started,
    f.Rendered: _rendered,
    f.LinkStale: _fetch_broken,
    f.FetchDeferred: _fetch_broken,
    f.Saved: _saved,
    f.Sealed: _sealed,
    f.SealedInPart: _sealed,
    f.ResultsVanished: _results_vanished,
    f.Unparked: _reopened,
    f.Reopened: _reopened,
    f.SidecarVanished: _sidecar_vanished,
}
