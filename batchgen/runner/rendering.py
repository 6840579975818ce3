"""Turns results that the service has made into the fact that tells of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from batchgen.catalog import Model, Request
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.policy import RETENTION
from batchgen.dashscope.answers import ResultError, ResultUrl, Task
from batchgen.runner.errand import Errand
from batchgen.runner.outcome import Outcome, about


def rendered(errand: Errand, job: Job, model: Model, task: Task) -> Outcome:
    """What a task that succeeded, or an answer that is the result itself, means for its job."""
    says = about(job, errand.clock.now())
    urls = {
        (job.id, job.attempt, index): result.url
        for index, result in enumerate(task.results)
        if isinstance(result, ResultUrl)
    }
    if not urls:
        reason = "the task succeeded, but its answer names no result"
        return Outcome((f.Parked(**says, reason=reason),), heard=True)
    ends = [result.expires for result in task.results if isinstance(result, ResultUrl)]
    request = errand.request(job)
    fact = f.Rendered(
        **says,
        results=_references(request, task),
        # No link outlives its day, whatever it says of itself.
        expires=min([says["at"] + RETENTION, *filter(None, ends)]),
        usage=task.usage,
        cost=_cost(errand, model, request, task.usage),
        submit_time=task.submit_time,
        end_time=task.end_time,
        request_id=task.request_id,
        orig_prompt=task.orig_prompt,
        actual_prompt=task.actual_prompt,
        texts=task.texts,
        scheduled_time=task.scheduled_time,
    )
    return Outcome((fact,), links=urls, heard=True)


def _cost(errand: Errand, model: Model, request: Request, usage: Any) -> int | None:
    """Of the results alone: a check of their input is billed for itself, once for many jobs."""
    if usage is None:
        return None
    cost = model.cost(replace(request, detect=False), usage, errand.region)
    return cost.micro if cost else None


def _references(request: Request, task: Task) -> tuple[f.ResultRef, ...]:
    """As many as were asked for: those that the answer leaves out have failed, too."""
    told = tuple(map(_reference, task.results))
    missing = f.ResultRef(code="Missing", message="the answer has fewer results than asked")
    return told + (missing,) * (_surely(request) - len(told))


def _surely(request: Request) -> int:
    """How many results the service promises; where the number is an upper bound, one (Wan image
    generation and editing, 2026-05-30).
    """
    settings = request.parameters
    open_ended = "max_images" in settings or settings.get("enable_sequential") is True
    return 1 if open_ended else request.results


def _reference(result: ResultUrl | ResultError) -> f.ResultRef:
    match result:
        case ResultUrl(path=path):
            return f.ResultRef(path=path)
        case ResultError(code=code, message=message):
            return f.ResultRef(code=code, message=message)
