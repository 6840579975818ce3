"""The queue and the slots of each account and model.

Rules.
1. Nothing happens between two observations. `settle` works out everything that has become due, in
   the order of time, whenever somebody looks: there is no timer to lose, and a killed sandbox comes
   to the same result when it is back.
2. A task that is flawed fails at inspection, before the queue: it never takes a slot.
3. The others start strictly first come, first served, as soon as a slot of their account and model
   is free.
"""

from __future__ import annotations

from collections import OrderedDict
from heapq import heapify, heappop, heappush

from batchgen.sandbox.clock import Clock
from batchgen.sandbox.models import MODELS
from batchgen.sandbox.tasks.bill import Bill
from batchgen.sandbox.tasks.store import Status, Store, Task

QUEUE_LENGTH = 500
"""Waiting tasks of one account and model (`async_user_queue_limit`, Query model limits, 2026)."""

RETENTION = 24 * 3600.0
"""Seconds a task is known and its results can be fetched, counted from its end."""


class Lane:
    """The waiting and the running tasks of one account and model."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self.waiting: OrderedDict[int, Task] = OrderedDict()
        self._running: list[tuple[float, int, Task]] = []
        self._inspected: list[tuple[float, int, Task]] = []
        self._latest = 0.0

    def add(self, task: Task) -> None:
        if task.run is None:
            heappush(self._inspected, (task.ready, task.number, task))
        elif task.scheduled is None:
            self.waiting[task.number] = task
        else:
            heappush(self._running, (task.scheduled + task.run, task.number, task))
            self._latest = max(self._latest, task.scheduled)

    def drop(self, task: Task) -> None:
        self.waiting.pop(task.number, None)
        self._inspected = [entry for entry in self._inspected if entry[1] != task.number]
        heapify(self._inspected)

    def settle(self, now: float) -> list[Task]:
        """Every change up to `now`, in order."""
        changed = []
        while self._next_step() <= now:
            changed.append(self._step())
        return changed

    def _next_start(self) -> float:
        if not self.waiting or len(self._running) >= self._slots:
            return float("inf")
        return max(next(iter(self.waiting.values())).ready, self._latest)

    def _next_step(self) -> float:
        ends = [heap[0][0] for heap in (self._running, self._inspected) if heap]
        return min([self._next_start(), *ends])

    def _step(self) -> Task:
        at = self._next_step()
        if self._inspected and self._inspected[0][0] == at:
            return heappop(self._inspected)[2].finished(at)
        self._latest = at
        if self._running and self._running[0][0] == at:
            return heappop(self._running)[2].finished(at)
        task = self.waiting.popitem(last=False)[1].started(at)
        self.add(task)
        return task


class Scheduler:
    """All lanes over the store. Every look settles first."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._changed: list[Task] = []
        """Changes that the store does not have yet: a disk that refuses may take them later."""
        for task in store.active():
            self._lane(task.account, task.model).add(task)

    def has_room(self, account: str, model: str) -> bool:
        self._settle()
        return len(self._lane(account, model).waiting) < QUEUE_LENGTH

    def admit(self, task: Task) -> None:
        """The task is durable when this returns."""
        self._store.create(task)
        self._lane(task.account, task.model).add(task)

    def find(self, account: str, task_id: str) -> Task | None:
        """None for a task of another account, an unknown one, and one that ended more than 24 hours
        ago.
        """
        task = self.by_id(task_id)
        return task if task and task.account == account else None

    def by_id(self, task_id: str) -> Task | None:
        """The task whosever it is, as long as it is kept."""
        self._settle()
        task = self._store.find(task_id)
        if task and task.ended is not None and self._clock.now() - task.ended > RETENTION:
            return None
        return task

    def listed(
        self, account: str, window: tuple[float, float], *, model: str, status: str, task_id: str
    ) -> list[Task]:
        """Tasks created in the window, newest first; an empty filter matches all."""
        self._settle()
        return self._store.listed(account, window, model=model, status=status, task_id=task_id)

    def cancel(self, account: str, task_id: str) -> bool:
        """Whether it was still PENDING; a task under inspection is."""
        task = self.find(account, task_id)
        if task is None or task.status is not Status.PENDING:
            return False
        self._store.update([task.canceled(self._clock.now())])
        self._lane(account, task.model).drop(task)
        return True

    def bill(self) -> Bill:
        self._settle()
        return self._store.bill()

    def _settle(self) -> None:
        now = self._clock.now()
        for lane in self._lanes.values():
            self._changed += lane.settle(now)
        if self._changed:
            self._store.update(self._changed)
            self._changed.clear()

    def _lane(self, account: str, model: str) -> Lane:
        key = (account, model)
        if key not in self._lanes:
            self._lanes[key] = Lane(MODELS[model].running)
        return self._lanes[key]
