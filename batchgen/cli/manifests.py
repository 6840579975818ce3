"""Manifests read and checked, all before anything else is done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from batchgen.api import BatchReport, load
from batchgen.api.endpoint import REGION_VARIABLE, Place, find_place
from batchgen.api.settings import chosen_jobs
from batchgen.catalog import load as load_catalog
from batchgen.errors import ManifestError, Mistake, Problem
from batchgen.manifest import Manifest, output_folder
from batchgen.report.text import count

_NAMED = 10
"""Jobs that a message names one by one."""


def place_for(*, sandbox: bool, region: str | None, base_url: str | None) -> Place:
    """Where the service is. A rehearsal has an address of its own, but the region's prices.

    Raises Mistake for a region that does not exist, and for a URL that is none.
    """
    refuse_unknown_region("--region", region)
    known = {REGION_VARIABLE: os.environ.get(REGION_VARIABLE, "")}
    place = find_place(environ=known) if sandbox else find_place(url=base_url, region=region)
    refuse_unknown_region(REGION_VARIABLE, place.fallback)
    return place


def read_all(
    paths: Sequence[Path],
    place: Place,
    *,
    catalog_files: Sequence[Path],
    output: Path | None,
    sandbox: bool,
) -> list[Manifest]:
    """All manifests. Raises a ManifestError with the mistakes of all of them."""
    manifests: list[Manifest] = []
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for path in paths:
        try:
            manifests.append(load(path, place=place, catalog_files=catalog_files))
        except ManifestError as error:
            problems += error.problems
            warnings += error.warnings
        except Mistake as error:
            message = error.message.removeprefix(f"{path}: ")
            problems.append(Problem(str(path), 0, 0, message, error.hint))
    problems += _shared_folders(manifests, output, sandbox=sandbox)
    if problems:
        warnings += [warning for manifest in manifests for warning in manifest.warnings]
        raise ManifestError(problems, warnings=warnings)
    return manifests


def refuse_nothing(manifests: Sequence[Manifest], only: str | None) -> None:
    """A glob that chooses no job is a typing error. Raises Mistake."""
    if only is not None and not any(chosen_jobs(manifest, only) for manifest in manifests):
        where = "this manifest" if len(manifests) == 1 else "these manifests"
        raise Mistake(
            f"No job of {where} has an id that matches {only}.",
            hint="batchgen plan --all shows the ids",
        )


def refuse_unpriced(manifest: Manifest, report: BatchReport) -> None:
    """A budget is no promise where a price is unknown. Raises Mistake."""
    unpriced = [job.id for job in report.to_buy if job.price is None]
    if unpriced:
        named = ", ".join(unpriced[:_NAMED]) + ("..." if len(unpriced) > _NAMED else "")
        raise Mistake(
            f"A budget needs a price for every job to buy; {manifest.path} has"
            f" {count(len(unpriced), 'job')} without one: {named}.",
            hint="Give their models `prices:` in a catalog file and name it with --catalog, or run"
            " these jobs apart, with --only and without a budget.",
        )


def refuse_unknown_region(source: str, region: str | None) -> None:
    """``source`` is who names it. Raises Mistake."""
    catalog = load_catalog()
    if region is not None and catalog.region(region) is None:
        known = [f"{one.name} ({', '.join(one.aliases)})" for one in catalog.regions]
        hint = f"The regions are {', '.join(known)}."
        raise Mistake(f"{source}: there is no region {region}.", hint=hint)


def _shared_folders(
    manifests: Iterable[Manifest], output: Path | None, *, sandbox: bool
) -> Iterable[Problem]:
    """Two batches in one folder would take each other's jobs for withdrawn."""
    owners: dict[Path, Path] = {}
    for manifest in manifests:
        folder = output_folder(manifest, output, sandbox=sandbox)
        owner = owners.setdefault(folder, manifest.path)
        if owner is not manifest.path:
            message = f"its results would go where those of {owner} go: {folder}"
            yield Problem(str(manifest.path), 0, 0, message, "give it another `name`")
