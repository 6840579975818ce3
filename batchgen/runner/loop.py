"""The one loop of a run: decide, write down, act, listen.

Rules of this file:

* Facts are durable before anything acts on them: those of a decision before its actions start,
  those of an outcome before the next decision. A failed write ends the run; the journal is the
  truth, and the batch in memory is thrown away.
* Nobody else calls ``decide``, ``after`` or ``commit``. Actions run beside the loop and touch
  neither the batch nor the journal; they end in one piece of news each.
* POSTs under way are the only thing worth waiting for when a run ends early, for at most
  ``PATIENCE`` seconds: their answers name tasks that are being paid for. Tasks at the service go
  on, and downloads that were cut go on in the next run.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from batchgen.core.actions import Action, Download, Poll, Seal, Submit
from batchgen.core.batch import Batch
from batchgen.core.facts import Fact
from batchgen.errors import ServiceUnreachable
from batchgen.journal import Journal
from batchgen.runner.clock import Clock
from batchgen.runner.fetcher import Fetcher
from batchgen.runner.outcome import LinkKey, Outcome
from batchgen.runner.poller import Poller
from batchgen.runner.progress import Progress, progress_of
from batchgen.runner.sealer import Sealer
from batchgen.runner.submitter import Submitter

PATIENCE = 10.0
"""Seconds that an early end waits for the answers to POSTs."""


@dataclass(frozen=True, slots=True)
class Workers:
    """The four hands of a run: one for each kind of action."""

    submitter: Submitter
    poller: Poller
    fetcher: Fetcher
    sealer: Sealer


@dataclass(frozen=True, slots=True)
class News:
    """An action that has ended, with what came of it or the error that ended it."""

    action: Action
    outcome: Outcome | Exception


class Loop:
    """Runs a batch until it is settled, or until ``stop``."""

    def __init__(
        self,
        *,
        batch: Batch,
        journal: Journal,
        workers: Workers,
        links: MutableMapping[LinkKey, str],
        clock: Clock,
        give_up: float,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._batch = batch
        self._journal = journal
        self._workers = workers
        self._links = links
        self._clock = clock
        self._give_up = give_up
        self._on_progress = on_progress
        self._stopping = False
        self._silent_since = math.inf
        self._silence = ""
        streams = anyio.create_memory_object_stream[News | None](math.inf)
        self._say: MemoryObjectSendStream[News | None] = streams[0]
        self._news: MemoryObjectReceiveStream[News | None] = streams[1]

    def stop(self) -> None:
        """Submit nothing more, take in the answers to POSTs under way, and end."""
        self._stopping = True
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._say.send_nowait(None)

    async def run(self) -> None:
        """Until nothing is left to do. Raises what ends a run: MachineError, ServiceUnreachable.

        To be cancelled is to be stopped: the work goes on in a task of its own until it has landed.
        A second cancellation leaves at once.
        """
        work = asyncio.ensure_future(self._work())
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self.stop()
            with anyio.CancelScope(shield=True):
                await asyncio.gather(work, return_exceptions=True)
            raise

    async def _work(self) -> None:
        failure: Exception | None = None
        async with self._say, self._news, anyio.create_task_group() as tasks:
            try:
                await self._cycle(tasks)
            except Exception as error:  # noqa: BLE001 - raised below, outside the task group
                failure = error
            with anyio.move_on_after(PATIENCE):
                await self._land(failure)
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _cycle(self, tasks: TaskGroup) -> None:
        while not self._stopping:
            now = self._clock.now()
            decision = self._batch.decide(now)
            if decision.facts:
                await self._journal.commit(decision.facts)
            for action in decision.actions:
                tasks.start_soon(self._act, action)
            self._on_progress(progress_of(self._batch, now))
            if self._batch.settled:
                return
            await self._listen(min(self._batch.wake_at(now), self._silent_since + self._give_up))
            self._check_silence()

    async def _land(self, failure: Exception | None) -> None:
        """Take in the answers to POSTs under way; a failure that is known already stays the one."""
        try:
            while any(isinstance(action, Submit) for action in self._batch.under_way):
                await self._listen(math.inf)
        except Exception:
            if failure is None:
                raise

    async def _listen(self, until: float) -> None:
        """Wait for news, or until then; take in all the news that is there."""
        news: list[News | None] = []
        with anyio.move_on_after(until - self._clock.now()):
            news.append(await self._news.receive())
        while self._news.statistics().current_buffer_used:
            news.append(self._news.receive_nowait())
        await self._take_in([item for item in news if item is not None])

    async def _take_in(self, news: Sequence[News]) -> None:
        facts: list[Fact] = []
        links: dict[LinkKey, str] = {}
        ended: list[tuple[Action, Outcome]] = []
        failures: list[Exception] = []
        for item in news:
            if isinstance(item.outcome, Exception):
                failures.append(item.outcome)
                continue
            for fact in item.outcome.facts:
                self._batch.after(fact)
            facts.extend(item.outcome.facts)
            links.update(item.outcome.links)
            ended.append((item.action, item.outcome))
        if facts or links:
            await self._journal.commit(facts, links=links)
        self._links.update(links)
        for action, outcome in ended:
            self._batch.settle(action, self._clock.now())
            self._note(outcome)
        if failures:
            raise failures[0]

    def _note(self, outcome: Outcome) -> None:
        """What only this run needs to know."""
        if outcome.queries_wait is not None:
            self._batch.slow_queries(outcome.queries_wait)
        if outcome.key_refused:
            self._batch.stop_queries()
        if outcome.heard:
            self._silent_since = math.inf
        elif outcome.heard is False:
            self._silent_since = min(self._silent_since, self._clock.now())
            self._silence = outcome.reason or ""

    def _check_silence(self) -> None:
        if self._clock.now() < self._silent_since + self._give_up:
            return
        raise ServiceUnreachable(
            f"Nothing was heard from the service for {self._give_up / 60:.0f} minutes:"
            f" {self._silence}.",
            hint="Run again when it can be reached; results wait 24 hours at the service.",
        )

    async def _act(self, action: Action) -> None:
        outcome: Outcome | Exception
        try:
            outcome = await self._outcome(action)
        except Exception as error:  # noqa: BLE001 - the loop raises it, in its own place
            outcome = error
        self._say.send_nowait(News(action, outcome))

    async def _outcome(self, action: Action) -> Outcome:
        job = self._batch.standing.jobs[action.job]
        match action:
            case Submit():
                return await self._workers.submitter.submit(job)
            case Poll():
                return await self._workers.poller.poll(job)
            case Download(index=index):
                return await self._workers.fetcher.fetch(job, index)
            case Seal():
                return await self._workers.sealer.seal(job)
