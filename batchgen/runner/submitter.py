"""Sends one request, once, and says what came of it.

The one rule: a request that may have reached the service is never sent again from here. Only an
answered refusal or a connection that was never made sends the job back into line (``Deferred``);
everything else is ``SubmitLost``, and the service's list is asked what came of it (``searcher``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from batchgen.catalog import Answer, Model, Request
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.policy import backoff
from batchgen.core.standing import Standing
from batchgen.dashscope.answers import Accepted, Ambiguous, Refused, Task
from batchgen.dashscope.client import Service
from batchgen.dashscope.connection import Unsent
from batchgen.dashscope.refusals import RefusalKind
from batchgen.errors import BatchgenError
from batchgen.runner.errand import Errand
from batchgen.runner.media import MediaChanged, addresses
from batchgen.runner.mishaps import BUG, reason_of
from batchgen.runner.outcome import Outcome, about, code_of, stop
from batchgen.runner.rendering import rendered

LABEL_HEADER = "X-Batchgen-Job"

GIVEN_ONCE = "the answer would have been the result itself, and cannot be asked for again"

INPUT_TRIES = 3
"""How often a request is sent whose media the service could not fetch in time."""


class Submitter:
    """Turns a job that is being submitted into the facts of its answer."""

    def __init__(
        self, errand: Errand, service: Service, standing: Standing, *, labels: bool
    ) -> None:
        self._errand = errand
        self._service = service
        self._standing = standing
        self._labels = labels

    async def submit(self, job: Job) -> Outcome:
        """POST the job's request. Only the caller's cancellation ends it without an outcome."""
        request, model = self._errand.request(job), self._errand.model(job)
        if model is None:
            return self._unsent(job, "UnknownModel", f"the catalog has no {job.model}")
        try:
            body = await self._body(job, model, request)
        except BatchgenError:
            raise
        except Exception as error:  # noqa: BLE001 - nothing has left yet, so nothing is in doubt
            return self._without_body(job, error)
        match await self._send(job, model, request.answer, body):
            case Task() as task:
                return rendered(self._errand, job, model, task)
            case Accepted(task_id=task_id) if task_id in self._standing.task_ids:
                return self._lost(job, f"the answer names task {task_id}, which is another job's")
            case Accepted(task_id=task_id, request_id=request_id):
                fact = f.Submitted(
                    **about(job, self._errand.clock.now()), task_id=task_id, request_id=request_id
                )
                return Outcome((fact,), heard=True)
            case Refused() as answer:
                return self._after_refusal(job, answer)
            case Ambiguous(reason=reason, evidence=evidence):
                return self._lost(job, f"{reason}: {evidence}" if evidence else reason)
            case Unsent() as unsent:
                return self._after_unsent(job, unsent)

    async def _body(self, job: Job, model: Model, request: Request) -> dict[str, Any]:
        uploaded = partial(self._standing.preparations.url, job.account, job.model)
        on_the_wire = await addresses(model, request, self._errand.folder, uploaded)
        return model.body(request, on_the_wire.__getitem__)

    def _without_body(self, job: Job, error: Exception) -> Outcome:
        if isinstance(error, MediaChanged):
            return self._unsent(job, "InputChanged", str(error))
        return replace(self._unsent(job, BUG, reason_of(error)), bug=error)

    async def _send(
        self, job: Job, model: Model, answer: Answer, body: Mapping[str, Any]
    ) -> Task | Accepted | Refused | Ambiguous | Unsent:
        route = model.route(answer)
        headers = {**route.headers, **self._label(job)}
        if answer is Answer.TASK:
            return await self._service.submit(route.path, body, headers)
        streamed = answer is Answer.STREAM
        shape = model.result_shape
        return await self._service.ask(route.path, body, headers, shape, streamed=streamed)

    def _label(self, job: Job) -> dict[str, str]:
        """A private stand-in is told the job's name, to show it; the service gets only its own."""
        return {LABEL_HEADER: quote(job.id)} if self._labels else {}

    def _after_refusal(self, job: Job, answer: Refused) -> Outcome:
        code, message = code_of(answer), answer.message
        match answer.kind:
            case RefusalKind.FINAL:
                return self._refused(job, code, message)
            case RefusalKind.INPUT if job.code == code and job.tries + 1 >= INPUT_TRIES:
                return self._refused(job, code, message)
            case RefusalKind.INPUT:
                return Outcome((self._deferred(job, code, message, None),), heard=True)
            case RefusalKind.LATER:
                # Limits are counted by model: the others need not wait for this one.
                pause = self._pause(job, job.model, f"{code}: {message}", answer.retry_after)
                return Outcome((self._deferred(job, code, message, 0.0), pause), heard=True)
            case RefusalKind.MODEL | RefusalKind.ACCOUNT:
                deferred = self._deferred(job, code, message, 0.0)
                return Outcome((deferred, stop(job, answer, deferred.at)), heard=True)

    def _lost(self, job: Job, reason: str) -> Outcome:
        """Nobody knows. What loses one answer may lose the next, so the account waits, each time
        longer, instead of putting one job after another in doubt.
        """
        now = self._errand.clock.now()
        told = f"{reason}; {GIVEN_ONCE}" if job.direct else reason
        lost = f.SubmitLost(**about(job, now), reason=told)
        return Outcome((lost, self._pause(job, None, reason, None)), heard=False, reason=reason)

    def _after_unsent(self, job: Job, unsent: Unsent) -> Outcome:
        """The network, not the job: the whole account waits, and its jobs keep their places."""
        deferred = self._deferred(job, "Unsent", unsent.reason, 0.0)
        pause = self._pause(job, None, unsent.reason, None)
        return Outcome(
            (deferred, pause), heard=False, reason=unsent.reason, hopeless=unsent.lasting
        )

    def _refused(self, job: Job, code: str, message: str) -> Outcome:
        fact = f.Refused(**about(job, self._errand.clock.now()), code=code, message=message)
        return Outcome((fact,), heard=True)

    def _unsent(self, job: Job, code: str, message: str) -> Outcome:
        """Found wrong here, at the last moment: nobody was asked."""
        says = about(job, self._errand.clock.now())
        return Outcome((f.Refused(**says, code=code, message=message, sent=False),))

    def _deferred(self, job: Job, code: str, message: str, wait: float | None) -> f.Deferred:
        """Back into line; ``wait`` is None where the job itself has to pause."""
        now = self._errand.clock.now()
        seconds = backoff(job.tries + 1, self._errand.dice.random()) if wait is None else wait
        return f.Deferred(**about(job, now), until=now + seconds, code=code, message=message)

    def _pause(self, job: Job, model: str | None, reason: str, hint: float | None) -> f.LanePaused:
        now = self._errand.clock.now()
        gate = self._standing.gate(job) if model is None else self._standing.lane(job).gate
        until = now + backoff(gate.pauses + 1, self._errand.dice.random(), hint=hint)
        return f.LanePaused(at=now, account=job.account, model=model, until=until, reason=reason)
