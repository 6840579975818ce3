"""Asks where a task stands, and says what that means for its job.

No failed question ends a job: only an answer about the task does.
"""

from __future__ import annotations

from typing import Any

from batchgen.catalog import Model
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.policy import RETENTION, Policy, backoff
from batchgen.dashscope.answers import NoAnswer, ResultError, ResultUrl, Task, TaskStatus
from batchgen.dashscope.client import Service
from batchgen.dashscope.refusals import RefusalKind
from batchgen.runner.errand import Errand
from batchgen.runner.outcome import Outcome, about


class Poller:
    """Turns a look at a task into facts."""

    def __init__(self, errand: Errand, service: Service, policy: Policy) -> None:
        self._errand = errand
        self._service = service
        self._policy = policy
        self._throttled = 0

    async def poll(self, job: Job) -> Outcome:
        """GET the job's task."""
        model = self._errand.model(job)
        if model is None or job.task_id is None:
            parked = f.Parked(
                **about(job, self._errand.clock.now()),
                reason=f"the catalog no longer has {job.model}: its answer cannot be read",
            )
            return Outcome((parked,))
        match await self._service.task(job.task_id, model.result_shape):
            case NoAnswer() as answer:
                return self._after_no_answer(job, answer)
            case Task() as task:
                self._throttled = 0
                return self._after_task(job, model, task)

    def _after_no_answer(self, job: Job, answer: NoAnswer) -> Outcome:
        now = self._errand.clock.now()
        if answer.kind is RefusalKind.ACCOUNT:
            stop = f.LaneStopped(
                at=now,
                account=job.account,
                model=None,
                code="KeyRefused",
                message=answer.reason,
            )
            return Outcome((stop,), heard=True, key_refused=True)
        if answer.throttled:
            self._throttled += 1
            wait = backoff(self._throttled, self._errand.dice.random(), hint=answer.retry_after)
            return Outcome(heard=True, queries_wait=now + wait)
        return Outcome(heard=answer.heard, reason=answer.reason)

    def _after_task(self, job: Job, model: Model, task: Task) -> Outcome:
        says = about(job, self._errand.clock.now())
        match task.status:
            case TaskStatus.SUCCEEDED:
                return self._succeeded(job, model, task, says)
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

    def _succeeded(self, job: Job, model: Model, task: Task, says: dict[str, Any]) -> Outcome:
        urls = {
            (job.id, job.attempt, index): result.url
            for index, result in enumerate(task.results)
            if isinstance(result, ResultUrl)
        }
        if not urls:
            reason = "the task succeeded, but its answer names no result"
            return Outcome((f.Parked(**says, reason=reason),), heard=True)
        ends = [result.expires for result in task.results if isinstance(result, ResultUrl)]
        cost = None
        if task.usage is not None:
            cost = model.cost(self._errand.request(job), task.usage, self._errand.region)
        rendered = f.Rendered(
            **says,
            results=self._references(job, task),
            expires=min((end for end in ends if end), default=says["at"] + RETENTION),
            usage=task.usage,
            cost=cost.micro if cost else None,
            submit_time=task.submit_time,
            end_time=task.end_time,
            request_id=task.request_id,
            orig_prompt=task.orig_prompt,
            actual_prompt=task.actual_prompt,
            texts=task.texts,
        )
        return Outcome((rendered,), links=urls, heard=True)

    def _references(self, job: Job, task: Task) -> tuple[f.ResultRef, ...]:
        """As many as were asked for: those that the answer leaves out have failed, too."""
        told = tuple(map(_reference, task.results))
        left_out = self._errand.request(job).results - len(told)
        missing = f.ResultRef(code="Missing", message="the answer has fewer results than asked")
        return told + (missing,) * left_out

    def _unknown(self, job: Job, says: dict[str, Any]) -> tuple[f.Fact, ...]:
        """UNKNOWN: not there, not ours, or older than the service remembers."""
        age = (says["at"] - job.submitted_at) * self._policy.service_speed
        if says["at"] > job.expires if job.rendered else age > RETENTION:
            reason = "the service has forgotten the task: results are kept for 24 hours"
            return (f.Expired(**says, reason=reason),)
        if age <= self._policy.unknown_grace:
            return ()
        reason = "the service does not know the task it made; was the key or region changed?"
        return (f.Lost(**says, reason=reason),)


def _reference(result: ResultUrl | ResultError) -> f.ResultRef:
    match result:
        case ResultUrl(path=path):
            return f.ResultRef(path=path)
        case ResultError(code=code, message=message):
            return f.ResultRef(code=code, message=message)
