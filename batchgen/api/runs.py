"""A run: opens the batch, finds what is left to do, does it, and says what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchgen.api.endpoint import Endpoint
from batchgen.api.settings import Settings, chosen_jobs, policy_of
from batchgen.api.standing import report_of, wishes_of
from batchgen.api.summary import Summary
from batchgen.artifacts import Tree, sidecar_name
from batchgen.catalog import Catalog, Money, Request
from batchgen.catalog import load as load_catalog
from batchgen.core import facts as f
from batchgen.core.batch import Batch
from batchgen.core.lifecycle import Job, ResultState, State
from batchgen.core.wishes import difference
from batchgen.errors import BatchgenError, ExitCode, Mistake
from batchgen.journal import Journal, Kind
from batchgen.manifest import Manifest, output_folder
from batchgen.version import VERSION

if TYPE_CHECKING:  # aiohttp takes a third of a second, and a finished batch needs none of it
    from batchgen.runner.loop import Loop
    from batchgen.runner.progress import Progress

ACCOUNT = "default"
"""The name of the one account there is, in every fact."""

Connect = Callable[[], AbstractAsyncContextManager[Endpoint]]
"""Opens the way to the service; called only when there is something to ask it."""


class Run:
    """One run of one batch.

    ``on_progress`` is called in the event loop after every step; it should be quick. ``stop`` may
    be called from the same loop at any time: the run then submits nothing more, takes in the
    answers it is waiting for and returns its summary. ``wall`` is the wall clock (Unix seconds),
    read when the run begins; from then on the event loop is the clock.
    """

    def __init__(
        self,
        manifest: Manifest,
        connect: Connect,
        settings: Settings | None = None,
        *,
        catalog: Catalog | None = None,
        region: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._manifest = manifest
        self._connect = connect
        self._settings = settings or Settings()
        self._catalog = catalog or load_catalog()
        self._region = region
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
        kind: Kind = "sandbox" if self._settings.sandbox else "service"
        with Journal.open(self.folder, kind=kind, manifest=self._manifest.name) as journal:
            policy = policy_of(self._manifest, self._settings, self._catalog)
            batch = Batch(policy, facts=journal.replay(), chosen=self._chosen)
            before = _tally(batch)
            changed = frozenset[str]()
            error = None
            with Tree(self.folder.parent, self.folder.name) as tree:
                facts, changed = self._take_up(batch, tree)
                try:
                    if not batch.settled:
                        await self._work(batch, journal, tree, facts)
                    elif len(facts) > 1:  # more to tell than that we ran
                        await self._note(journal, facts)
                except Mistake:
                    raise
                except BatchgenError as failure:
                    error = failure
            took = asyncio.get_running_loop().time() - began
            return self._summary(batch, changed, before, error, took)

    def _take_up(self, batch: Batch, tree: Tree) -> tuple[list[f.Fact], frozenset[str]]:
        """The facts that a new run begins with, and the jobs that were changed too late."""
        now = self._wall()
        facts: list[f.Fact] = [f.RunStarted(at=now, account=ACCOUNT, version=VERSION)]
        batch.after(facts[0])
        found = difference(batch.standing, wishes_of(self._manifest), account=ACCOUNT, at=now)
        for fact in (*found.facts, *_vanished(batch, tree, now)):
            batch.after(fact)
            facts.append(fact)
        return facts, found.changed

    async def _note(self, journal: Journal, facts: list[f.Fact]) -> None:
        """Write down what the run begins with, and the requests that it speaks of."""
        wanted = {fact.request for fact in facts if isinstance(fact, f.Wanted)}
        documents = {identity: self._requests[identity].document() for identity in wanted}
        await journal.commit(facts, requests=documents)

    async def _work(self, batch: Batch, journal: Journal, tree: Tree, facts: list[f.Fact]) -> None:
        from batchgen.runner.clock import Clock  # noqa: PLC0415 - as above: aiohttp
        from batchgen.runner.errand import Errand  # noqa: PLC0415
        from batchgen.runner.start import start  # noqa: PLC0415

        async with self._connect() as endpoint:
            await self._note(journal, facts)
            errand = Errand(
                manifest=self._manifest.name,
                folder=self._manifest.folder,
                catalog=self._catalog,
                region=self._region,
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
        changed: frozenset[str],
        before: tuple[int, int],
        error: BatchgenError | None,
        seconds: float,
    ) -> Summary:
        standing = batch.standing
        jobs = [job for job in standing.jobs.values() if self._was_asked_for(job)]
        submitted, saved = _tally(batch)
        stops = [f"{stop.model or 'the account'}: {stop.message}" for stop in standing.stops]
        if batch.budget_reached:
            stops.append("the budget does not allow what is left")
        currency = standing.currency
        return Summary(
            name=self._manifest.name,
            folder=self.folder,
            jobs=tuple(report_of(job, running=False) for job in jobs),
            changed=tuple(sorted(changed)),
            submitted=submitted - before[0],
            saved=saved - before[1],
            spent=Money(standing.spent, currency) if currency else None,
            reserved=Money(standing.reserved, currency) if currency else None,
            seconds=seconds,
            stops=tuple(stops),
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


def _vanished(batch: Batch, tree: Tree, now: float) -> Iterator[f.JobFact]:
    """What was done and is no longer in the tree: it is fetched or written again, never bought."""
    settled = {State.DONE, State.PARTIAL}
    jobs = [job for job in batch.standing.jobs.values() if job.state in settled]
    files = [(result.name, result.bytes) for job in jobs for result in job.results if result.name]
    missing = set(tree.missing(files))
    for job in jobs:
        says: dict[str, Any] = {"at": now, "account": job.account, "job": job.id}
        says["attempt"] = job.attempt
        gone = tuple(index for index, result in enumerate(job.results) if result.name in missing)
        if gone:
            yield f.ResultsVanished(**says, indexes=gone)
        elif not (tree.folder / sidecar_name(job.id)).is_file():
            yield f.SidecarVanished(**says)
