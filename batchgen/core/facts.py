"""What has happened, in the past tense.

Rules of this file:

* A fact is frozen, and holds only text, numbers, booleans, None, tuples of these and JSON data, so
  that the journal can keep it and a reader ten years on can read it.
* Every fact names its account, its moment (``at``, Unix seconds) and its *subject*: the stream of
  facts whose order matters. Facts of different subjects commute.
* A fact states what happened, never what to do next; a retry is a fact with a time (``until``).
* No fact holds a key, a body, or the query string of a signed URL.
* Money is in micro-units of ``currency``; None means that no price is known.

A new kind of fact is a new class here and a row in the table of ``lifecycle``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What every fact says."""

    at: float
    account: str

    @property
    def subject(self) -> str:
        """The stream this fact belongs to."""
        raise TypeError(f"{type(self).__name__} has no subject")


# -- the run and the account ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Fact):
    """A process took the batch up; whatever stopped the one before is tried anew."""

    version: str

    @property
    def subject(self) -> str:
        return "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFact(Fact):
    """A fact about an account and a model, or about the whole account (``model`` is None)."""

    model: str | None

    @property
    def subject(self) -> str:
        return f"lane/{self.account}/{self.model or ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePaused(LaneFact):
    """The service, or the way to it, asked for patience: nothing is submitted until then."""

    until: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStopped(LaneFact):
    """The service will take nothing more from this account or model until a person has acted."""

    code: str
    message: str


# -- a job ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFact(Fact):
    """A fact about one job."""

    job: str

    @property
    def subject(self) -> str:
        return f"job/{self.job}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted(JobFact):
    """The manifest asks for this job, with this request; not paid for yet.

    ``request`` is the identity of the request; its document lies in the journal under that name.
    ``order`` is the job's place in the manifest, ``price`` the worst case that an attempt can cost.
    """

    request: str
    model: str
    order: int
    price: int | None
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn(JobFact):
    """The manifest no longer asks for this job, and nothing was paid for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFact(JobFact):
    """A fact about one paid attempt at a job; attempts count from 1."""

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitStarted(AttemptFact):
    """The request is about to leave: from here on the service may have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted(AttemptFact):
    """The service made a task of it."""

    task_id: str
    request_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred(AttemptFact):
    """The service surely did not take the request; it may be sent again after ``until``."""

    until: float
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(AttemptFact):
    """The service surely did not take the request, and never will."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitLost(AttemptFact):
    """Nobody knows whether the service took the request."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderingStarted(AttemptFact):
    """The task was first seen running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRef:
    """One result of a finished task: the URL's path, or why there is none."""

    path: str | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered(AttemptFact):
    """The task succeeded; its results wait at the service until ``expires``."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed(AttemptFact):
    """The task failed at the service; failed tasks are not billed."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeued(AttemptFact):
    """The failed job gets another paid attempt, not before ``until``."""

    until: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCanceled(AttemptFact):
    """Somebody cancelled the task at the service; it is not billed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked(AttemptFact):
    """Nothing moved for too long; a person should look, and the next run will too."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unparked(AttemptFact):
    """A new run looks at the task again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened(AttemptFact):
    """A new run goes on with a task that was seen to succeed: with its results and its sidecar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(AttemptFact):
    """The service does not know the task, though it said it made it; a later run asks again."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired(AttemptFact):
    """The results were paid for and can no longer be fetched."""

    reason: str


# -- one result of a job -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFact(AttemptFact):
    """A fact about one result of an attempt; ``index`` counts from 0, by place in the answer."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchDeferred(ResultFact):
    """The download broke; it goes on after ``until``."""

    until: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStale(ResultFact):
    """The result's URL leads nowhere; the task is asked for it anew, not before ``until``."""

    until: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved(ResultFact):
    """The result lies whole and durable under its final name; ``file`` is what was measured."""

    file: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed(AttemptFact):
    """The sidecar lies durable beside all the results asked for: the job is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedInPart(AttemptFact):
    """The sidecar lies durable beside the results that there are: some were not made, or lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsVanished(AttemptFact):
    """Results that were saved are no longer in the tree: they are fetched again while they live."""

    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarVanished(AttemptFact):
    """The sidecar is no longer in the tree; it is written again from the journal."""


_named = [kind for kind in globals().values() if isinstance(kind, type) and issubclass(kind, Fact)]


class Kinds:
    """Every kind of fact, by the name that the journal writes."""

    by_name: ClassVar[Mapping[str, type[Fact]]] = {
        kind.__name__: kind
        for kind in _named
        if not any(issubclass(other, kind) for other in _named if other is not kind)
    }
