"""What has happened, in the past tense.

Rules of this file:

* A fact is frozen, and holds only text, numbers, booleans, None, tuples of these and JSON data, so
  that the journal can keep it and a reader ten years on can read it.
* Every fact names its account, its moment (``at``, Unix seconds) and its *subject*: the stream of
  facts whose order matters. Facts of different subjects commute.
* A fact states what happened, never what to do next; a retry is a fact with a time (``until``).
* No fact holds a key, a body, or the query string of a signed URL.
* Money is in micro-units of ``currency``; None means that no price is known.

A new kind of fact is a new class here and a row in the table of ``lifecycle`` (of ``needs`` for
what jobs need before they are sent).

``run``, ``needs`` and ``jobs`` hold the facts about these, ``shape`` says what each of them is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from batchgen.core.facts.jobs import (
    Adopted,
    AttemptFact,
    Barred,
    Deferred,
    Expired,
    FetchDeferred,
    FoundAbsent,
    Held,
    JobFact,
    LinkStale,
    Lost,
    Parked,
    Refused,
    Rendered,
    RenderingStarted,
    Renewed,
    Reopened,
    Requeued,
    ResultFact,
    ResultRef,
    ResultsVanished,
    Saved,
    Sealed,
    SealedInPart,
    SidecarVanished,
    SoughtInVain,
    SubmitLost,
    SubmitStarted,
    Submitted,
    TaskCanceled,
    TaskFailed,
    Unparked,
    Wanted,
    Withdrawn,
)
from batchgen.core.facts.needs import (
    CHECK,
    UPLOAD,
    CheckDeferred,
    CheckFact,
    CheckFailed,
    CheckLost,
    CheckPassed,
    CheckRefused,
    CheckStarted,
    Need,
    NeedFact,
    UploadDeferred,
    Uploaded,
    UploadFact,
    UploadRefused,
)
from batchgen.core.facts.run import (
    Connected,
    Fact,
    LaneFact,
    LanePaused,
    LaneStopped,
    RunStarted,
)

__all__ = [
    "CHECK",
    "UPLOAD",
    "Adopted",
    "AttemptFact",
    "Barred",
    "CheckDeferred",
    "CheckFact",
    "CheckFailed",
    "CheckLost",
    "CheckPassed",
    "CheckRefused",
    "CheckStarted",
    "Connected",
    "Deferred",
    "Expired",
    "Fact",
    "FetchDeferred",
    "FoundAbsent",
    "Held",
    "JobFact",
    "Kinds",
    "LaneFact",
    "LanePaused",
    "LaneStopped",
    "LinkStale",
    "Lost",
    "Need",
    "NeedFact",
    "Parked",
    "Refused",
    "Rendered",
    "RenderingStarted",
    "Renewed",
    "Reopened",
    "Requeued",
    "ResultFact",
    "ResultRef",
    "ResultsVanished",
    "RunStarted",
    "Saved",
    "Sealed",
    "SealedInPart",
    "SidecarVanished",
    "SoughtInVain",
    "SubmitLost",
    "SubmitStarted",
    "Submitted",
    "TaskCanceled",
    "TaskFailed",
    "Unparked",
    "UploadDeferred",
    "UploadFact",
    "UploadRefused",
    "Uploaded",
    "Wanted",
    "Withdrawn",
]

_named = [kind for kind in globals().values() if isinstance(kind, type) and issubclass(kind, Fact)]


class Kinds:
    """Every kind of fact, by the name that the journal writes."""

    by_name: ClassVar[Mapping[str, type[Fact]]] = {
        kind.__name__: kind
        for kind in _named
        if not any(issubclass(other, kind) for other in _named if other is not kind)
    }
