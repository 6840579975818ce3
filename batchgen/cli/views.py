"""The calls of ``plan`` and ``status``: they look, and show what they see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from batchgen import api
from batchgen.api.settings import Settings, chosen_jobs
from batchgen.api.standing import BatchReport, look
from batchgen.cli.manifests import place_for, refuse_nothing, refuse_unpriced
from batchgen.errors import ExitCode
from batchgen.manifest import Manifest, load, output_folder
from batchgen.report.errors import warning_lines
from batchgen.report.plan import plan_data, plan_view
from batchgen.report.screen import Screen
from batchgen.report.status import status_data, status_view


def show_plan(
    screen: Screen,
    *,
    manifest: Path,
    sandbox: bool,
    region: str | None,
    base_url: str | None,
    output: Path | None,
    catalog_files: Sequence[Path],
    only: str | None,
    rerun_changed: bool,
    every_job: bool,
    as_json: bool,
) -> ExitCode:
    """Raises Mistake for a wrong manifest, JournalError for a broken journal."""
    place = place_for(sandbox=sandbox, region=region, base_url=base_url)
    checked = api.load(manifest, place=place, catalog_files=catalog_files)
    refuse_nothing([checked], only)
    screen.say(*warning_lines(checked.warnings))
    report = _look(checked, Settings(output=output, sandbox=sandbox, rerun_changed=rerun_changed))
    chosen = chosen_jobs(checked, only)
    if chosen is not None:
        report = replace(report, jobs=tuple(job for job in report.jobs if job.id in chosen))
    if checked.budget:
        refuse_unpriced(checked, report)
    if as_json:
        screen.tell_json(plan_data(checked, report))
    else:
        screen.tell(plan_view(checked, report, every_job=every_job))
    return ExitCode.DONE


def show_status(
    screen: Screen,
    *,
    manifest: Path,
    sandbox: bool,
    output: Path | None,
    catalog_files: Sequence[Path],
    as_json: bool,
) -> ExitCode:
    """Raises Mistake for a wrong manifest, JournalError for a broken journal."""
    # Whoever ran the batch may have named a region or a URL; where it stands does not depend on it.
    checked = load(manifest, catalog_files=catalog_files, check_region=False)
    report = _look(checked, Settings(output=output, sandbox=sandbox))
    if as_json:
        screen.tell_json(status_data(report))
    else:
        screen.tell(status_view(report))
    return ExitCode.DONE


def _look(manifest: Manifest, settings: Settings) -> BatchReport:
    """Where the batch stands. Raises JournalError where that is no longer known."""
    folder = output_folder(manifest, settings.output, sandbox=settings.sandbox)
    if folder.exists():
        _refuse_lost(folder, manifest.name)
    return look(manifest, settings)


def _refuse_lost(folder: Path, manifest: str) -> None:
    from batchgen.journal import Journal  # noqa: PLC0415 - a new batch has none, and is planned fast

    if not Journal.is_begun(folder):
        from batchgen.api.rebuilding import refuse_lost  # noqa: PLC0415 - nearly never, and slow

        refuse_lost(folder, manifest)
