"""``verify``: the files of finished jobs against journal and sidecars; mends what is free.

A sidecar is written again from the journal. A result is fetched again while its task lives at the
service: what stands in its place is set aside in ``.batchgen/replaced``, the journal is told
(``ResultsVanished``), and a run that only collects does the rest. What the service no longer has is
left as it is, and named with what it cost; only a person buys it again (``retry --expired``).

One job is looked at after another, and only what is wrong is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchgen.api.endpoint import Place
from batchgen.api.inspection import Flaw, Flawed, flawed_results, sidecar_flaw
from batchgen.api.runs import Connect, Run
from batchgen.api.settings import Settings
from batchgen.api.summary import worst
from batchgen.api.visiting import Visit, visit
from batchgen.artifacts import Occupied, sidecar_name
from batchgen.catalog import Money
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from batchgen.errors import BatchgenError, ExitCode
from batchgen.manifest import Manifest, output_folder
from batchgen.runner.outcome import about

if TYPE_CHECKING:
    from batchgen.runner.progress import Progress

_FINISHED = {State.DONE, State.PARTIAL, State.EXPIRED}


class Fate(StrEnum):
    """What comes of a file with a flaw; the value is the word that people read."""

    MENDED = "mended"
    EXPIRED = "expired"
    """The service no longer has it."""
    TO_FETCH = "to be fetched again"
    TO_WRITE = "to be written again"
    IN_THE_WAY = "kept from being written by what stands there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One file that is not as it was saved."""

    job: str
    file: str
    flaw: Flaw
    fate: Fate
    cost: Money | None
    """Of the whole job's newest attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What came of it. ``jobs``, ``files`` and ``bytes`` are those that were looked at."""

    name: str
    folder: Path
    jobs: int = 0
    files: int = 0
    bytes: int = 0
    findings: tuple[Finding, ...] = ()
    error: BatchgenError | None = None
    """What kept files from being fetched again."""

    @property
    def exit_code(self) -> ExitCode:
        """DONE where all is whole, or has been made so."""
        fates = {finding.fate for finding in self.findings} - {Fate.MENDED}
        codes = [ExitCode.NEEDS_A_PERSON] if fates else []
        return worst([*codes, self.error.exit_code] if self.error else codes)


async def verify(
    manifest: Manifest,
    settings: Settings,
    *,
    fix: bool = True,
    connect: Connect | None = None,
    place: Place | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    wall: Callable[[], float] = time.time,
) -> Verification:
    """Look at every file of the finished jobs, and mend what is free unless ``fix`` says no.

    A key is needed only where something is fetched. Raises BatchHeld while a run is at the batch,
    Mistake, MachineError.
    """
    folder = output_folder(manifest, settings.output, sandbox=settings.sandbox)
    with visit(manifest, settings, wall=wall) as here:
        if here is None:
            return Verification(name=manifest.name, folder=folder)
        found = await _Verifying(here, fix=fix).verify(folder, settings.only)
    if not fix or not any(one.fate is Fate.TO_FETCH for one in found.findings):
        return found
    run = Run(
        manifest,
        replace(settings, collect=True, only=None),
        connect=connect,
        place=place,
        on_progress=lambda progress: _once_fetched(run, progress, on_progress),
        wall=wall,
    )
    return await _fetched(found, run)


def _once_fetched(
    run: Run, progress: Progress, on_progress: Callable[[Progress], None] | None
) -> None:
    """Ends the run when nothing lies ready any more: what is rendering is not waited for."""
    if on_progress is not None:
        on_progress(progress)
    if not progress.downloading:
        run.stop()


async def _fetched(found: Verification, run: Run) -> Verification:
    """What the run has mended of what was found."""
    try:
        summary = await run.run()
    except BatchgenError as error:
        return replace(found, error=error)
    there = {(job.id, name) for job in summary.jobs for name in job.files}
    findings = tuple(
        replace(one, fate=Fate.MENDED)
        if one.fate is Fate.TO_FETCH and (one.job, one.file) in there
        else one
        for one in found.findings
    )
    return replace(found, findings=findings, error=summary.error)


class _Verifying:
    """One look at one batch."""

    def __init__(self, here: Visit, *, fix: bool) -> None:
        self._here = here
        self._fix = fix
        self._findings: list[Finding] = []

    async def verify(self, folder: Path, only: str | None) -> Verification:
        jobs = files = size = 0
        for job in self._here.chosen(only):
            saved = [result for result in job.results if result.name]
            if job.state in _FINISHED and saved:
                await self._look_at(job)
                jobs, files = jobs + 1, files + len(saved)
                size += sum(result.bytes for result in saved)
        return Verification(
            name=folder.name,
            folder=folder,
            jobs=jobs,
            files=files,
            bytes=size,
            findings=tuple(self._findings),
        )

    async def _look_at(self, job: Job) -> None:
        document = await self._here.sealer.document(job)
        flawed = await flawed_results(self._here.tree, job, document)
        if flaw := await sidecar_flaw(self._here.tree, job, document):
            fate = await self._write_again(job, document, flaw) if self._fix else Fate.TO_WRITE
            self._find(job, sidecar_name(job.id), flaw, fate)
        if not flawed:
            return
        lives = job.state is not State.EXPIRED and not self._here.is_beyond_reach(job)
        if lives and self._fix:
            await self._give_up(job, flawed)
        for one in flawed:
            self._find(job, one.name, one.flaw, Fate.TO_FETCH if lives else Fate.EXPIRED)

    async def _write_again(self, job: Job, document: Mapping[str, Any], flaw: Flaw) -> Fate:
        tree = self._here.tree
        try:
            if flaw is Flaw.NO_SIDECAR:  # what stands there says nothing that could be lost
                await tree.set_aside(sidecar_name(job.id))
            await tree.write_sidecar(job.id, document)
        except Occupied:
            return Fate.IN_THE_WAY
        return Fate.MENDED

    async def _give_up(self, job: Job, flawed: list[Flawed]) -> None:
        """Make room for what is fetched again; the damaged one is kept."""
        for one in flawed:
            await self._here.tree.set_aside(one.name)
        indexes = tuple(one.index for one in flawed)
        says = about(job, self._here.clock.now())
        await self._here.note(f.ResultsVanished(**says, indexes=indexes))

    def _find(self, job: Job, file: str, flaw: Flaw, fate: Fate) -> None:
        spent = job.spent - job.sunk
        cost = Money(spent, job.currency) if job.currency else None
        self._findings.append(Finding(job=job.id, file=file, flaw=flaw, fate=fate, cost=cost))
