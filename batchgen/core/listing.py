"""The service's task list: one look at it, and where in it the task of a lost answer would stand.

The list goes back 24 hours, and its rows have times of the service's own clock (Manage asynchronous
tasks, 2026). A *window* is the part of it in which the task of a doubt must have been made, if it
was. A task outside of it will be bought again, so it begins early, with what the service's own
clock had shown before the request was sent; where nothing had, it begins with the list. Our clock
does not stand in for the service's: it may have been set, or have slept, since then. But a task is
taken for the doubt's only if it was not made before that moment.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from batchgen.core.policy import RETENTION, Policy

CLOCKS_DIFFER = 60.0
"""Seconds by which the clocks of the service's own servers may differ."""

WHOLE_SECONDS = 2.0
"""Seconds by which one of these may seem to be behind: they show whole ones in a ``Date``."""

LEEWAY = 600.0
"""Seconds after the moment at which absence could have been said: by the service's clock that is
only about then."""


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

    ``service_now`` is None where the answer had no ``Date``. ``endpoint`` is a fingerprint of the
    host and the key that were asked (see ``facts.Connected``).
    """

    rows: tuple[Listed, ...]
    asked_at: float
    service_now: float | None
    endpoint: str | None = None


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
    """From when to when, by the service's clock; from ``sent`` on, no request was earlier."""

    since: float
    sent: float | None
    until: float

    def __contains__(self, row: Listed) -> bool:
        return self.since <= row.created <= self.until

    def follows(self, row: Listed) -> bool | None:
        """Whether the task was made after the request was sent; None: nobody can say."""
        return None if self.sent is None else self.sent <= row.created <= self.until


def window(job: Job, look: Look, policy: Policy) -> Window:
    """Where in the list the job's task must stand, if there is one."""
    until = _until(job, look, policy)
    if (shown := shown_before(job, look)) is None:
        return Window(-math.inf, None, until)
    return Window(shown - CLOCKS_DIFFER, shown - WHOLE_SECONDS, until)


def reaches(job: Job, look: Look, policy: Policy) -> bool | None:
    """Whether the list goes back to the moment at which the job's request was sent; None: only our
    clock could say, and it says that it does not, or that the moment is yet to come.
    """
    if (shown := shown_before(job, look)) is not None and look.service_now is not None:
        return look.service_now - shown <= RETENTION
    age = (look.asked_at - job.started_at) * policy.service_speed
    return True if 0 <= age <= RETENTION else None


def is_elsewhere(job: Job, look: Look) -> bool:
    """Whether another host or key was asked than the one that the job's request was sent to."""
    return job.endpoint not in {None, look.endpoint}


def keeps_time(jobs: Iterable[Job], look: Look) -> bool:
    """Whether none of these jobs' tasks seems to have been made before its request was sent."""
    created = {row.task_id: row.created for row in look.rows}
    for job in jobs:
        made, shown = created.get(job.task_id or ""), shown_before(job, look)
        if made is not None and shown is not None and made < shown - CLOCKS_DIFFER:
            return False
    return True


def has_come_past(job: Job, look: Look, policy: Policy) -> bool:
    """Whether the list shows a task, anybody's, that was made after the job's answer was lost."""
    if look.service_now is None:
        return False
    elapsed = (look.asked_at - job.lost_at) * policy.service_speed
    lost = look.service_now - elapsed + WHOLE_SECONDS
    return any(row.created > lost for row in look.rows)


def shown_before(job: Job, look: Look) -> float | None:
    """What the service's clock had shown before the request; None: nothing, or nonsense."""
    shown, now = job.service_time, look.service_now
    return None if shown is None or (now is not None and shown > now + CLOCKS_DIFFER) else shown


def _until(job: Job, look: Look, policy: Policy) -> float:
    """Later than a task would count as absent that nobody else's hides.

    The service's clock is taken to be as fast as ours at least: so it may be the wrong speed.
    """
    if job.state is not State.IN_DOUBT or look.service_now is None:
        return math.inf
    elapsed = look.asked_at - job.lost_at - policy.settle
    return look.service_now - elapsed + LEEWAY
