"""A run: opens the batch, finds what is left to do, does it, and says what came of it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from batchgen.api.arrival import ACCOUNT, Arrival, arrive
from batchgen.api.endpoint import Endpoint, Place, find_endpoint, find_place
from batchgen.api.mixing import refuse_mixing
from batchgen.api.rebuilding import recalled, refuse_lost
from batchgen.api.settings import Settings, chosen_jobs, policy_of
from batchgen.api.standing import JobReport, report_of
from batchgen.api.summary import Summary
from batchgen.artifacts import Tree
from batchgen.catalog import Catalog, Money, Request
from batchgen.core import facts as f
from batchgen.core.batch import Batch
from batchgen.core.job import Job, ResultState
from batchgen.core.lifecycle import SETTLED, UNPAID, State
from batchgen.dashscope.endpoint import fingerprint, is_private
from batchgen.errors import BatchgenError, ExitCode, JournalError, Mistake
from batchgen.journal import Journal
from batchgen.manifest import Manifest, output_folder

if TYPE_CHECKING:  # aiohttp takes a third of a second, and a finished batch needs none of it
    from batchgen.runner.loop import Loop
    from batchgen.runner.progress import Progress

Connect = Callable[[], AbstractAsyncContextManager[Endpoint]]
"""Opens the way to the service; called only when there is something to ask it."""


class Run:
    """One run of one batch.

    ``on_progress`` is called in the event loop after every step; it should be quick. ``on_caution``
    is given what a person should know before anything is sent, a sentence at a time. ``stop`` may
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
        on_caution: Callable[[str], None] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._manifest = manifest
        self._settings = settings or Settings()
        self._place = place or find_place()
        self._connect = connect
        self._catalog = catalog or manifest.catalog
        self._on_progress = on_progress or (lambda _progress: None)
        self._on_caution = on_caution or (lambda _words: None)
        self._requests = {job.identity: job.request for job in manifest.jobs}
        self._named = chosen_jobs(manifest, self._settings.only)
        """The jobs that were asked for; None: all."""
        self._loop: Loop | None = None
        self._signal: ExitCode | None = None
        self._wall = wall
        sandbox = self._settings.sandbox
        self.folder: Path = output_folder(manifest, self._settings.output, sandbox=sandbox)

    def stop(self, signal: ExitCode | None = None) -> None:
        """End early and in good order; ``signal`` is what the exit code will say.

        Without a signal nobody is pressing: answers that are being paid for are waited for as long
        as they may take, seconds for a task, minutes where the answer is the result itself.
        """
        self._signal = signal or ExitCode.MORE_TO_DO
        if self._loop is None:
            return
        if self._signal is ExitCode.MORE_TO_DO:
            self._loop.stop(patience=math.inf)
        else:
            self._loop.stop()

    async def run(self) -> Summary:
        """Submit, poll, download, until nothing is left to do.

        Raises Mistake and BatchHeld before anything is done; what goes wrong later is told by the
        summary: by its ``error``, a bug of batchgen by its ``bug``.
        """
        began = asyncio.get_running_loop().time()
        if not Journal.is_begun(self.folder):
            if self._settings.collect:  # nothing was ever paid for, and nothing is made here
                refuse_lost(self.folder, self._manifest.name)
                return self._nothing()
            if self._connect is None:
                self._endpoint()  # without a key, not even a folder is made
        with (
            Tree(self.folder.parent, self.folder.name) as tree,
            self._open_journal() as journal,
        ):
            await self._caution(journal, tree)
            batch = self._batch(journal)
            journal.check_requests(batch.standing)
            await journal.fold(batch.standing)
            if self._connect is None:
                refuse_mixing(batch.standing, private=is_private(self._place.url or ""))
            chosen, now = self._chosen, self._wall()
            arrival = await arrive(
                batch, tree, self._manifest, self._settings, chosen=chosen, now=now
            )
            before = _Tally.of(batch)
            error: BatchgenError | None = None
            bug: Exception | None = None
            try:
                await self._go_on(batch, journal, tree, arrival)
            except Mistake:
                raise
            except BatchgenError as failure:
                error, batch = failure, self._as_written(batch, failure)
            except Exception as failure:  # noqa: BLE001 - what is paid for is told all the same
                bug = failure
            else:
                await journal.fold(batch.standing)
                await tree.sweep({job.id for job in batch.standing.jobs.values() if _is_open(job)})
            seconds = asyncio.get_running_loop().time() - began
            summary = self._summary(batch, arrival, before, seconds)
            free = tree.free() if summary.disk_needed else None
            return replace(summary, error=error, bug=bug, disk_free=free)

    @property
    def _chosen(self) -> Collection[str] | None:
        """The jobs that may be submitted; None: all."""
        return frozenset() if self._settings.collect else self._named

    async def _caution(self, journal: Journal, tree: Tree) -> None:
        """Say what a person should know of the journal, a lost one included."""
        for words in journal.cautions:
            self._on_caution(words)
        manifest, settings = self._manifest, self._settings
        if settings.collect:  # which knows nothing of jobs that have left no sidecar
            return
        if found := await recalled(journal, tree, manifest, settings, now=self._wall()):
            self._on_caution(found.words)

    def _open_journal(self) -> Journal:
        kind, manifest = self._settings.kind, self._manifest
        return Journal.open(self.folder, kind=kind, manifest=manifest.name, source=manifest.path)

    def _batch(self, journal: Journal) -> Batch:
        policy = policy_of(self._manifest, self._settings, self._catalog)
        known = journal.recall(policy)
        return Batch(
            policy,
            standing=known,
            newest=journal.newest(known),
            facts=journal.replay(known.taken),
            chosen=self._chosen,
        )

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

    async def _go_on(self, batch: Batch, journal: Journal, tree: Tree, arrival: Arrival) -> None:
        facts = arrival.facts
        if batch.settled:
            if len(facts) > 1:  # more to tell than that we ran
                journal.check_file()
                await self._note(journal, facts)
            await _set_aside(tree, arrival)
            return
        journal.check_file()
        async with self._connect() if self._connect else nullcontext(self._endpoint()) as way:
            private = is_private(way.base_url)
            refuse_mixing(batch.standing, private=private)
            here = fingerprint(way.base_url, way.key)
            at = facts[0].at
            connected = f.Connected(at=at, account=ACCOUNT, endpoint=here, private=private)
            batch.after(connected)
            await self._note(journal, [*facts, connected])
            facts.clear()  # of a new batch there is one for every job
            await _set_aside(tree, arrival)
            await self._work(batch, journal, tree, way)

    async def _note(self, journal: Journal, facts: Sequence[f.Fact]) -> None:
        """Write down what the run begins with, and the requests that it speaks of."""
        wanted = {fact.request for fact in facts if isinstance(fact, f.Wanted)}
        await journal.commit(facts, requests=_Documents(self._requests, wanted))

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
            renew=endpoint.renew,
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
        before: _Tally,
        seconds: float,
    ) -> Summary:
        standing = batch.standing
        jobs = standing.jobs.values()
        currency = standing.currency
        return Summary(
            name=self._manifest.name,
            folder=self.folder,
            jobs=tuple(self._report(job, arrival) for job in filter(self._was_asked_for, jobs)),
            changed=tuple(sorted(arrival.changed)),
            submitted=sum(map(before.submitted, jobs)),
            saved=sum(map(before.newly_saved, jobs)),
            spent=Money(standing.spent, currency) if currency else None,
            reserved=Money(standing.reserved, currency) if currency else None,
            seconds=seconds,
            stops=tuple(
                f"{stop.model or 'the account'}: {stop.code}: {stop.message}"
                for stop in standing.stops
            ),
            budget=self._settings.budget or self._manifest.budget,
            budget_reached=batch.budget_reached or bool(arrival.too_dear),
            disk_needed=batch.disk_needed,
            failing=batch.failing,
            signal=self._signal,
            collect=self._settings.collect,
        )

    def _nothing(self) -> Summary:
        return Summary(
            name=self._manifest.name,
            folder=self.folder,
            jobs=(),
            changed=(),
            submitted=0,
            saved=0,
            spent=None,
            reserved=None,
            seconds=0.0,
            collect=self._settings.collect,
        )

    def _was_asked_for(self, job: Job) -> bool:
        if self._settings.collect:
            return job.state not in UNPAID
        if job.state is State.WITHDRAWN:
            return False
        return self._named is None or job.id in self._named

    def _report(self, job: Job, arrival: Arrival) -> JobReport:
        report = report_of(job, running=False)
        if job.id in arrival.too_dear:
            return replace(report, again=True, price=arrival.too_dear[job.id])
        if job.id not in arrival.gone:
            return report
        message = "its files are no longer in the folder, and the service no longer has them"
        return replace(report, state=State.EXPIRED, message=message)


_OVER = frozenset({State.DONE, State.PARTIAL, State.WITHDRAWN})
"""Where a run finds nothing to do, once it has arrived."""


class _Documents(Mapping[str, Mapping[str, Any]]):
    """What is written down of some requests, each made when it is asked for."""

    def __init__(self, requests: Mapping[str, Request], chosen: Collection[str]) -> None:
        self._requests = requests
        self._chosen = chosen

    def __len__(self) -> int:
        return len(self._chosen)

    def __iter__(self) -> Iterator[str]:
        return iter(self._chosen)

    def __getitem__(self, identity: str) -> Mapping[str, Any]:
        return self._requests[identity].document()


def _is_open(job: Job) -> bool:
    """Something of it may lie among the parts that is still of use."""
    return job.state not in SETTLED or job.state in {State.PARKED, State.LOST}


@dataclass(frozen=True, slots=True)
class _Tally:
    """Attempts made and files saved when a run begins, of the jobs that it may do something for."""

    before: Mapping[str, tuple[int, float, int]]
    """By job: the attempts, when the last was started, the files saved."""

    @classmethod
    def of(cls, batch: Batch) -> Self:
        jobs = [job for job in batch.standing.jobs.values() if job.state not in _OVER]
        # What is saved of a job that is bought anew belongs to its earlier attempt.
        saved = [0 if job.state is State.PENDING else _saved(job) for job in jobs]
        rows = zip(jobs, saved, strict=True)
        return cls({job.id: (job.attempt, job.started_at, files) for job, files in rows})

    def submitted(self, job: Job) -> int:
        """Requests that were sent since, and that the service has not surely refused to take."""
        if job.id not in self.before:
            return 0
        attempts, started, _ = self.before[job.id]
        # Sent anew under the number of an attempt that was found absent.
        again = job.started_at != started and job.state is not State.PENDING
        return max(job.attempt - attempts, int(again), 0)

    def newly_saved(self, job: Job) -> int:
        return max(_saved(job) - self.before[job.id][2], 0) if job.id in self.before else 0


def _saved(job: Job) -> int:
    return sum(result.state is ResultState.SAVED for result in job.results)


async def _set_aside(tree: Tree, arrival: Arrival) -> None:
    """What was bought before leaves its place for what is bought anew."""
    for name in arrival.replaced:
        await tree.set_aside(name)
