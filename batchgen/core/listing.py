"""The service's task list: one look at it, and where in it the task of a lost answer would stand.

The list goes back 24 hours, and its rows have times of the service's own clock (Manage asynchronous
tasks, 2026). A *window* is the part of it in which the task of a doubt must have been made, if it
was. Wherever our clock has to stand in for the service's, the window is as wide as clocks at their
worst would have it: a task outside of it will be bought again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from batchgen.core.policy import RETENTION, Policy

CLOCKS_DIFFER = 60.0
"""Seconds by which the clocks of the service's own servers may differ."""

CLOCKS_UNKNOWN = 600.0
"""Seconds by which a moment may be wrong that was carried from our clock to the service's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A row of the list. ``created`` is in Unix seconds, on the service's clock."""

    task_id: str
    model: str
    created: float
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What a listed task says when it is asked; ``status`` is the service's word."""

    task_id: str
    status: str
    orig_prompt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A whole list, and when it was asked for: by our clock, and by the service's.

    ``service_now`` is None where the answer had no ``Date``. ``stand_in``: it is not the service
    that answered, so its clock may run at any speed.
    """

    rows: tuple[Listed, ...]
    asked_at: float
    service_now: float | None
    stand_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """A job whose task may be on the list, and the prompt that its task would repeat.

    ``prompt`` is as it was sent, None where none was or the model repeats none; ``limit`` is how
    many characters of it the model takes at least.
    """

    job: Job
    prompt: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when, by the service's clock."""

    since: float
    until: float

    def __contains__(self, row: Listed) -> bool:
        return self.since <= row.created <= self.until


def window(job: Job, look: Look, policy: Policy) -> Window:
    """Where in the list the job's task must stand, if there is one."""
    return Window(_since(job, look, policy), _until(job, look, policy))


def reaches(job: Job, look: Look, policy: Policy) -> bool:
    """Whether the list goes back to the moment at which the job's request was sent."""
    if (shown := _shown(job, look)) is not None and look.service_now is not None:
        return look.service_now - shown <= RETENTION
    return (look.asked_at - job.started_at) * policy.service_speed <= RETENTION


def _shown(job: Job, look: Look) -> float | None:
    """What the service's clock had shown before the request; None: nothing, or nonsense."""
    shown, now = job.service_time, look.service_now
    return None if shown is None or (now is not None and shown > now + CLOCKS_DIFFER) else shown


def _since(job: Job, look: Look, policy: Policy) -> float:
    if (shown := _shown(job, look)) is not None:
        return shown - CLOCKS_DIFFER
    elapsed = look.asked_at - job.started_at
    if look.service_now is None or look.stand_in or elapsed < 0:
        return -math.inf
    return look.service_now - elapsed * policy.service_speed - CLOCKS_UNKNOWN


def _until(job: Job, look: Look, policy: Policy) -> float:
    """Later than a task would count as absent that nobody else's hides.

    The service's clock is taken to be as fast as ours at least: so it may be the wrong speed.
    """
    if job.state is not State.IN_DOUBT or look.service_now is None:
        return math.inf
    elapsed = look.asked_at - job.lost_at - policy.settle
    return look.service_now - elapsed + CLOCKS_UNKNOWN
