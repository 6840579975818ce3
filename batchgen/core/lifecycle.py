"""The states of a job, and the table of legal steps between them.

Rules of this file:

* Every legal step is a row of ``STEPS``: from a state, by a kind of fact, to a state. What is not
  there cannot happen.
* Where the next state would depend on a fact's content, there are two kinds of fact instead.

A task that nobody has heard of (LOST), or that does not move (PARKED), is taken up again by the
next run: whoever asked may have had the wrong key, and the results may still be there.

*Needs a person* is what IN_DOUBT, PARKED, LOST, EXPIRED and CANCELED have in common: money may be
at stake, and nothing automatic would be right.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from batchgen.core import facts as f


class State(StrEnum):
    """Where a job stands; the value is the word that people read."""

    NEW = "new"
    PENDING = "pending"
    SUBMITTING = "submitting"
    IN_DOUBT = "in doubt"
    RENDERING = "rendering"
    READY = "ready"
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    PARKED = "stuck"
    LOST = "lost"
    EXPIRED = "expired"
    CANCELED = "cancelled"
    WITHDRAWN = "withdrawn"


NEEDS_A_PERSON = frozenset(
    {State.IN_DOUBT, State.PARKED, State.LOST, State.EXPIRED, State.CANCELED}
)
"""Exit code 3."""

UNPAID = frozenset({State.NEW, State.PENDING, State.FAILED, State.CANCELED, State.WITHDRAWN})
"""Nothing was bought for the job, nor may have been: a changed request simply takes its place."""

SETTLED = frozenset({State.DONE, State.PARTIAL, State.FAILED, State.WITHDRAWN}) | NEEDS_A_PERSON
"""A run does nothing more for these."""

STEPS: Mapping[State, Mapping[type[f.JobFact], State]] = {
    State.NEW: {f.Wanted: State.PENDING},
    State.PENDING: {
        f.Wanted: State.PENDING,
        f.Withdrawn: State.WITHDRAWN,
        f.Barred: State.FAILED,
        f.SubmitStarted: State.SUBMITTING,
    },
    State.SUBMITTING: {
        f.Submitted: State.RENDERING,
        # The answer to the POST was the result itself.
        f.Rendered: State.READY,
        f.Deferred: State.PENDING,
        f.Refused: State.FAILED,
        f.SubmitLost: State.IN_DOUBT,
    },
    State.IN_DOUBT: {
        f.SoughtInVain: State.IN_DOUBT,
        f.Held: State.IN_DOUBT,
        f.Adopted: State.RENDERING,
        f.FoundAbsent: State.PENDING,
        f.Renewed: State.PENDING,
    },
    State.RENDERING: {
        f.RenderingStarted: State.RENDERING,
        f.Rendered: State.READY,
        f.TaskFailed: State.FAILED,
        f.TaskCanceled: State.CANCELED,
        f.Parked: State.PARKED,
        f.Lost: State.LOST,
        f.Expired: State.EXPIRED,
    },
    State.READY: {
        f.FetchDeferred: State.READY,
        f.LinkStale: State.READY,
        f.Rendered: State.READY,
        f.Saved: State.READY,
        f.Sealed: State.DONE,
        f.SealedInPart: State.PARTIAL,
        f.Parked: State.PARKED,
        f.Lost: State.LOST,
        f.Expired: State.EXPIRED,
    },
    State.DONE: {
        f.ResultsVanished: State.READY,
        f.SidecarVanished: State.READY,
        f.Renewed: State.PENDING,
    },
    State.PARTIAL: {
        f.ResultsVanished: State.READY,
        f.SidecarVanished: State.READY,
        f.Renewed: State.PENDING,
    },
    State.FAILED: {
        f.Wanted: State.PENDING,
        f.Withdrawn: State.WITHDRAWN,
        f.Requeued: State.PENDING,
        f.Renewed: State.PENDING,
        # Two of its files may be found changed at the same time.
        f.Barred: State.FAILED,
    },
    # A look at the task, and downloads of the job's other results, may still be under way.
    State.PARKED: {
        f.Unparked: State.RENDERING,
        f.Reopened: State.READY,
        f.Rendered: State.PARKED,
        f.FetchDeferred: State.PARKED,
        f.LinkStale: State.PARKED,
        f.Saved: State.PARKED,
        f.Parked: State.PARKED,
        f.Lost: State.PARKED,
        f.Expired: State.EXPIRED,
        f.Renewed: State.PENDING,
    },
    State.LOST: {
        f.Unparked: State.RENDERING,
        f.Reopened: State.READY,
        f.FetchDeferred: State.LOST,
        f.LinkStale: State.LOST,
        f.Saved: State.LOST,
        f.Parked: State.LOST,
        f.Renewed: State.PENDING,
    },
    # What was saved of it still gets its sidecar.
    State.EXPIRED: {
        f.FetchDeferred: State.EXPIRED,
        f.LinkStale: State.EXPIRED,
        f.Saved: State.EXPIRED,
        f.Parked: State.EXPIRED,
        f.Sealed: State.EXPIRED,
        f.SealedInPart: State.EXPIRED,
        f.Renewed: State.PENDING,
    },
    State.CANCELED: {
        f.Wanted: State.PENDING,
        f.Withdrawn: State.WITHDRAWN,
        f.Renewed: State.PENDING,
    },
    State.WITHDRAWN: {f.Wanted: State.PENDING},
}
