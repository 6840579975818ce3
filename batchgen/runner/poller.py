"""Asks where a task stands, and says what that means for its job.

No failed question ends a job: only an answer about the task does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from batchgen.catalog import Model
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.news import News
from batchgen.core.policy import Policy
from batchgen.dashscope.answers import NoAnswer, Task, TaskStatus
from batchgen.dashscope.client import Service
from batchgen.dashscope.refusals import RefusalKind
from batchgen.runner.errand import Errand
from batchgen.runner.outcome import Outcome, about
from batchgen.runner.rendering import rendered
from batchgen.runner.throttle import Throttle


class Poller:
    """Turns a look at a task into facts."""

    def __init__(
        self, errand: Errand, service: Service, policy: Policy, throttle: Throttle
    ) -> None:
        self._errand = errand
        self._service = service
        self._policy = policy
        self._throttle = throttle

    async def poll(self, job: Job) -> Outcome:
        """GET the job's task."""
        model = self._errand.model(job)
        if model is None or job.task_id is None:
            parked = f.Parked(
                **about(job, self._errand.clock.now()),
                reason=f"the catalog no longer has {job.model}: its answer cannot be read",
            )
            return Outcome((parked,))
        asked_at = self._errand.clock.now()
        match await self._service.task(job.task_id, model.result_shape):
            case NoAnswer() as answer:
                return self._after_no_answer(job, answer, asked_at)
            case Task() as task:
                self._throttle.is_over()
                return self._after_task(job, model, task)

    def _after_no_answer(self, job: Job, answer: NoAnswer, asked_at: float) -> Outcome:
        now = self._errand.clock.now()
        if answer.kind is RefusalKind.ACCOUNT:
            return key_refused(job.account, answer, now)
        if answer.throttled:
            until = self._throttle.wait_until(answer, asked_at=asked_at)
            return Outcome(heard=True, news=News(answered=False, wait_until=until))
        news = News(answered=answer.heard, unclear=True)
        return Outcome(heard=answer.heard, reason=answer.reason, news=news)

    def _after_task(self, job: Job, model: Model, task: Task) -> Outcome:
        says = about(job, self._errand.clock.now())
        match task.status:
            case TaskStatus.SUCCEEDED:
                outcome = rendered(self._errand, job, model, task)
                return replace(outcome, news=News(lateness=self._lateness(task)))
            case TaskStatus.RUNNING if job.running_since is None and not job.rendered:
                return Outcome((f.RenderingStarted(**says),), heard=True)
            case TaskStatus.FAILED if not job.rendered:
                code, message = task.code or "Failed", task.message or "the service says no more"
                return Outcome((f.TaskFailed(**says, code=code, message=message),), heard=True)
            case TaskStatus.CANCELED if not job.rendered:
                return Outcome((f.TaskCanceled(**says),), heard=True)
            case TaskStatus.UNKNOWN:
                return Outcome(self._unknown(job, says), heard=True)
            case _:
                return Outcome(heard=True)

    def _lateness(self, task: Task) -> float | None:
        now = self._service.service_time
        return None if task.end_time is None or now is None else max(now - task.end_time, 0.0)

    def _unknown(self, job: Job, says: dict[str, Any]) -> tuple[f.Fact, ...]:
        """UNKNOWN: not there, not ours, or older than the service remembers.

        Results are kept for a day after their task has ended, which may be hours after the submit;
        and only who asks with the key that made the task can be told that they are gone.
        """
        age = (says["at"] - job.submitted_at) * self._policy.service_speed
        if age <= self._policy.unknown_grace:
            return ()
        if job.endpoint not in {None, self._service.endpoint}:
            reason = "the service does not know the task, which was made with another key or region"
            return (f.Lost(**says, reason=reason),)
        if says["at"] > job.expires if job.rendered else age > self._policy.gone_after:
            reason = "the service has forgotten the task: results are kept for 24 hours"
            return (f.Expired(**says, reason=reason),)
        reason = "the service does not know the task it made; was the key or region changed?"
        return (f.Lost(**says, reason=reason),)


def key_refused(account: str, answer: NoAnswer, now: float) -> Outcome:
    """Not even questions are answered any more: a person must act."""
    stop = f.LaneStopped(
        at=now, account=account, model=None, code="KeyRefused", message=answer.reason
    )
    return Outcome((stop,), heard=True, news=News(key_refused=True))
