"""``retry``: marks jobs that the next run sends again. Sends nothing, and needs no key.

A mark is a fact (``Renewed``): what may still be billed for the attempt that is given up stays
reserved, what was billed stays spent. What lies on disk of a job that was paid for leaves its place
for ``.batchgen/replaced`` before it is marked; a death between the two leaves a job without its
files, which the next call marks as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from batchgen.api.arrival import left_over
from batchgen.api.inspection import flawed_results
from batchgen.api.settings import Settings
from batchgen.api.standing import JobReport, report_of
from batchgen.api.visiting import Visit, lost_answer, visit
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from batchgen.manifest import Manifest, output_folder
from batchgen.runner.outcome import about


class Wish(StrEnum):
    """Which jobs are to be sent again; the value is the option that says so."""

    UNPAID = ""
    IN_DOUBT = "--in-doubt"
    EXPIRED = "--expired"
    LOST = "--lost"
    PARTIAL = "--partial"


_WISHED: Mapping[State, Wish] = {
    State.FAILED: Wish.UNPAID,
    State.CANCELED: Wish.UNPAID,
    State.IN_DOUBT: Wish.IN_DOUBT,
    State.SUBMITTING: Wish.IN_DOUBT,
    State.EXPIRED: Wish.EXPIRED,
    State.LOST: Wish.LOST,
    State.PARKED: Wish.LOST,
    State.PARTIAL: Wish.PARTIAL,
}
"""The wish that marks a job in this state; under the lock, nobody is submitting any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A job that the next run sends again."""

    job: JobReport
    """As it was, and at today's price."""
    wish: Wish
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
    def by_wish(self) -> Mapping[Wish, tuple[JobReport, ...]]:
        """The marked jobs, by what marked them."""
        kinds = dict.fromkeys(one.wish for one in self.marked)
        return {wish: tuple(one.job for one in self.marked if one.wish is wish) for wish in kinds}


async def retry(
    manifest: Manifest,
    settings: Settings,
    wishes: Collection[Wish] = (),
    *,
    wall: Callable[[], float] = time.time,
) -> Retried:
    """Mark the jobs that the wishes name, failed and cancelled ones without a wish.

    Raises BatchHeld while a run is at it, Mistake, MachineError.
    """
    folder = output_folder(manifest, settings.output, sandbox=settings.sandbox)
    with visit(manifest, settings, wall=wall) as here:
        if here is None:
            return Retried(name=manifest.name, folder=folder, marked=(), kept=(), done=0)
        retrying = _Retrying(here, manifest, frozenset(wishes or {Wish.UNPAID}))
        return await retrying.retry(folder, settings.only)


class _Retrying:
    """One call, at one batch."""

    def __init__(self, here: Visit, manifest: Manifest, wishes: frozenset[Wish]) -> None:
        self._here = here
        self._wishes = wishes
        self._prices = {job.id: job.price for job in manifest.jobs}
        self._facts: list[f.JobFact] = []
        self._marked: list[Marked] = []
        self._kept: list[Kept] = []
        self._done = 0

    async def retry(self, folder: Path, only: str | None) -> Retried:
        there = {path.name for path in self._here.tree.folder.iterdir()}
        for job in self._here.chosen(only):
            wish = await self._wish(job)
            if wish in self._wishes and job.id in self._prices:
                await self._mark(job, wish, there)
            elif job.state is State.DONE:
                self._done += 1
            else:
                self._kept.append(Kept(job=self._report(job), why=self._why(job, wish)))
        await self._here.note(*self._facts)
        return Retried(
            name=folder.name,
            folder=folder,
            marked=tuple(self._marked),
            kept=tuple(self._kept),
            done=self._done,
        )

    async def _wish(self, job: Job) -> Wish | None:
        """What would mark the job. What is done counts as expired where a file is no longer as it
        was saved and the service no longer has it, which only a look at each file can tell.
        """
        finished = job.state in {State.DONE, State.PARTIAL}
        if finished and Wish.EXPIRED in self._wishes and self._here.is_beyond_reach(job):
            document = await self._here.sealer.document(job)
            if await flawed_results(self._here.tree, job, document):
                return Wish.EXPIRED
        return _WISHED.get(job.state)

    async def _mark(self, job: Job, wish: Wish, there: Collection[str]) -> None:
        report, now = self._report(job), self._here.clock.now()
        replaced = left_over(job, there)
        for name in replaced:
            await self._here.tree.set_aside(name)
        if job.state is State.SUBMITTING:
            self._facts.append(lost_answer(job, now))
        self._facts.append(f.Renewed(**about(job, now), reason=f"asked for: {_ASKED[wish]}"))
        self._marked.append(Marked(job=report, wish=wish, replaced=replaced))

    def _report(self, job: Job) -> JobReport:
        listed = job.id in self._prices
        return replace(report_of(job, running=False, price=self._prices.get(job.id)), listed=listed)

    def _why(self, job: Job, wish: Wish | None) -> str:
        if job.id not in self._prices:
            return "the manifest no longer names it"
        if job.state is State.PENDING:
            return "it waits to be sent already"
        if wish is None:
            return "its task goes on at the service, and the next run or `collect` fetches it"
        if wish is Wish.UNPAID:
            return "`batchgen retry` without an option marks it"
        return f"only `{wish}` marks it"


_ASKED: Mapping[Wish, str] = {
    Wish.UNPAID: "nothing was billed",
    Wish.IN_DOUBT: "it may be bought twice",
    Wish.EXPIRED: "it is paid for again",
    Wish.LOST: "it may be paid for twice",
    Wish.PARTIAL: "it is paid for again, what has come included",
}
