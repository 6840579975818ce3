"""Facts about a job, its paid attempts, and their results. See ``facts``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchgen.core.facts.needs import Need
from batchgen.core.facts.run import Fact
from batchgen.core.facts.shape import fact


@fact
class JobFact(Fact):
    """A fact about one job."""

    job: str

    @property
    def subject(self) -> str:
        return f"job/{self.job}"


@fact
class Wanted(JobFact):
    """The manifest asks for this job, with this request; not paid for yet.

    ``request`` is the identity of the request; its document lies in the journal under that name.
    ``order`` is the job's place in the manifest, ``price`` the worst case that an attempt can cost,
    what it ``needs`` not counted. ``direct`` says that the answer to its POST is the result itself:
    there is no task, and nothing to ask if the answer is lost.
    """

    request: str
    model: str
    order: int
    price: int | None
    currency: str | None
    needs: tuple[Need, ...] = ()
    direct: bool = False
    likeness: str = ""
    """What the service's task list could tell the request's task by: a fingerprint of its prompt as
    the service repeats it, or nothing where it does not."""
    bytes: int = 0
    """The most that its results may take on disk."""


@fact
class Withdrawn(JobFact):
    """The manifest no longer asks for this job, and nothing was paid for it."""


@fact
class Barred(JobFact):
    """Something that the job needs cannot be had: it is not sent, and nothing was paid for it."""

    code: str
    message: str


@fact
class AttemptFact(JobFact):
    """A fact about one paid attempt at a job; attempts count from 1."""

    attempt: int


@fact
class SubmitStarted(AttemptFact):
    """The request is about to leave: from here on the service may have it.

    ``service_time`` is what the service's clock had shown at least (Unix seconds): the ``Date`` of
    an answer that came before. None where none had come.
    """

    service_time: float | None = None


@fact
class Submitted(AttemptFact):
    """The service made a task of it."""

    task_id: str
    request_id: str | None


@fact
class Deferred(AttemptFact):
    """The service surely did not take the request; it may be sent again after ``until``."""

    until: float
    code: str
    message: str


@fact
class Refused(AttemptFact):
    """The service surely did not take the request, and never will.

    Not ``sent``: it was found wrong here at the last moment, so another run may try again.
    """

    code: str
    message: str
    sent: bool = True


@fact
class SubmitLost(AttemptFact):
    """Nobody knows whether the service took the request."""

    reason: str


# -- a request in doubt ----------------------------------------------------------------------------


@fact
class SoughtInVain(AttemptFact):
    """The service's list did not settle the doubt; it is asked again, not before ``until``.

    ``absent`` says that the list was whole and had no task that could be this one's; else it proves
    nothing, or a task that may be the one has not told its prompt yet.
    """

    until: float
    absent: bool
    reason: str
    blind: bool = False
    """The list was not to be had, or not up to date: it proves nothing."""


@fact
class Adopted(AttemptFact):
    """The list has the task that the lost answer would have named."""

    task_id: str
    request_id: str | None


@fact
class FoundAbsent(AttemptFact):
    """The service surely made no task of the request, or one that failed: it may be sent again."""

    reason: str


@fact
class Held(AttemptFact):
    """The list cannot settle the doubt: a person must decide. The next run looks again."""

    reason: str


@fact
class Renewed(AttemptFact):
    """The job is to be bought again, whatever has come, or may yet come, of this attempt: a person
    wants it, or a journal that was made anew tells of a later attempt.
    """

    reason: str


# -- a task ----------------------------------------------------------------------------------------


@fact
class RenderingStarted(AttemptFact):
    """The task was first seen running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRef:
    """One result of a finished task: the URL's path, or why there is none."""

    path: str | None = None
    code: str | None = None
    message: str | None = None


@fact
class Rendered(AttemptFact):
    """The results were made; they wait at the service until ``expires``."""

    results: tuple[ResultRef, ...]
    expires: float
    usage: Mapping[str, Any] | None
    cost: int | None
    submit_time: float | None
    end_time: float | None
    request_id: str | None
    orig_prompt: str | None
    actual_prompt: str | None
    texts: tuple[str, ...]
    scheduled_time: float | None = None
    """When the service began to render it, by its clock; None where it did not say."""


@fact
class TaskFailed(AttemptFact):
    """The task failed at the service; failed tasks are not billed."""

    code: str
    message: str


@fact
class Requeued(AttemptFact):
    """The failed job gets another paid attempt, not before ``until``."""

    until: float
    reason: str


@fact
class TaskCanceled(AttemptFact):
    """Somebody cancelled the task at the service; it is not billed.

    ``asked`` says that it was ``batchgen cancel``.
    """

    asked: bool = False


@fact
class Parked(AttemptFact):
    """It does not get on by itself: nothing moves, a name is taken, what comes is no result. A
    person should look, and the next run will too.
    """

    reason: str


@fact
class Unparked(AttemptFact):
    """A new run looks at the task again."""


@fact
class Reopened(AttemptFact):
    """A new run goes on with a task that was seen to succeed: with its results and its sidecar."""


@fact
class Lost(AttemptFact):
    """The service does not know the task, though it said it made it; a later run asks again."""

    reason: str


@fact
class Expired(AttemptFact):
    """The results were paid for and can no longer be fetched."""

    reason: str


# -- one result of a job -------------------------------------------------------------------------


@fact
class ResultFact(AttemptFact):
    """A fact about one result of an attempt; ``index`` counts from 0, by place in the answer."""

    index: int


@fact
class FetchDeferred(ResultFact):
    """The download broke; it goes on after ``until``."""

    until: float
    reason: str


@fact
class LinkStale(ResultFact):
    """The result's URL leads nowhere; the task is asked for it anew, not before ``until``."""

    until: float
    reason: str


@fact
class Saved(ResultFact):
    """The result lies whole and durable under its final name; ``file`` is what was measured."""

    file: Mapping[str, Any]


@fact
class Sealed(AttemptFact):
    """The sidecar lies durable beside all the results asked for: the job is done."""


@fact
class SealedInPart(AttemptFact):
    """The sidecar lies durable beside the results that there are: some were not made, or lost."""


@fact
class ResultsVanished(AttemptFact):
    """Results that were saved are no longer in the tree: they are fetched again while they live."""

    indexes: tuple[int, ...]


@fact
class SidecarVanished(AttemptFact):
    """The sidecar is no longer in the tree; it is written again from the journal."""
