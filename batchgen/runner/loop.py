"""The one loop of a run: decide, write down, act, listen.

Rules of this file:

* Facts are durable before anything acts on them: those of a decision before its actions start,
  those of an outcome before the next decision. A failed write ends the run; the journal is the
  truth, and the batch in memory is thrown away.
* Nobody else calls ``decide``, ``after`` or ``commit``. Actions run beside the loop and touch
  neither the batch nor the journal; they end in one piece of news each.
* POSTs under way are the only thing worth waiting for when a run ends early, for at most
  ``PATIENCE`` seconds: their answers name tasks that are being paid for. What is not answered by
  then is in doubt, and written down as such. Tasks at the service go
  on, and what was cut of a download is fetched again in the next run.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from batchgen.core.actions import Action, Download, Poll, Prepare, Seal, Submit
from batchgen.core.batch import Batch, Decision
from batchgen.core.facts import CHECK, Fact
from batchgen.core.job import IllegalStep
from batchgen.errors import JournalError, ServiceUnreachable
from batchgen.journal import Journal, LinkKey
from batchgen.runner.clock import Clock
from batchgen.runner.fetcher import Fetcher
from batchgen.runner.inspector import Inspector
from batchgen.runner.outcome import Outcome
from batchgen.runner.poller import Poller
from batchgen.runner.progress import Progress, progress_of
from batchgen.runner.sealer import Sealer
from batchgen.runner.submitter import Submitter
from batchgen.runner.uploader import Uploader

_log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that an early end waits for the answers to POSTs."""


@dataclass(frozen=True, slots=True)
class Workers:
    """The hands of a run: one for each kind of action."""

    uploader: Uploader
    inspector: Inspector
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
        async with self._say, self._news:
            async with anyio.create_task_group() as tasks:
                try:
                    await self._cycle(tasks)
                except Exception as error:  # noqa: BLE001 - raised below, outside the task group
                    failure = error
                with anyio.move_on_after(PATIENCE):
                    failure = await self._land(failure)
                tasks.cancel_scope.cancel()
            try:
                await self._give_up_posts()
            except Exception as error:  # noqa: BLE001 - the first failure is the one to tell
                failure = failure or error
        if failure is not None:
            raise failure

    async def _cycle(self, tasks: TaskGroup) -> None:
        while not self._stopping:
            now = self._clock.now()
            decision = self._batch.decide(now)
            await self._write_down(decision)
            for action in decision.actions:
                tasks.start_soon(self._act, action)
            self._tell(progress_of(self._batch, now))
            if self._batch.settled:
                return
            await self._listen(min(self._batch.wake_at(now), self._silent_since + self._give_up))
            self._check_silence()

    def _tell(self, progress: Progress) -> None:
        """Whoever watches must not decide the fate of what is paid for."""
        try:
            self._on_progress(progress)
        except Exception:  # noqa: BLE001 - it is the caller's code
            _log.exception("on_progress failed; the run goes on without it")
            self._on_progress = lambda _progress: None

    async def _write_down(self, decision: Decision) -> None:
        """Before anything is done. What cannot be written down is not begun."""
        if not decision.facts:
            return
        try:
            await self._journal.commit(decision.facts)
        except JournalError:
            for action in decision.actions:
                del self._batch.under_way[action]
            raise

    async def _land(self, failure: Exception | None) -> Exception | None:
        """Take in the answers to POSTs under way; a failure that is known already stays the one."""
        while any(map(_costs, self._batch.under_way)):
            try:
                await self._listen(math.inf)
            except JournalError as error:  # nothing can be written down any more
                return failure or error
            except Exception as error:  # noqa: BLE001 - another worker's; the POSTs go on
                failure = failure or error
        return failure

    async def _give_up_posts(self) -> None:
        """Whose answer has not come by now is in doubt, and is told so at once."""
        await self._take_in(self._buffered())
        if facts := self._batch.give_up_posts(self._clock.now()):
            await self._journal.commit(facts)

    async def _listen(self, until: float) -> None:
        """Wait for news, or until then; take in all the news that is there."""
        first: News | None = None
        with anyio.move_on_after(until - self._clock.now()):
            first = await self._news.receive()
        await self._take_in([first, *self._buffered()])

    def _buffered(self) -> list[News | None]:
        waiting = self._news.statistics().current_buffer_used
        return [self._news.receive_nowait() for _ in range(waiting)]

    async def _take_in(self, news: Sequence[News | None]) -> None:
        facts: list[Fact] = []
        links: dict[LinkKey, str] = {}
        ended: list[tuple[Action, Outcome]] = []
        failures: list[Exception] = []
        for item in filter(None, news):
            if isinstance(item.outcome, Exception):
                failures.append(item.outcome)
                continue
            try:
                for fact in item.outcome.facts:
                    self._batch.after(fact)
                    facts.append(fact)
            except IllegalStep as error:  # the others' facts may name tasks: they are kept
                failures.append(error)
                continue
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
            since = self._clock.now() - (self._give_up if outcome.hopeless else 0.0)
            self._silent_since = min(self._silent_since, since)
            self._silence = outcome.reason or ""

    def _check_silence(self) -> None:
        if self._clock.now() < self._silent_since + self._give_up:
            return
        raise ServiceUnreachable(
            f"The service could not be reached: {self._silence}.",
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
            case Prepare(need=need) if need.kind == CHECK:
                return await self._workers.inspector.inspect(job, need)
            case Prepare(need=need):
                return await self._workers.uploader.upload(job, need)
            case Submit():
                return await self._workers.submitter.submit(job)
            case Poll():
                return await self._workers.poller.poll(job)
            case Download(index=index):
                return await self._workers.fetcher.fetch(job, index)
            case Seal():
                return await self._workers.sealer.seal(job)


def _costs(action: Action) -> bool:
    """A POST whose answer names what is being paid for."""
    return isinstance(action, Submit) or (isinstance(action, Prepare) and action.need.kind == CHECK)
