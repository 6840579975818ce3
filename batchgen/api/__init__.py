"""Offers: what a program can ask for; the command line is one such program.

``endpoint``  where the service is and who asks     ``settings``  what a caller may choose
``standing``  plan and status: where a batch stands  ``runs``      one run, start to end
``summary``   what a run comes to, exit code included
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from batchgen.api.endpoint import Endpoint, Place, find_endpoint, find_place
from batchgen.api.runs import Connect, Run
from batchgen.api.settings import Settings
from batchgen.api.standing import BatchReport, JobReport
from batchgen.api.standing import look as plan
from batchgen.api.summary import Summary
from batchgen.catalog import load as load_catalog
from batchgen.manifest import Manifest

if TYPE_CHECKING:  # the runner brings aiohttp, which most calls do without
    from batchgen.runner.progress import Progress

__all__ = [
    "BatchReport",
    "Connect",
    "Endpoint",
    "JobReport",
    "Place",
    "Run",
    "Settings",
    "Summary",
    "connect_to",
    "find_place",
    "plan",
    "run",
]


def connect_to(place: Place, manifest: Manifest) -> Connect:
    """A way to the service that a place and a manifest name; the key is read when it is opened."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Endpoint]:
        yield find_endpoint(place, manifest.region, load_catalog())

    return connect


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
    place = find_place()
    region = place.region_of(manifest.region)
    running = Run(
        manifest,
        connect or connect_to(place, manifest),
        settings,
        region=region,
        on_progress=on_progress,
    )
    return await running.run()
