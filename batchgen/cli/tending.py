"""The calls of ``retry``, ``cancel``, ``verify`` and ``rebuild``: what a person does to a batch
between its runs.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from batchgen.api import Place, Settings
from batchgen.api.begun import begun
from batchgen.api.canceling import Cancellation, cancel
from batchgen.api.rebuilding import rebuild
from batchgen.api.retrying import Choice, retry
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
from batchgen.report.rebuild import rebuilt_data, rebuilt_view
from batchgen.report.retry import retry_data, retry_view
from batchgen.report.screen import Screen
from batchgen.report.verify import verify_data, verify_view


def mark(
    screen: Screen,
    *,
    manifest: Path,
    chosen: Collection[Choice],
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
    retried = anyio.run(partial(retry, checked, settings, chosen))
    if as_json:
        screen.tell_json(retry_data(retried))
    else:
        screen.tell(retry_view(retried))
    return retried.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What the command line says of a visit to a batch that may ask the service."""

    manifest: Path
    sandbox: bool
    region: str | None
    base_url: str | None
    output: Path | None
    catalog_files: tuple[Path, ...]
    only: str | None
    as_json: bool
    quiet: bool = False

    @property
    def place(self) -> Place:
        """Raises Mistake for a region that does not exist, and for a URL that is none."""
        return place_for(sandbox=self.sandbox, region=self.region, base_url=self.base_url)

    def settings(self, **more: Any) -> Settings:
        speed = DEFAULT_SPEED if self.sandbox else 1.0
        return Settings(
            output=self.output, sandbox=self.sandbox, only=self.only, service_speed=speed, **more
        )

    def batches(self, screen: Screen) -> Iterator[Manifest]:
        """Those that were begun with the manifest. Raises Mistake where none is found."""
        place, settings = self.place, self.settings()
        for found in begun(self.manifest, settings, place=place, catalog_files=self.catalog_files):
            if not self.quiet:
                screen.say(*warning_lines(found.warnings))
            yield found


def cancel_tasks(screen: Screen, errand: Errand) -> ExitCode:
    """Raises Mistake where no batch is found or there is no key, BatchHeld, MachineError."""
    settings, codes = errand.settings(), []
    for found in errand.batches(screen):
        connect = _connect(found, settings)
        came_of_it: Cancellation = anyio.run(
            partial(cancel, found, settings, connect=connect, place=errand.place)
        )
        codes.append(came_of_it.exit_code)
        if errand.as_json:
            screen.tell_json(cancel_data(came_of_it))
        else:
            screen.tell(cancel_view(came_of_it))
    return worst(codes)


def verify_files(screen: Screen, errand: Errand, *, fix: bool, give_up: float) -> ExitCode:
    """Raises Mistake where no batch is found, BatchHeld, MachineError."""
    settings, codes = errand.settings(give_up=give_up), []
    for found in errand.batches(screen):
        with watch(found.name, screen.notes, quiet=errand.quiet) as watcher:
            came_of_it: Verification = anyio.run(
                partial(
                    verify,
                    found,
                    settings,
                    fix=fix,
                    connect=_connect(found, settings),
                    place=errand.place,
                    on_progress=watcher,
                )
            )
        codes.append(came_of_it.exit_code)
        _tell_verified(screen, errand, came_of_it)
    return worst(codes)


def _tell_verified(screen: Screen, errand: Errand, verified: Verification) -> None:
    if verified.error is not None:
        screen.say(*error_lines(verified.error))
    if errand.as_json:
        screen.tell_json(verify_data(verified))
    elif not (errand.quiet and verified.exit_code is ExitCode.DONE):
        screen.tell(verify_view(verified))


def rebuild_journal(
    screen: Screen,
    *,
    manifest: Path,
    sandbox: bool,
    output: Path | None,
    catalog_files: Sequence[Path],
    as_json: bool,
) -> ExitCode:
    """Raises Mistake for a wrong manifest, BatchHeld, MachineError."""
    checked = load(manifest, catalog_files=catalog_files, check_region=False)
    settings = Settings(output=output, sandbox=sandbox)
    rebuilt = anyio.run(partial(rebuild, checked, settings, now=time.time()))
    if as_json:
        screen.tell_json(rebuilt_data(rebuilt))
    else:
        screen.tell(rebuilt_view(rebuilt))
    return rebuilt.exit_code


def _connect(manifest: Manifest, settings: Settings) -> Connect | None:
    """The way to the stand-in of a rehearsal; None leads to the service."""
    return Rehearsal(manifest, settings).connect if settings.sandbox else None
