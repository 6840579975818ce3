"""A run: opens the batch, finds what is left to do, does it, and says what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from batchgen.api.arrival import ACCOUNT, Arrival, arrive
from batchgen.api.endpoint import Endpoint, Place, find_endpoint, find_place
from batchgen.api.settings import Settings, chosen_jobs, policy_of
from batchgen.api.standing import JobReport, report_of
from batchgen.api.summary import Summary
from batchgen.artifacts import Tree
from batchgen.catalog import Catalog, Money, Request
from batchgen.core import facts as f
from batchgen.core.batch import Batch
from batchgen.core.job import Job, ResultState
from batchgen.core.lifecycle import State
from batchgen.dashscope.endpoint import fingerprint
from batchgen.errors import BatchgenError, ExitCode, JournalError, Mistake
from batchgen.journal import Journal, Kind
from batchgen.manifest import Manifest, output_folder

if TYPE_CHECKING:  # aiohttp takes a third of a second, and a finished batch needs none of it
    from batchgen.runner.loop import Loop
    from batchgen.runner.progress import Progress

Connect = Callable[[], AbstractAsyncContextManager[Endpoint]]
"""Opens the way to the service; called only when there is something to ask it."""


class Run:
    """One run of one batch.

    ``on_progress`` is called in the event loop after every step; it should be quick. ``stop`` may
    be called from the same loop at any time: the run then submits nothing more, takes in the
    answers it is waiting for and returns its summary. ``wall`` is the wall clock (Unix seconds),
    read when the run begins; from then on the event loop is the clock.

    The service and the key are those that ``place`` names (the environment's unless given), or what
    ``connect`` opens instead; the region, which sets the prices, is ``place``'s in any case.
    """

    def __init__(
        self,
        manifest: Manifest,
        settings: Settings | None = None,
        *,
        connect: Connect | None = None,
        place: Place | None = None,
        catalog: Catalog | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._manifest = manifest
        self._settings = settings or Settings()
        self._place = place or find_place()
        self._connect = connect
        self._catalog = catalog or manifest.catalog
        self._on_progress = on_progress or (lambda _progress: None)
        self._requests = {job.identity: job.request for job in manifest.jobs}
        self._chosen = chosen_jobs(manifest, self._settings.only)
        self._loop: Loop | None = None
        self._signal: ExitCode | None = None
        self._wall = wall
        sandbox = self._settings.sandbox
        self.folder: Path = output_folder(manifest, self._settings.output, sandbox=sandbox)

    def stop(self, signal: ExitCode | None = None) -> None:
        """End early and in good order; ``signal`` is what the exit code will say."""
        self._signal = signal or ExitCode.MORE_TO_DO
        if self._loop is not None:
            self._loop.stop()

    async def run(self) -> Summary:
        """Submit, poll, download, until nothing is left to do.

        Raises Mistake and BatchHeld before anything is done; what ends a run later is told by the
        summary's ``error``.
        """
        began = asyncio.get_running_loop().time()
        if self._connect is None and Journal.peek(self.folder) is None:
            self._endpoint()  # without a key, not even a folder is made
        with (
            Tree(self.folder.parent, self.folder.name) as tree,
            self._open_journal() as journal,
        ):
            batch = self._batch(journal)
            before = _tally(batch)
            chosen, now = self._chosen, self._wall()
            arrival = await arrive(batch, tree, self._manifest, chosen=chosen, now=now)
            error: BatchgenError | None = None
            try:
                await self._go_on(batch, journal, tree, arrival.facts)
            except Mistake:
                raise
            except BatchgenError as failure:
                error, batch = failure, self._as_written(batch, failure)
            seconds = asyncio.get_running_loop().time() - began
            return self._summary(batch, arrival, before, error, seconds)

    def _open_journal(self) -> Journal:
        kind: Kind = "sandbox" if self._settings.sandbox else "service"
        manifest = self._manifest
        return Journal.open(self.folder, kind=kind, manifest=manifest.name, source=manifest.path)

    def _batch(self, journal: Journal) -> Batch:
        policy = policy_of(self._manifest, self._settings, self._catalog)
        return Batch(policy, facts=journal.replay(), chosen=self._chosen)

    def _as_written(self, batch: Batch, failure: BatchgenError) -> Batch:
        """What a failed journal still holds is the truth, not what was not written any more."""
        if isinstance(failure, JournalError):
            with suppress(JournalError):
                if journal := Journal.peek(self.folder):
                    with journal:
                        return self._batch(journal)
        return batch

    def _endpoint(self) -> Endpoint:
        return find_endpoint(self._place, self._manifest.region, self._catalog)

    async def _go_on(
        self, batch: Batch, journal: Journal, tree: Tree, facts: Sequence[f.Fact]
    ) -> None:
        if not batch.settled:
            async with self._connect() if self._connect else nullcontext(self._endpoint()) as way:
                here = fingerprint(way.base_url, way.key)
                connected = f.Connected(at=facts[0].at, account=ACCOUNT, endpoint=here)
                batch.after(connected)
                await self._note(journal, (*facts, connected))
                await self._work(batch, journal, tree, way)
        elif len(facts) > 1:  # more to tell than that we ran
            await self._note(journal, facts)

    async def _note(self, journal: Journal, facts: Sequence[f.Fact]) -> None:
        """Write down what the run begins with, and the requests that it speaks of."""
        wanted = {fact.request for fact in facts if isinstance(fact, f.Wanted)}
        documents = {identity: self._requests[identity].document() for identity in wanted}
        await journal.commit(facts, requests=documents)

    async def _work(self, batch: Batch, journal: Journal, tree: Tree, endpoint: Endpoint) -> None:
        from batchgen.runner.clock import Clock  # noqa: PLC0415 - as above: aiohttp
        from batchgen.runner.errand import Errand  # noqa: PLC0415
        from batchgen.runner.start import start  # noqa: PLC0415

        errand = Errand(
            manifest=self._manifest.name,
            folder=self._manifest.folder,
            catalog=self._catalog,
            region=self._place.region_of(self._manifest.region),
            request_of=self._request_of(journal),
            clock=Clock(self._wall()),
        )
        running = start(
            errand,
            batch,
            journal,
            tree,
            base_url=endpoint.base_url,
            key=endpoint.key,
            workspace=endpoint.workspace,
            give_up=self._settings.give_up,
            on_progress=self._on_progress,
        )
        async with running as self._loop:
            if self._signal is None:
                await self._loop.run()

    def _request_of(self, journal: Journal) -> Callable[[str], Request]:
        """The manifest's own, or the journal's for a job that the manifest no longer has."""

        def request_of(identity: str) -> Request:
            if identity not in self._requests:
                self._requests[identity] = Request.from_document(journal.request(identity))
            return self._requests[identity]

        return request_of

    def _summary(
        self,
        batch: Batch,
        arrival: Arrival,
        before: tuple[int, int],
        error: BatchgenError | None,
        seconds: float,
    ) -> Summary:
        standing = batch.standing
        jobs = [job for job in standing.jobs.values() if self._was_asked_for(job)]
        submitted, saved = _tally(batch)
        currency = standing.currency
        return Summary(
            name=self._manifest.name,
            folder=self.folder,
            jobs=tuple(_report(job, gone=job.id in arrival.gone) for job in jobs),
            changed=tuple(sorted(arrival.changed)),
            submitted=submitted - before[0],
            saved=saved - before[1],
            spent=Money(standing.spent, currency) if currency else None,
            reserved=Money(standing.reserved, currency) if currency else None,
            seconds=seconds,
            stops=tuple(
                f"{stop.model or 'the account'}: {stop.code}: {stop.message}"
                for stop in standing.stops
            ),
            budget=self._settings.budget or self._manifest.budget,
            budget_reached=batch.budget_reached,
            error=error,
            signal=self._signal,
        )

    def _was_asked_for(self, job: Job) -> bool:
        if job.state is State.WITHDRAWN:
            return False
        return self._chosen is None or job.id in self._chosen


def _tally(batch: Batch) -> tuple[int, int]:
    """Attempts made and files saved, by all runs so far."""
    jobs = batch.standing.jobs.values()
    saved = sum(result.state is ResultState.SAVED for job in jobs for result in job.results)
    return sum(job.attempt for job in jobs), saved


def _report(job: Job, *, gone: bool) -> JobReport:
    report = report_of(job, running=False)
    if not gone:
        return report
    message = "its files are no longer in the folder, and the service no longer has them"
    return replace(report, state=State.EXPIRED, message=message)
