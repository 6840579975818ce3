"""Manifests read and checked, all before anything else is done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from batchgen.api.endpoint import REGION_VARIABLE, Place, find_place
from batchgen.api.settings import chosen_jobs
from batchgen.errors import ManifestError, Mistake, Problem
from batchgen.manifest import Manifest, load, output_folder


def place_for(*, sandbox: bool, region: str | None, base_url: str | None) -> Place:
    """Where the service is. A rehearsal has an address of its own, but the region's prices."""
    if not sandbox:
        return find_place(url=base_url, region=region)
    known = {REGION_VARIABLE: os.environ.get(REGION_VARIABLE, "")}
    return find_place(environ=known)


def read(path: Path, place: Place) -> Manifest:
    """One manifest. Raises Mistake, ManifestError with all of its problems."""
    return load(
        path,
        region=place.region,
        default_region=place.fallback,
        check_region=place.check_region,
    )


def read_all(
    paths: Sequence[Path], place: Place, *, output: Path | None, sandbox: bool
) -> list[Manifest]:
    """All manifests. Raises a ManifestError with the mistakes of all of them."""
    manifests: list[Manifest] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            manifests.append(read(path, place))
        except ManifestError as error:
            problems += error.problems
        except Mistake as error:
            problems.append(Problem("batchgen", 0, 0, error.message, error.hint))
    problems += _shared_folders(manifests, output, sandbox=sandbox)
    if problems:
        raise ManifestError(problems)
    return manifests


def refuse_nothing(manifests: Sequence[Manifest], only: str | None) -> None:
    """A glob that chooses no job is a typing error. Raises Mistake."""
    if only is not None and not any(chosen_jobs(manifest, only) for manifest in manifests):
        where = "this manifest" if len(manifests) == 1 else "these manifests"
        raise Mistake(
            f"No job of {where} has an id that matches {only}.",
            hint="batchgen plan --all shows the ids",
        )


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
