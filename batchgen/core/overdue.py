"""Facts that nobody brings: of what a dead run left behind, and of what is over by itself.

A job that waits for such a fact is filed here, and the next decision says it. Requests whose
answers nobody waits for any more, and jobs that are parked, wait for the next run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from batchgen.core.standing import Standing

RETRY_AFTER = 30.0
"""Seconds between a failed task and the next attempt that the policy allows."""


class Overdue:
    """The jobs about which something is to be said, by what it is."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._posts: set[str] = set()
        self._parked: set[str] = set()
        self._orphans: list[str] = []
        """Of these, those that this run has found: their answers are lost."""
        self._unparked: list[str] = []
        self.retries: set[str] = set()
        """Failed, and worth another attempt."""
        self._out_of_reach: set[str] = set()

    def __bool__(self) -> bool:
        """Something is to be said, or a request is under way."""
        return bool(self._posts or self._unparked or self.retries or self._out_of_reach)

    def start_run(self) -> None:
        """What another run has left is taken up."""
        self._orphans, self._unparked = sorted(self._posts), sorted(self._parked)

    def put(self, job: Job, fact: f.JobFact) -> None:
        """File a job, if it is one of these."""
        match job.state:
            case State.SUBMITTING:
                self._posts.add(job.id)
            case State.PARKED | State.LOST:
                self._parked.add(job.id)
            case State.READY if job.is_out_of_reach:
                self._out_of_reach.add(job.id)
            case State.FAILED if self._standing.is_tried_again(fact):
                self.retries.add(job.id)
            case _:
                pass

    def drop(self, name: str) -> None:
        """Forget a job, wherever it stands."""
        for names in (self._posts, self._parked, self.retries, self._out_of_reach):
            names.discard(name)

    def facts(self, now: float) -> Iterator[f.JobFact]:
        """What is to be said at this moment; each must be taken in before the next is asked for."""
        orphans, self._orphans = self._orphans, []
        for job in self._jobs(orphans):
            yield lost_answer(job, now)
        unparked, self._unparked = self._unparked, []
        for job in self._jobs(unparked):
            yield (f.Reopened if job.rendered else f.Unparked)(**about(job, now))
        for job in self._jobs(sorted(self.retries)):
            yield f.Requeued(
                **about(job, now),
                until=now + RETRY_AFTER / self._standing.policy.service_speed,
                reason=f"{job.code} is worth another attempt",
            )
        for job in self._jobs(sorted(self._out_of_reach)):
            reason = "its addresses lead nowhere, and an answer without a task is given only once"
            yield f.Expired(**about(job, now), reason=reason)

    def _jobs(self, names: Iterable[str]) -> list[Job]:
        return [self._standing.jobs[name] for name in names]


def lost_answer(job: Job, now: float) -> f.SubmitLost:
    """Of a request whose run has ended before its answer came: nobody waits for it any more."""
    reason = "the run that sent it ended while the answer was under way"
    if job.direct:
        reason += "; it would have been the result itself, and cannot be asked for again"
    return f.SubmitLost(**about(job, now), reason=reason)


def about(job: Job, now: float) -> dict[str, Any]:
    """What every fact about this attempt says first."""
    return {"at": now, "account": job.account, "job": job.id, "attempt": job.attempt}
