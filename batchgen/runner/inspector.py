"""Has the service check an input, before the request that is paid for with it.

The answer comes at once, and there is nothing to ask when it is lost. So a lost check is simply
made again, a few times: each costs a fraction of a cent, which stays reserved (Wan2.2-S2V image
detection API reference, 2026-05: CNY 0.004 an image).
"""

from __future__ import annotations

from typing import Any

from batchgen.catalog import Media
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.policy import backoff
from batchgen.core.standing import Standing
from batchgen.dashscope.answers import Ambiguous, Checked, Refused
from batchgen.dashscope.client import Service
from batchgen.dashscope.connection import Unsent
from batchgen.dashscope.refusals import RefusalKind
from batchgen.runner.errand import Errand
from batchgen.runner.needs import inspected
from batchgen.runner.outcome import Outcome, about_need, code_of, stop

INPUT_TRIES = 3
"""How often an input is sent that the service could not fetch in time."""


class Inspector:
    """Turns an input that jobs need checked into the facts of its check."""

    def __init__(self, errand: Errand, service: Service, standing: Standing) -> None:
        self._errand = errand
        self._service = service
        self._standing = standing

    async def inspect(self, job: Job, need: f.Need) -> Outcome:
        """Ask about the input of one of the jobs that need it."""
        model, request = self._errand.model(job), self._errand.request(job)
        inspection = model.inspection(request) if model else None
        if inspection is None:
            return self._refused(
                job, need, "UnknownModel", f"the catalog has no {need.model}", heard=None
            )
        medium = inspected(inspection, request)
        url = medium.source
        if medium.sha256:
            preparations = self._standing.preparations
            url = preparations.url(job.account, inspection.model, medium.sha256)
        route = inspection.route
        match await self._service.check(route.path, inspection.body(url), route.headers):
            case Checked() as answer:
                return self._after_answer(job, need, medium, answer)
            case Refused() as answer:
                return self._after_refusal(job, need, answer)
            case Ambiguous(reason=reason):
                lost = f.CheckLost(**self._later(job, need, reason, None))
                return Outcome((lost,), heard=False, reason=reason)
            case Unsent() as unsent:
                deferred = self._deferred(job, need, "", unsent.reason, None)
                return Outcome(
                    (deferred,), heard=False, reason=unsent.reason, hopeless=unsent.lasting
                )

    def _after_answer(self, job: Job, need: f.Need, medium: Media, answer: Checked) -> Outcome:
        says = about_need(job, need, self._errand.clock.now())
        says |= {"cost": need.price, "final": medium.sha256 is not None}
        if answer.passed:
            return Outcome((f.CheckPassed(**says),), heard=True)
        failed = f.CheckFailed(**says, code=answer.code, message=answer.message)
        return Outcome((failed,), heard=True)

    def _after_refusal(self, job: Job, need: f.Need, answer: Refused) -> Outcome:
        code = code_of(answer)
        tries = self._standing.preparations.of((job.account, need)).failures(code)
        match answer.kind:
            case RefusalKind.FINAL:
                return self._refused(job, need, code, answer.message)
            case RefusalKind.INPUT if tries >= INPUT_TRIES:
                return self._refused(job, need, code, answer.message)
            case RefusalKind.MODEL | RefusalKind.ACCOUNT:
                deferred = self._deferred(job, need, code, answer.message, None)
                return Outcome((deferred, stop(job, answer, deferred.at)), heard=True)
            case _:
                deferred = self._deferred(job, need, code, answer.message, answer.retry_after)
                return Outcome((deferred,), heard=True)

    def _refused(
        self, job: Job, need: f.Need, code: str, message: str, *, heard: bool | None = True
    ) -> Outcome:
        says = about_need(job, need, self._errand.clock.now())
        return Outcome((f.CheckRefused(**says, code=code, message=message),), heard=heard)

    def _deferred(
        self, job: Job, need: f.Need, code: str, message: str, hint: float | None
    ) -> f.CheckDeferred:
        reason = f"{code}: {message}" if code else message
        return f.CheckDeferred(**self._later(job, need, reason, hint), code=code)

    def _later(self, job: Job, need: f.Need, reason: str, hint: float | None) -> dict[str, Any]:
        says = about_need(job, need, self._errand.clock.now())
        tries = self._standing.preparations.of((job.account, need)).tries + 1
        wait = backoff(tries, self._errand.dice.random(), hint=hint)
        return {**says, "until": says["at"] + wait, "reason": reason}
