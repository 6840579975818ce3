"""The call of ``run``: batches one after another, until the end or the first signal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import anyio

from batchgen.api import Place, Run, Settings, Summary
from batchgen.api.settings import chosen_jobs
from batchgen.api.standing import look
from batchgen.api.summary import worst
from batchgen.catalog import Money
from batchgen.catalog import load as load_catalog
from batchgen.cli.manifests import place_for, read_all, refuse_nothing, refuse_unpriced
from batchgen.cli.rehearsal import Rehearsal
from batchgen.cli.signals import heed
from batchgen.errors import BatchgenError, ExitCode
from batchgen.manifest import Manifest
from batchgen.report.errors import error_lines, refusal_data, warning_lines
from batchgen.report.progress import watch
from batchgen.report.screen import Screen
from batchgen.report.summary import summary_data, summary_view
from batchgen.report.text import clean


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the command line says."""

    manifests: tuple[Path, ...]
    sandbox: bool
    speed: float
    """Of the sandbox."""
    faults: Path | None
    """A script for the sandbox."""
    region: str | None
    base_url: str | None
    max_in_flight: int | None
    budget: Decimal | None
    only: str | None
    output: Path | None
    catalog_files: tuple[Path, ...]
    give_up: float
    """Seconds."""
    as_json: bool
    quiet: bool


def run_batches(choices: Choices, screen: Screen) -> ExitCode:
    """Check all manifests, then run them. Raises Mistake before anything is sent."""
    place = place_for(sandbox=choices.sandbox, region=choices.region, base_url=choices.base_url)
    manifests = read_all(
        choices.manifests,
        place,
        catalog_files=choices.catalog_files,
        output=choices.output,
        sandbox=choices.sandbox,
    )
    refuse_nothing(manifests, choices.only)
    settings = [_settings(manifest, place, choices) for manifest in manifests]
    if not choices.quiet:
        for manifest in manifests:
            screen.say(*warning_lines(manifest.warnings))
    runs = _Runs(choices, place, screen)
    return anyio.run(runs.run, list(zip(manifests, settings, strict=True)))


def _settings(manifest: Manifest, place: Place, choices: Choices) -> Settings:
    """What was chosen, for one batch. Raises Mistake where a budget cannot be kept."""
    settings = Settings(
        output=choices.output,
        sandbox=choices.sandbox,
        max_in_flight=choices.max_in_flight,
        budget=_budget(manifest, place, choices.budget),
        only=choices.only,
        give_up=choices.give_up,
        service_speed=choices.speed if choices.sandbox else 1.0,
    )
    if settings.budget or manifest.budget:
        _check_prices(manifest, settings)
    return settings


def _budget(manifest: Manifest, place: Place, amount: Decimal | None) -> Money | None:
    if amount is None:
        return None
    catalog = load_catalog()
    named = place.region_of(manifest.region)
    region = (catalog.region(named) if named else None) or catalog.default_region
    return Money.of(amount, region.currency)


def _check_prices(manifest: Manifest, settings: Settings) -> None:
    """A budget is no promise where a price is unknown. Raises Mistake."""
    if all(job.price for job in manifest.jobs):
        return  # without a look at the journal, which may be long
    chosen = chosen_jobs(manifest, settings.only)
    report = look(manifest, settings)
    jobs = tuple(job for job in report.jobs if chosen is None or job.id in chosen)
    refuse_unpriced(manifest, replace(report, jobs=jobs))


class _Runs:
    """Runs batches one after another, and ends in good order at a signal."""

    def __init__(self, choices: Choices, place: Place, screen: Screen) -> None:
        self._choices = choices
        self._place = place
        self._screen = screen
        self._running: Run | None = None
        self._signal: ExitCode | None = None

    async def run(self, batches: Sequence[tuple[Manifest, Settings]]) -> ExitCode:
        """The worst of the batches' exit codes."""
        codes: list[ExitCode] = []
        async with anyio.create_task_group() as tasks:
            await tasks.start(heed, self._stop, self._leave)
            for manifest, settings in batches:
                codes.append(self._signal or await self._batch(manifest, settings))
                if codes[-1] in _ENDS_ALL:
                    break
            tasks.cancel_scope.cancel()
        if left := [manifest.name for manifest, _ in batches[len(codes) :]]:
            self._screen.say(f"batchgen: not started: {', '.join(map(clean, left))}")
        return worst(codes)

    async def _batch(self, manifest: Manifest, settings: Settings) -> ExitCode:
        rehearsal = (
            Rehearsal(manifest, settings, self._choices.faults) if settings.sandbox else None
        )
        try:
            with watch(manifest.name, self._screen.notes, quiet=self._choices.quiet) as watcher:
                self._running = Run(
                    manifest,
                    settings,
                    connect=rehearsal.connect if rehearsal else None,
                    place=self._place,
                    on_progress=watcher,
                )
                summary = await self._running.run()
        except BatchgenError as error:
            self._tell_refusal(manifest, error)
            return error.exit_code
        finally:
            self._running = None
        self._tell(summary)
        if rehearsal and rehearsal.bill and not self._choices.quiet:
            self._screen.say(rehearsal.bill)
        return summary.exit_code

    def _stop(self, code: ExitCode) -> None:
        self._signal = code
        self._screen.say(_STOPPING)
        if self._running is not None:
            self._running.stop(code)

    def _leave(self, code: ExitCode) -> None:
        """Now: the journal survives that, and so do the tasks at the service."""
        self._screen.restore()
        os._exit(code)

    def _tell(self, summary: Summary) -> None:
        if summary.error is not None:
            self._screen.say(*error_lines(summary.error))
        if self._choices.as_json:
            self._screen.tell_json(summary_data(summary))
        elif not (self._choices.quiet and summary.exit_code is ExitCode.DONE):
            self._screen.tell(summary_view(summary))

    def _tell_refusal(self, manifest: Manifest, error: BatchgenError) -> None:
        """What kept a run from its start; there is no summary then."""
        self._screen.say(*error_lines(error))
        if self._choices.as_json:
            self._screen.tell_json(refusal_data(error, manifest.name))


_ENDS_ALL = {
    ExitCode.SIGINT,
    ExitCode.SIGTERM,
    ExitCode.SIGHUP,
    ExitCode.MACHINE,
    ExitCode.UNREACHABLE,
}
"""What the next batch would only meet again."""

_STOPPING = (
    "batchgen: stopping. Nothing more is submitted; answers under way are waited for, 10 s at most."
    " Tasks at the service go on: run the same command again to collect them."
    " The next signal leaves at once."
)
