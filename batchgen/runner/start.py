"""Puts a run together: sessions, workers and the loop that they serve."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from batchgen.artifacts import Tree
from batchgen.catalog import Catalog, Request
from batchgen.core.batch import Batch
from batchgen.dashscope.client import Service
from batchgen.dashscope.downloads import Downloader
from batchgen.dashscope.endpoint import Secret, is_private
from batchgen.journal import Journal
from batchgen.runner.clock import Clock
from batchgen.runner.fetcher import Fetcher
from batchgen.runner.loop import Loop, Workers
from batchgen.runner.outcome import LinkKey
from batchgen.runner.poller import Poller
from batchgen.runner.progress import Progress
from batchgen.runner.sealer import Sealer
from batchgen.runner.submitter import Submitter


@asynccontextmanager
async def start(
    batch: Batch,
    journal: Journal,
    tree: Tree,
    *,
    base_url: str,
    key: Secret,
    workspace: str | None,
    catalog: Catalog,
    region: str | None,
    manifest: str,
    folder: Path,
    request_of: Callable[[str], Request],
    clock: Clock,
    give_up: float,
    on_progress: Callable[[Progress], None],
) -> AsyncIterator[Loop]:
    """A loop that is ready to run, with its connections, which end with the context."""
    dice = Random()  # noqa: S311 - jitter, not a secret
    links: dict[LinkKey, str] = dict(journal.links())
    private = is_private(base_url)
    async with (
        Service(base_url, key, workspace=workspace) as service,
        Downloader(private_ok=private) as downloader,
    ):
        submitter = Submitter(
            service=service,
            catalog=catalog,
            request_of=request_of,
            standing=batch.standing,
            folder=folder,
            labels=private,
            clock=clock,
            dice=dice,
        )
        poller = Poller(
            service=service,
            catalog=catalog,
            request_of=request_of,
            region=region,
            policy=batch.policy,
            clock=clock,
            dice=dice,
        )
        fetcher = Fetcher(
            downloader=downloader,
            tree=tree,
            links=links,
            catalog=catalog,
            request_of=request_of,
            clock=clock,
            dice=dice,
        )
        sealer = Sealer(
            journal=journal, tree=tree, manifest=manifest, request_of=request_of, clock=clock
        )
        yield Loop(
            batch=batch,
            journal=journal,
            workers=Workers(submitter, poller, fetcher, sealer),
            links=links,
            clock=clock,
            give_up=give_up,
            on_progress=on_progress,
        )
