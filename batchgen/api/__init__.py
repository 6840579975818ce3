"""Offers: what a program can ask for; the command line is one such program.

``endpoint``  where the service is and who asks     ``settings``  what a caller may choose
``standing``  plan and status: where a batch stands  ``runs``      one run, start to end
``summary``   what a run comes to, exit code included
``arrival``   what a run finds when it arrives
``visiting``  a batch without a run: for ``retrying``, ``canceling``, and ``verifying``
              with its ``inspection`` of files
``begun``     the batches that were begun with a manifest, whatever it says by now
``rebuilding``  a journal that is damaged or lost, made anew
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchgen.api.endpoint import Endpoint, Place, find_place, refuse_other_region
from batchgen.api.settings import Settings
from batchgen.api.standing import BatchReport, JobReport
from batchgen.api.standing import look as plan
from batchgen.manifest import Manifest
from batchgen.manifest import load as read_manifest

if TYPE_CHECKING:  # the runner brings aiohttp, which most calls do without
    from batchgen.api.runs import Connect, Run
    from batchgen.api.summary import Summary
    from batchgen.runner.progress import Progress

_HOMES = {"Connect": "runs", "Run": "runs", "Summary": "summary"}

__all__ = [
    "BatchReport",
    "Connect",
    "Endpoint",
    "JobReport",
    "Place",
    "Run",
    "Settings",
    "Summary",
    "find_place",
    "load",
    "plan",
    "run",
]


def __getattr__(name: str) -> Any:
    """Load what belongs to a run when it is first asked for: a plan needs none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'batchgen.api' has no attribute {name!r}")
    return getattr(import_module(f"batchgen.api.{_HOMES[name]}"), name)


def load(path: Path, *, place: Place | None = None, catalog_files: Sequence[Path] = ()) -> Manifest:
    """Read and check a manifest, for the region that the run of the same ``place`` will ask.

    ``catalog_files`` are files of models that add to the package's and to the manifest's own.
    Raises ManifestError with every problem at its place, and Mistake for what is no manifest.
    """
    place = place or find_place()
    manifest = read_manifest(
        path,
        catalog_files=catalog_files,
        region=place.region,
        default_region=place.fallback,
        check_region=place.check_region,
    )
    refuse_other_region(place, manifest.region, manifest.catalog)
    return manifest


async def run(
    manifest: Manifest,
    settings: Settings | None = None,
    *,
    connect: Connect | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Run a batch to its end: submit, poll, download. Run again, it continues.

    The service and the key come from the environment unless ``connect`` gives them. Installs no
    signal handlers; a cancelled call takes in the answers to POSTs under way first (10 s at most).
    Raises Mistake and BatchHeld before anything is done.
    """
    from batchgen.api.runs import Run  # noqa: PLC0415 - as above

    return await Run(manifest, settings, connect=connect, on_progress=on_progress).run()
