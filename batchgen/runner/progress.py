"""How far a run has come: one small value, cheap enough to be made after every step."""

from __future__ import annotations

from dataclasses import dataclass

from batchgen.core.batch import Batch
from batchgen.core.lanes import Lane
from batchgen.core.lifecycle import NEEDS_A_PERSON, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Counts of jobs, money in micro-units of ``currency``, times in seconds."""

    total: int
    waiting: int
    at_service: int
    """Or perhaps so: lost answers whose tasks are looked for are counted here."""
    downloading: int
    done: int
    failed: int
    needs_a_person: int
    spent: int
    reserved: int
    currency: str | None
    seconds_left: float | None
    """Until the end at the pace seen so far; None before the first result."""
    pause: str | None = None
    """Why jobs that could be submitted are not, at the moment; None while all goes well."""
    pause_until: float | None = None


def progress_of(batch: Batch, now: float) -> Progress:
    """Where the batch is at this moment."""
    standing = batch.standing
    counts = standing.counts
    sought = sum(len(batch.doubts(*lane)) for lane in standing.lanes)
    waiting = [lane.gate for lane in standing.lanes.values() if batch.queued(lane)]
    gates = [*standing.gates.values(), *waiting]
    paused = max(gates, key=lambda gate: gate.paused_until, default=None)
    is_paused = paused is not None and paused.paused_until > now and counts[State.PENDING] > 0
    return Progress(
        total=sum(counts.values()) - counts[State.WITHDRAWN],
        waiting=counts[State.PENDING],
        at_service=counts[State.SUBMITTING] + counts[State.RENDERING] + sought,
        downloading=counts[State.READY],
        done=counts[State.DONE],
        failed=counts[State.FAILED] + counts[State.PARTIAL],
        needs_a_person=sum(counts[state] for state in NEEDS_A_PERSON) - sought,
        spent=standing.spent,
        reserved=standing.reserved,
        currency=standing.currency,
        seconds_left=_seconds_left(batch),
        pause=paused.reason if paused and is_paused else None,
        pause_until=paused.paused_until if paused and is_paused else None,
    )


def _seconds_left(batch: Batch) -> float | None:
    """The slowest lane decides, and then what lies ready still has to be fetched."""
    estimates = [_lane_seconds(batch, lane) for lane in batch.standing.lanes.values()]
    known = [seconds for seconds in estimates if seconds is not None]
    if not known or len(known) < len(estimates):
        return None
    ready = batch.standing.counts[State.READY]
    fetching = ready * batch.mean_fetch_seconds / batch.policy.downloads
    return max(fetching, *known)


def _lane_seconds(batch: Batch, lane: Lane) -> float | None:
    left = batch.queued(lane) + lane.in_flight
    if not left:
        return 0.0
    if lane.mean_render_seconds is None:
        return None
    at_once = min(left, batch.running(lane))
    return lane.mean_render_seconds * max(1.0, left / at_once)
