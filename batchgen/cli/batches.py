"""The call of ``run`` and ``collect``: manifests are read and checked, then run in sequence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import time as time_of_day
from decimal import Decimal
from functools import partial
from pathlib import Path

import anyio

from batchgen.api import Place, Settings
from batchgen.api.begun import begun
from batchgen.api.settings import chosen_jobs
from batchgen.api.standing import look
from batchgen.catalog import Money
from batchgen.catalog import load as load_catalog
from batchgen.cli.ending import alone, code_of
from batchgen.cli.hours import end_of, in_words
from batchgen.cli.manifests import place_for, read_all, refuse_nothing, refuse_unpriced
from batchgen.cli.owner import Owner
from batchgen.cli.process import raised
from batchgen.cli.sequence import BatchSequence
from batchgen.errors import ExitCode
from batchgen.manifest import Manifest
from batchgen.report.errors import warning_lines
from batchgen.report.screen import Screen


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
    until: time_of_day | None = None
    max_duration: float | None = None
    """Seconds."""
    summary: Path | None = None
    on_finish: str | None = None
    """A line for the shell."""
    if_idle: bool = False
    collect: bool = False
    rerun_changed: bool = False


def run_batches(choices: Choices, screen: Screen) -> ExitCode:
    """Check all manifests, then run them, and tell the owner how it ended.

    Raises Mistake before anything is sent, and Interrupted where a signal came before that.
    """
    command = "collect" if choices.collect else "run"
    with raised():
        owner = Owner(command, screen, summary=choices.summary, on_finish=choices.on_finish)
        try:
            code = _run(choices, screen, owner)
        except BaseException as error:
            owner.tell(code_of(alone(error)), error)
            raise
        if code is ExitCode.HELD and choices.if_idle:
            return code  # the run that holds the batch has an end, and an owner, of its own
        code = code or (ExitCode.MACHINE if screen.trouble else ExitCode.DONE)
        owner.tell(code)
        return code


def _run(choices: Choices, screen: Screen, owner: Owner) -> ExitCode:
    end = end_of(choices.until, choices.max_duration, now=time.time())
    place = place_for(sandbox=choices.sandbox, region=choices.region, base_url=choices.base_url)
    manifests = _read(choices, place)
    settings = [_settings(manifest, place, choices) for manifest in manifests]
    if not choices.quiet:
        for manifest in manifests:
            screen.say(*warning_lines(manifest.warnings))
        if end is not None:
            screen.say(f"batchgen: until {in_words(end)}. {_UNTIL}")
    sequence = BatchSequence(
        place,
        screen,
        owner,
        faults=choices.faults,
        as_json=choices.as_json,
        quiet=choices.quiet,
        if_idle=choices.if_idle,
    )
    batches = list(zip(manifests, settings, strict=True))
    return anyio.run(partial(sequence.run, batches, end=end))


_UNTIL = (
    "What was sent shortly before goes on at the service, which keeps it for 24 hours:"
    " batchgen collect fetches it."
)


def _read(choices: Choices, place: Place) -> list[Manifest]:
    """All manifests, checked; for ``collect`` what of them is needed for that. Raises Mistake."""
    if choices.collect:
        return list(_begun(choices, place))
    manifests = read_all(
        choices.manifests,
        place,
        catalog_files=choices.catalog_files,
        output=choices.output,
        sandbox=choices.sandbox,
    )
    refuse_nothing(manifests, choices.only)
    return manifests


def _begun(choices: Choices, place: Place) -> Iterator[Manifest]:
    settings = Settings(output=choices.output, sandbox=choices.sandbox)
    for path in choices.manifests:
        yield from begun(path, settings, place=place, catalog_files=choices.catalog_files)


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
        collect=choices.collect,
        rerun_changed=choices.rerun_changed,
    )
    if not choices.collect and (settings.budget or manifest.budget):
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
