"""Puts a run together: connections, workers, and the loop that they serve."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from batchgen.artifacts import Tree
from batchgen.core.batch import Batch
from batchgen.dashscope.client import Service
from batchgen.dashscope.downloads import Downloader
from batchgen.dashscope.endpoint import Secret, is_private
from batchgen.dashscope.uploads import Storage
from batchgen.journal import Journal
from batchgen.runner.errand import Errand
from batchgen.runner.fetcher import Fetcher
from batchgen.runner.inspector import Inspector
from batchgen.runner.loop import Loop
from batchgen.runner.poller import Poller
from batchgen.runner.progress import Progress
from batchgen.runner.sealer import Sealer
from batchgen.runner.searcher import Searcher
from batchgen.runner.submitter import Submitter
from batchgen.runner.surveyor import Surveyor
from batchgen.runner.throttle import Throttle
from batchgen.runner.uploader import Uploader
from batchgen.runner.workers import Workers


@asynccontextmanager
async def start(
    errand: Errand,
    batch: Batch,
    journal: Journal,
    tree: Tree,
    *,
    base_url: str,
    key: Secret,
    workspace: str | None,
    renew: Callable[[], Secret | None] | None = None,
    give_up: float,
    on_progress: Callable[[Progress], None],
) -> AsyncIterator[Loop]:
    """A loop that is ready to run, with its connections, which end with the context.

    Where it may buy something the service's clock is looked at first: should the answer to the very
    first request be lost, its task is told by when it was made.
    """
    links = journal.links()
    private = is_private(base_url)
    async with (
        Service(base_url, key, workspace=workspace, renew=renew) as service,
        Downloader(private_ok=private) as downloader,
        Storage(private_ok=private) as storage,
    ):
        throttle = Throttle(errand)
        workers = Workers(
            batch.standing.jobs,
            Uploader(errand, service, storage, batch.standing),
            Inspector(errand, service, batch.standing),
            Submitter(errand, service, batch.standing, labels=private),
            Searcher(errand, service, batch),
            Surveyor(errand, service, batch.queries, throttle),
            Poller(errand, service, batch.policy, throttle),
            Fetcher(errand, downloader, tree, links),
            Sealer(errand, journal, tree),
        )
        if batch.buys:
            await service.look_at_clock()
        yield Loop(
            batch=batch,
            journal=journal,
            workers=workers,
            links=links,
            clock=errand.clock,
            give_up=give_up,
            free=tree.free,
            service_time=lambda: service.service_time,
            endpoint=lambda: service.endpoint,
            on_progress=on_progress,
        )
