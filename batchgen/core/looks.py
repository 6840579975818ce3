"""Which tasks are looked at next, and when a task has had looks enough.

A task is polled by the moment of its next look; young tasks, whose refusals come within seconds,
more often than old ones. One poll leaves at a time, as often as the query rate allows, and only so
many wait for their answers at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from batchgen.core import facts as f
from batchgen.core.actions import Poll
from batchgen.core.agenda import Agenda
from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from batchgen.core.policy import OVERDUE
from batchgen.core.queries import Queries
from batchgen.core.standing import Standing


class Looks:
    """The tasks that are to be polled, and those that were polled for too long."""

    def __init__(self, standing: Standing, queries: Queries) -> None:
        self._standing = standing
        self._policy = standing.policy
        self._queries = queries
        self._due: Agenda[str] = Agenda()
        """By the moment of the next look."""
        self._under_way: set[Poll] = set()
        self.stuck: set[str] = set()

    def __bool__(self) -> bool:
        """Somebody is to be looked at, now or later, if queries are wanted at all."""
        return bool(self._due) and self._queries.wanted

    def put(self, job: Job, fact: f.Fact) -> None:
        """A task is made; if it was found, or a new run takes it up, there is no need to wait."""
        at_once = isinstance(fact, f.Adopted) or not job.at_service
        self._due.put(job.id, 0.0 if at_once else fact.at + self._pause(job, fact.at))

    def put_stale(self, job: Job) -> None:
        """A result's URL leads nowhere: the task is asked for another, unless it is just now."""
        if job.stale_until is not None and Poll(job.id, job.attempt) not in self._under_way:
            self._due.put(job.id, job.stale_until)

    def drop(self, name: str) -> None:
        """The task is looked at no longer, or filed anew."""
        self._due.drop(name)
        self.stuck.discard(name)

    def clamp(self, latest: float) -> None:
        """Let nobody wait beyond this moment."""
        self._due.clamp(latest)

    def settle(self, action: Poll, now: float) -> None:
        """A look is over, and its facts are taken in: look again, unless it saw an end."""
        self._under_way.discard(action)
        job = self._standing.jobs[action.job]
        unseen = job.state is State.RENDERING
        unseen = unseen or (job.state is State.READY and job.stale_until is not None)
        if not unseen or job.id in self._due:
            return
        if self._has_lasted_too_long(job, now):
            self.stuck.add(job.id)
        else:
            self._due.put(job.id, now + self._pause(job, now))

    def begin(self, now: float) -> Iterator[Poll]:
        """At most one: the next is due when the query rate allows it, and ``next_at`` says when."""
        moment = self.next_at
        if moment is None or moment > now:
            return
        self._queries.charge(1, now)
        name = self._due.pop()
        poll = Poll(name, self._standing.jobs[name].attempt)
        self._under_way.add(poll)
        yield poll

    @property
    def next_at(self) -> float | None:
        """When the next look may be taken; None while none is wanted, or too many are under way."""
        due = self._due.first_key()
        if due is None or not self._queries.wanted:
            return None
        if len(self._under_way) >= self._policy.queries_in_flight:
            return None
        return max(due, self._queries.free_at)

    def _pause(self, job: Job, now: float) -> float:
        return self._policy.look_again_in(max(now - job.submitted_at, 0.0), job.model)

    def _has_lasted_too_long(self, job: Job, now: float) -> bool:
        """Seen running, or in the queue, for longer than the service itself allows."""
        if job.rendered:
            return now > job.expires + OVERDUE
        speed, running = self._policy.service_speed, now - (job.running_since or now)
        waited = now - job.submitted_at
        too_long = running * speed > self._policy.stuck_after
        return too_long or waited * speed > self._policy.gone_after
