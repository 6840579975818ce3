"""The one loop of a run: decide, write down, act, listen.

Rules of this file:

* Facts are durable before anything acts on them: those of a decision before its actions start,
  those of an outcome before the next decision. A failed write ends the run; the journal is the
  truth, and the batch in memory is thrown away.
* Nobody else calls ``decide``, ``after`` or ``commit``. Actions run beside the loop and change
  neither the batch nor the journal, but for the turns that their further questions take
  (``turns``); they end in one piece of news each.
* What ends a run are refusals of this machine, or silence. A worker that raises what nobody
  expected stops its job alone (``mishaps``), and the run raises it when it is over.
* POSTs under way are the only thing worth waiting for when a run ends early, for ``PATIENCE``
  seconds unless ``stop`` was told otherwise: their answers name tasks that are being paid for, or
  are the results themselves. What is not answered by then is in doubt, and written down as such.
  Tasks at the service go on, and what was cut of a download is fetched again in the next run.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from batchgen.core.actions import Action, AskLimits, Prepare, Search, Submit, Survey
from batchgen.core.batch import Batch, Decision
from batchgen.core.facts import CHECK, Fact
from batchgen.core.job import IllegalStep, Job
from batchgen.errors import BatchgenError, JournalError
from batchgen.journal import Journal, LinkKey
from batchgen.runner.clock import Clock
from batchgen.runner.mishaps import mishap
from batchgen.runner.outcome import Outcome
from batchgen.runner.progress import Progress, progress_of
from batchgen.runner.silence import Silence
from batchgen.runner.workers import Workers

_log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that an early end waits for the answers to POSTs."""

DISK_LOOKS = 1.0
"""Seconds between two looks at what is free on the disk."""


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
        free: Callable[[], int | None],
        service_time: Callable[[], float | None],
        endpoint: Callable[[], str],
        on_progress: Callable[[Progress], None],
    ) -> None:
        """``free`` tells the bytes that are free for results, ``service_time`` what the service's
        clock showed in its newest answer, ``endpoint`` which host and key are asked now.
        """
        self._batch = batch
        self._journal = journal
        self._workers = workers
        self._links = links
        self._clock = clock
        self._free = free
        self._look_at_disk_at = -math.inf
        self._service_time = service_time
        self._service_time_seen: float | None = None
        self._endpoint = endpoint
        self._on_progress = on_progress
        self._stopping = False
        self._patience = PATIENCE
        self._landing: anyio.CancelScope | None = None
        self._silence = Silence(give_up)
        self._bug: Exception | None = None
        self._failed: set[Action] = set()
        """They are over, without an outcome that could be taken in."""
        streams = anyio.create_memory_object_stream[News | None](math.inf)
        self._say: MemoryObjectSendStream[News | None] = streams[0]
        self._news: MemoryObjectReceiveStream[News | None] = streams[1]

    def stop(self, patience: float = PATIENCE) -> None:
        """Submit nothing more, wait so many seconds for the answers to POSTs under way, and end.

        May be called again, to shorten the wait.
        """
        self._stopping = True
        self._patience = patience
        if self._landing is not None:
            end = anyio.current_time() + patience
            self._landing.deadline = min(self._landing.deadline, end)
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._say.send_nowait(None)

    async def run(self) -> None:
        """Until nothing is left to do. Raises what ends a run (MachineError, ServiceUnreachable),
        and at its end the first exception that nobody expected.

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
                with anyio.move_on_after(self._patience) as self._landing:
                    failure = await self._land(failure)
                tasks.cancel_scope.cancel()
            try:
                await self._give_up_posts()
            except Exception as error:  # noqa: BLE001 - the first failure is the one to tell
                failure = failure or error
        if failure := failure or self._bug:
            raise failure

    async def _cycle(self, tasks: TaskGroup) -> None:
        while not self._stopping:
            now = self._clock.now()
            self._look_around(now)
            await self._note_key(now)
            decision = self._batch.decide(now)
            await self._write_down(decision)
            for action in decision.actions:
                tasks.start_soon(self._act, action)
            self._tell(progress_of(self._batch, now))
            if self._batch.settled:
                return
            await self._listen(min(self._batch.wake_at(now), self._silence.ends_at))
            self._silence.check(self._clock.now())

    def _look_around(self, now: float) -> None:
        """What a decision should know that no fact says."""
        if now >= self._look_at_disk_at:
            self._look_at_disk_at = now + DISK_LOOKS
            self._batch.see_disk(self._free())
        seen = self._service_time()
        if seen is not None and seen != self._service_time_seen:
            self._service_time_seen = seen
            self._batch.see_service_time(now, seen)

    async def _note_key(self, now: float) -> None:
        """A key that was read anew in mid-run may be another account's."""
        known, here = self._batch.standing.connected, self._endpoint()
        if known is not None and known.endpoint != here:
            changed = replace(known, at=now, endpoint=here)
            self._batch.after(changed)
            await self._journal.commit((changed,))

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
        except Exception:
            for action in decision.actions:
                del self._batch.under_way[action]
            raise

    async def _land(self, failure: Exception | None) -> Exception | None:
        """Take in the answers to POSTs under way; a failure that is known already stays the one."""
        while any(map(_costs, self._batch.under_way.keys() - self._failed)):
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
                self._failed.add(item.action)
                continue
            try:
                for fact in item.outcome.facts:
                    self._batch.after(fact)
                    facts.append(fact)
            except IllegalStep as error:  # the others' facts may name tasks: they are kept
                failures.append(error)
                self._failed.add(item.action)
                continue
            links.update(item.outcome.links)
            ended.append((item.action, item.outcome))
        if facts or links:
            await self._journal.commit(facts, links=links)
        self._links.update(links)
        for action, outcome in ended:
            self._batch.settle(action, self._clock.now(), outcome.news)
            self._note(action, outcome)
        if failures:
            raise failures[0]

    def _note(self, action: Action, outcome: Outcome) -> None:
        """What only this run needs to know."""
        if outcome.bug is not None and self._bug is not None and isinstance(action, Submit):
            self._batch.stop_submitting()  # what goes wrong again with what costs is not tried on
        self._bug = self._bug or outcome.bug
        self._silence.note(action, outcome, self._clock.now())

    async def _act(self, action: Action) -> None:
        outcome: Outcome | Exception
        try:
            outcome = await self._workers.act(action)
        except Exception as error:  # noqa: BLE001 - the loop raises it, in its own place
            outcome = error
            if not _ends_a_run(error):
                outcome = mishap(action, self._jobs_of(action), error, self._clock.now())
        self._say.send_nowait(News(action, outcome))

    def _jobs_of(self, action: Action) -> Sequence[Job]:
        match action:
            case Search():
                return self._batch.doubts(action.account, action.model)
            case Survey() | AskLimits():
                return ()
            case _:
                return (self._batch.standing.jobs[action.job],)


def _ends_a_run(error: Exception) -> bool:
    """What this machine refuses one job it will refuse the next; but a network's errors are known
    to the connections, and nobody else expects them.
    """
    network = isinstance(error, ConnectionError | TimeoutError)
    refused = isinstance(error, OSError | MemoryError) and not network
    return refused or isinstance(error, BatchgenError)


def _costs(action: Action) -> bool:
    """A POST whose answer names what is being paid for."""
    return isinstance(action, Submit) or (isinstance(action, Prepare) and action.need.kind == CHECK)
