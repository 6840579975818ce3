"""All tasks on their way: which wait, which run, which have ended.

There is no timer to lose. Every look settles first what has become due since the last one, and a
killed sandbox comes to the same result when it is back. Only where somebody waits for a change, an
alarm makes the look.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from batchgen.sandbox.clock import Clock
from batchgen.sandbox.tasks.bill import Bill
from batchgen.sandbox.tasks.lanes import Lane, Occupied
from batchgen.sandbox.tasks.store import Query, Store
from batchgen.sandbox.tasks.task import Status, Task

RETENTION = 24 * 3600.0
"""Seconds a task is known and its results can be fetched, counted from its end."""

LONGEST_ALARM = 60.0
"""Seconds of the clock, and at least one of the loop: slots that were taken away may be back
without any change of a task.
"""


class Room(NamedTuple):
    """What a lane has room for now: tasks that run, and tasks that wait."""

    running: int
    queue: int


class Scheduler:
    """The lanes over the store; `room` tells what a model's lanes have room for."""

    def __init__(self, store: Store, clock: Clock, room: Callable[[str], Room]) -> None:
        self._store = store
        self._clock = clock
        self._room = room
        self._lanes: defaultdict[tuple[str, str], Lane] = defaultdict(Lane)
        self._changed: list[Task] = []
        """Changes that the store does not have yet: a disk that refuses may take them later."""
        self._waited_for: dict[str, asyncio.Future[Task]] = {}
        self._listeners: list[Callable[[Task], None]] = []
        self._alarm: asyncio.TimerHandle | None = None
        for task in store.active():
            self._lanes[task.account, task.model].add(task)

    def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    def has_room(self, account: str, model: str) -> bool:
        self.settle()
        return len(self._lanes[account, model].waiting) < self._room(model).queue

    def admit(self, task: Task) -> None:
        """The task is durable when this returns."""
        self._store.create(task)
        self._lanes[task.account, task.model].add(task)
        self._arm()

    def find(self, account: str, task_id: str) -> Task | None:
        """None for a task of another account, an unknown one, one that ended more than 24 hours
        ago, and what a POST answered with its result.
        """
        task = self.by_id(task_id)
        return task if task and task.account == account and not task.synchronous else None

    def by_id(self, task_id: str) -> Task | None:
        """The task whosever it is, as long as it is kept."""
        self.settle()
        task = self._store.find(task_id)
        if task and task.ended is not None and self._clock.now() - task.ended > RETENTION:
            return None
        return task

    def listed(self, account: str, query: Query) -> tuple[int, list[Task]]:
        """See Store.listed. A task that cannot be asked for any more, 24 hours after its end, is
        not listed either (*chosen*: the page bounds the window by the creation alone).
        """
        self.settle()
        return self._store.listed(account, query, self._clock.now() - RETENTION)

    def cancel(self, account: str, task_id: str) -> bool:
        """Whether it was still PENDING; a task under inspection is."""
        task = self.find(account, task_id)
        if task is None or task.status is not Status.PENDING:
            return False
        self._store.cancel(task.canceled(self._clock.now()))
        self._lanes[account, task.model].drop(task)
        return True

    async def change_of(self, task: Task) -> Task:
        """The task when its status is another one than it is here."""
        known = self.by_id(task.id)
        assert known is not None
        if known.status is not task.status:
            return known
        change: asyncio.Future[Task] = asyncio.get_running_loop().create_future()
        self._waited_for[task.id] = change
        self._arm()
        try:
            return await change
        finally:
            self._waited_for.pop(task.id, None)

    def announce(self, listener: Callable[[Task], None]) -> None:
        """Call it with every task that succeeds or fails from now on, when its end has come."""
        self._listeners.append(listener)
        self._arm()

    def inputs_needed(self) -> set[str]:
        """The digests of the media that a result may still be drawn from."""
        return self._store.inputs_since(self._clock.now() - RETENTION)

    def bill(self) -> Bill:
        self.settle()
        return self._store.bill()

    def latest(
        self, before: int, limit: int, *, status: str, text: str
    ) -> tuple[list[Task], int | None]:
        """See Store.latest."""
        self.settle()
        return self._store.latest(before, limit, status=status, text=text)

    def lanes(self) -> list[Occupied]:
        """The lanes that are not empty, by account and model."""
        self.settle()
        return [
            Occupied(account, model, lane.running, room.running, len(lane.waiting), room.queue)
            for (account, model), lane in sorted(self._lanes.items())
            if lane.running or lane.waiting
            for room in [self._room(model)]
        ]

    def settle(self) -> None:
        """Everything that has become due happens, each at its time. Raises OSError where the disk
        refuses; then it is known at the next look.
        """
        now = self._clock.now()
        for (_, model), lane in self._lanes.items():
            if lane.busy:
                self._changed += lane.settle(now, self._room(model).running)
        if self._changed:
            self._store.update(self._changed)
            changed, self._changed = self._changed, []
            self._tell(changed)
            self._arm()

    def _tell(self, changed: list[Task]) -> None:
        for task in changed:
            waiter = self._waited_for.get(task.id)
            if waiter is not None and not waiter.done():
                waiter.set_result(task)
            if task.ended is not None:
                for listener in self._listeners:
                    listener(task)

    def _arm(self) -> None:
        """Set the alarm to the next change, where anybody waits for one."""
        self.close()
        if not (self._waited_for or self._listeners):
            return
        due = min(
            (
                lane.due(self._room(model).running)
                for (_, model), lane in self._lanes.items()
                if lane.busy
            ),
            default=float("inf"),
        )
        due = min(due, max(self._clock.now() + LONGEST_ALARM, self._clock.later(1.0)))
        self._alarm = self._clock.at(due, self._ring)

    def _ring(self) -> None:
        with suppress(OSError):  # a full disk keeps the change; the next alarm tries again
            self.settle()
        self._arm()
