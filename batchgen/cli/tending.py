"""The calls of ``retry``, ``cancel`` and ``verify``: what a person does to a batch between runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import anyio

from batchgen.api import Settings
from batchgen.api.begun import begun
from batchgen.api.canceling import Cancellation, cancel
from batchgen.api.retrying import Wish, retry
from batchgen.api.runs import Connect
from batchgen.api.summary import worst
from batchgen.api.verifying import Verification, verify
from batchgen.cli.manifests import place_for, refuse_nothing
from batchgen.cli.options import DEFAULT_SPEED
from batchgen.cli.rehearsal import Rehearsal
from batchgen.errors import ExitCode
from batchgen.manifest import Manifest, load
from batchgen.report.cancel import cancel_data, cancel_view
from batchgen.report.errors import error_lines, warning_lines
from batchgen.report.progress import watch
from batchgen.report.retry import retry_data, retry_view
from batchgen.report.screen import Screen
from batchgen.report.verify import verify_data, verify_view


def mark(
    screen: Screen,
    *,
    manifest: Path,
    wishes: Collection[Wish],
    sandbox: bool,
    output: Path | None,
    catalog_files: Sequence[Path],
    only: str | None,
    as_json: bool,
) -> ExitCode:
    """Raises Mistake for a wrong manifest, BatchHeld, MachineError."""
    checked = load(manifest, catalog_files=catalog_files, check_region=False)
    settings = Settings(output=output, sandbox=sandbox, only=only)
    if only is not None:
        refuse_nothing([checked], only)
    retried = anyio.run(partial(retry, checked, settings, wishes))
    if as_json:
        screen.tell_json(retry_data(retried))
    else:
        screen.tell(retry_view(retried))
    return ExitCode.DONE


def cancel_tasks(
    screen: Screen,
    *,
    manifest: Path,
    sandbox: bool,
    region: str | None,
    base_url: str | None,
    output: Path | None,
    catalog_files: Sequence[Path],
    only: str | None,
    as_json: bool,
) -> ExitCode:
    """Raises Mistake where no batch is found or there is no key, BatchHeld, MachineError."""
    place = place_for(sandbox=sandbox, region=region, base_url=base_url)
    settings = Settings(
        output=output, sandbox=sandbox, only=only, service_speed=_speed(sandbox=sandbox)
    )
    codes = []
    for found in begun(manifest, settings, place=place, catalog_files=catalog_files):
        screen.say(*warning_lines(found.warnings))
        came_of_it: Cancellation = anyio.run(
            partial(cancel, found, settings, connect=_connect(found, settings), place=place)
        )
        codes.append(came_of_it.exit_code)
        if as_json:
            screen.tell_json(cancel_data(came_of_it))
        else:
            screen.tell(cancel_view(came_of_it))
    return worst(codes)


def verify_files(
    screen: Screen,
    *,
    manifest: Path,
    fix: bool,
    sandbox: bool,
    region: str | None,
    base_url: str | None,
    output: Path | None,
    catalog_files: Sequence[Path],
    only: str | None,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Raises Mistake where no batch is found, BatchHeld, MachineError."""
    place = place_for(sandbox=sandbox, region=region, base_url=base_url)
    settings = Settings(
        output=output, sandbox=sandbox, only=only, service_speed=_speed(sandbox=sandbox)
    )
    codes = []
    for found in begun(manifest, settings, place=place, catalog_files=catalog_files):
        if not quiet:
            screen.say(*warning_lines(found.warnings))
        with watch(found.name, screen.notes, quiet=quiet) as watcher:
            came_of_it: Verification = anyio.run(
                partial(
                    verify,
                    found,
                    settings,
                    fix=fix,
                    connect=_connect(found, settings),
                    place=place,
                    on_progress=watcher,
                )
            )
        codes.append(came_of_it.exit_code)
        if came_of_it.error is not None:
            screen.say(*error_lines(came_of_it.error))
        if as_json:
            screen.tell_json(verify_data(came_of_it))
        elif not (quiet and came_of_it.exit_code is ExitCode.DONE):
            screen.tell(verify_view(came_of_it))
    return worst(codes)


def _speed(*, sandbox: bool) -> float:
    return DEFAULT_SPEED if sandbox else 1.0


def _connect(manifest: Manifest, settings: Settings) -> Connect | None:
    """The way to the stand-in of a rehearsal; None leads to the service."""
    return Rehearsal(manifest, settings).connect if settings.sandbox else None
