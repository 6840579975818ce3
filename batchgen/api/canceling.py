"""``cancel``: asks the service to cancel the tasks that it has not begun.

Only a task that is PENDING can be cancelled (Manage asynchronous tasks, 2026): it is not billed
then. One that runs, and one whose fate nobody knows, goes on and is collected like any other. The
journal says which tasks were seen running; these are not asked about.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchgen.api.endpoint import Endpoint, Place, find_endpoint, find_place
from batchgen.api.mixing import refuse_mixing
from batchgen.api.runs import Connect
from batchgen.api.settings import Settings
from batchgen.api.standing import JobReport, report_of
from batchgen.api.visiting import Visit, visit
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from batchgen.core.policy import backoff
from batchgen.dashscope.answers import Canceled, NoAnswer, Refused
from batchgen.dashscope.endpoint import is_private
from batchgen.dashscope.refusals import RefusalKind
from batchgen.errors import ExitCode
from batchgen.manifest import Manifest, output_folder
from batchgen.runner.outcome import about, code_of

if TYPE_CHECKING:
    from batchgen.dashscope.client import Service

PAUSE = 0.2
"""Seconds between two requests: a quarter of what the service allows an account, 20 a second
(Manage asynchronous tasks, 2026)."""

TRIES = 6
"""Requests for one task that the service asked to wait, or did not answer."""

_AT_SERVICE = {State.RENDERING, State.PARKED, State.LOST, State.SUBMITTING, State.IN_DOUBT}
"""Where a task may go on at the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoesOn:
    """A job that was not cancelled, and why."""

    job: JobReport
    why: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """What ended the asking before all tasks were asked about."""

    exit_code: ExitCode
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What came of it."""

    name: str
    folder: Path
    canceled: tuple[JobReport, ...] = ()
    """As they are now."""
    goes_on: tuple[GoesOn, ...] = ()
    stopped: Stopped | None = None

    @property
    def exit_code(self) -> ExitCode:
        """DONE where nothing of what was asked for goes on at the service."""
        if self.stopped is not None:
            return self.stopped.exit_code
        return ExitCode.MORE_TO_DO if self.goes_on else ExitCode.DONE


async def cancel(
    manifest: Manifest,
    settings: Settings,
    *,
    connect: Connect | None = None,
    place: Place | None = None,
    wall: Callable[[], float] = time.time,
) -> Cancellation:
    """Cancel the tasks of a batch that are still PENDING, oldest first: they would begin next.

    Asks for a key only if there is something to cancel. Raises BatchHeld while a run is at the
    batch, Mistake, MachineError.
    """
    folder = output_folder(manifest, settings.output, sandbox=settings.sandbox)
    with visit(manifest, settings, wall=wall) as here:
        if here is None:
            return Cancellation(name=manifest.name, folder=folder)
        jobs = [job for job in here.chosen(settings.only) if job.state in _AT_SERVICE]
        canceling = _Canceling(here)
        stopped = None
        if waiting := [job for job in jobs if _may_be_pending(job)]:
            way = connect or _way(place or find_place(), manifest)
            async with way() as endpoint:
                stopped = await canceling.ask(waiting, endpoint)
        left = [job for job in jobs if job.state is not State.CANCELED]
        return Cancellation(
            name=manifest.name,
            folder=folder,
            canceled=tuple(report_of(job) for job in jobs if job.state is State.CANCELED),
            goes_on=tuple(map(canceling.goes_on, left)),
            stopped=stopped,
        )


def _way(place: Place, manifest: Manifest) -> Connect:
    return lambda: nullcontext(find_endpoint(place, manifest.region, manifest.catalog))


def _may_be_pending(job: Job) -> bool:
    return job.state is State.RENDERING and job.running_since is None


class _Canceling:
    """One call, at one batch."""

    def __init__(self, here: Visit) -> None:
        self._here = here
        self._answers: dict[str, str] = {}
        """What the service said about a job's task instead of cancelling it."""

    def goes_on(self, job: Job) -> GoesOn:
        why = self._answers.get(job.id) or _UNASKED.get(job.state)
        if why is None:
            why = "it is rendering already" if job.running_since else "it was not asked about"
        return GoesOn(job=report_of(job, running=False), why=why)

    async def ask(self, jobs: list[Job], endpoint: Endpoint) -> Stopped | None:
        """Ask about one after another, oldest first; returns what ended that early."""
        from batchgen.dashscope.client import Service  # noqa: PLC0415 - aiohttp: where it is asked

        refuse_mixing(self._here.standing, private=is_private(endpoint.base_url))
        async with Service(
            endpoint.base_url, endpoint.key, workspace=endpoint.workspace, renew=endpoint.renew
        ) as service:
            for job in sorted(jobs, key=lambda job: job.submitted_at):
                if stopped := await self._cancel(job, service):
                    return stopped
        return None

    async def _cancel(self, job: Job, service: Service) -> Stopped | None:
        assert job.task_id
        silent = ""
        for tried in range(1, TRIES + 1):
            answer = await service.cancel(job.task_id)
            await asyncio.sleep(PAUSE)
            if isinstance(answer, Canceled):
                now = self._here.clock.now()
                await self._here.note(f.TaskCanceled(**about(job, now), asked=True))
                return None
            self._answers[job.id] = words = _words(answer)
            if answer.kind is RefusalKind.ACCOUNT:
                return Stopped(ExitCode.ACCOUNT, words)
            if answer.kind not in {RefusalKind.LATER, None}:
                return None
            silent = "" if isinstance(answer, Refused) or answer.heard else words
            await asyncio.sleep(backoff(tried, 1.0, hint=answer.retry_after))
        return Stopped(ExitCode.UNREACHABLE, silent) if silent else None


def _words(answer: Refused | NoAnswer) -> str:
    match answer:
        case Refused(code="UnsupportedOperation"):
            return "it is no longer PENDING at the service"
        case Refused():
            return f"the service refused: {code_of(answer)}: {answer.message}"
        case NoAnswer():
            return f"nobody knows whether it was cancelled, the next run asks: {answer.reason}"


_UNASKED: Mapping[State, str] = {
    State.SUBMITTING: "its request is in doubt: there is no task to name",
    State.IN_DOUBT: "its request is in doubt: there is no task to name",
    State.PARKED: "it is stuck at the service",
    State.LOST: "the service did not know its task",
}
