"""``retry``: marks jobs that the next run sends again. Sends nothing, and needs no key.

A mark is a fact (``Renewed``): what may still be billed for the attempt that is given up stays
reserved, what was billed stays spent. What lies on disk of a job that was paid for leaves its place
for ``.batchgen/replaced`` after the mark; a death between the two is healed by the next run, which
does the same with what it finds there (``arrival``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain
from pathlib import Path

from batchgen.api.arrival import left_over
from batchgen.api.inspection import flawed_results
from batchgen.api.settings import Settings
from batchgen.api.standing import JobReport, report_of
from batchgen.api.visiting import Visit, visit
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from batchgen.core.overdue import lost_answer
from batchgen.errors import ExitCode
from batchgen.manifest import Manifest, output_folder
from batchgen.runner.outcome import about


class Choice(StrEnum):
    """Which jobs are to be sent again; the value is the option that says so."""

    UNPAID = ""
    IN_DOUBT = "--in-doubt"
    EXPIRED = "--expired"
    LOST = "--lost"
    PARTIAL = "--partial"


_CHOSEN_BY: Mapping[State, Choice] = {
    State.FAILED: Choice.UNPAID,
    State.CANCELED: Choice.UNPAID,
    State.IN_DOUBT: Choice.IN_DOUBT,
    State.SUBMITTING: Choice.IN_DOUBT,
    State.EXPIRED: Choice.EXPIRED,
    State.LOST: Choice.LOST,
    State.PARKED: Choice.LOST,
    State.PARTIAL: Choice.PARTIAL,
}
"""The choice that marks a job in this state; under the lock, nobody is submitting any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A job that the next run sends again."""

    job: JobReport
    """As it was, and at today's price."""
    choice: Choice
    replaced: tuple[str, ...]
    """Files that were moved to ``.batchgen/replaced``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A job that stays as it is, and why."""

    job: JobReport
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What came of it."""

    name: str
    folder: Path
    marked: tuple[Marked, ...]
    kept: tuple[Kept, ...]
    """All that were asked for, but for those that are done."""
    done: int

    @property
    def exit_code(self) -> ExitCode:
        """A mark is all that was asked for, and there may be nothing to mark."""
        return ExitCode.DONE

    @property
    def by_choice(self) -> Mapping[Choice, tuple[JobReport, ...]]:
        """The marked jobs, by what marked them."""
        kinds = dict.fromkeys(one.choice for one in self.marked)
        return {kind: tuple(one.job for one in self.marked if one.choice is kind) for kind in kinds}


async def retry(
    manifest: Manifest,
    settings: Settings,
    choices: Collection[Choice] = (),
    *,
    wall: Callable[[], float] = time.time,
) -> Retried:
    """Mark the jobs that the choices name, failed and cancelled ones without a choice.

    Raises BatchHeld while a run is at it, Mistake, MachineError.
    """
    folder = output_folder(manifest, settings.output, sandbox=settings.sandbox)
    with visit(manifest, settings, wall=wall) as here:
        if here is None:
            return Retried(name=manifest.name, folder=folder, marked=(), kept=(), done=0)
        retrying = _Retrying(here, manifest, frozenset(choices or {Choice.UNPAID}))
        return await retrying.retry(folder, settings.only)


class _Retrying:
    """One call, at one batch."""

    def __init__(self, here: Visit, manifest: Manifest, choices: frozenset[Choice]) -> None:
        self._here = here
        self._choices = choices
        self._prices = {job.id: job.price for job in manifest.jobs}
        self._facts: list[f.JobFact] = []
        self._marked: list[Marked] = []
        self._kept: list[Kept] = []
        self._done = 0

    async def retry(self, folder: Path, only: str | None) -> Retried:
        there = {path.name for path in self._here.tree.folder.iterdir()}
        for job in self._here.chosen(only):
            choice = await self._choice_for(job)
            if choice in self._choices and job.id in self._prices:
                self._mark(job, choice, there)
            elif job.state is State.DONE:
                self._done += 1
            else:
                self._kept.append(Kept(job=self._report(job), why=self._why(job, choice)))
        await self._here.note(*self._facts)
        for name in chain.from_iterable(one.replaced for one in self._marked):
            await self._here.tree.set_aside(name)
        return Retried(
            name=folder.name,
            folder=folder,
            marked=tuple(self._marked),
            kept=tuple(self._kept),
            done=self._done,
        )

    async def _choice_for(self, job: Job) -> Choice | None:
        """What would mark the job. What is done counts as expired where a file is no longer as it
        was saved and the service no longer has it, which only a look at each file can tell.
        """
        finished = job.state in {State.DONE, State.PARTIAL}
        if finished and Choice.EXPIRED in self._choices and self._here.is_beyond_reach(job):
            document = await self._here.sealer.document(job)
            if await flawed_results(self._here.tree, job, document):
                return Choice.EXPIRED
        return _CHOSEN_BY.get(job.state)

    def _mark(self, job: Job, choice: Choice, there: Collection[str]) -> None:
        report, now = self._report(job), self._here.clock.now()
        if job.state is State.SUBMITTING:
            self._facts.append(lost_answer(job, now))
        self._facts.append(f.Renewed(**about(job, now), reason=f"asked for: {_ASKED[choice]}"))
        self._marked.append(Marked(job=report, choice=choice, replaced=left_over(job, there)))

    def _report(self, job: Job) -> JobReport:
        listed = job.id in self._prices
        return replace(report_of(job, running=False, price=self._prices.get(job.id)), listed=listed)

    def _why(self, job: Job, choice: Choice | None) -> str:
        if job.id not in self._prices:
            return "the manifest no longer names it"
        if job.state is State.PENDING:
            return "it waits to be sent already"
        if choice is None:
            return "its task goes on at the service, and the next run or `collect` fetches it"
        if choice is Choice.UNPAID:
            return "`batchgen retry` without an option marks it"
        return f"only `{choice}` marks it"


_ASKED: Mapping[Choice, str] = {
    Choice.UNPAID: "nothing was billed",
    Choice.IN_DOUBT: "it may be bought twice",
    Choice.EXPIRED: "it is paid for again",
    Choice.LOST: "it may be paid for twice",
    Choice.PARTIAL: "it is paid for again, what has come included",
}
