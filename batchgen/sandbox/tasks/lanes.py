"""The queue and the slots of one account and model.

Rules.
1. Nothing happens between two observations: `settle` works out everything that has become due, in
   the order of time. Whoever looks more often sees no other times.
2. A task that is flawed fails at inspection, before the queue: it never takes a slot.
3. The others start strictly first come, first served, as soon as a slot is free.
4. How many slots there are may change at any time. What becomes due between two looks goes by the
   number at the second; a task that runs is never stopped.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from batchgen.sandbox.tasks.task import Task


class Lane:
    """The waiting and the running tasks of one account and model."""

    def __init__(self) -> None:
        self.waiting: OrderedDict[int, Task] = OrderedDict()
        self._running: list[tuple[float, int, Task]] = []
        self._inspected: list[tuple[float, int, Task]] = []
        self._latest = 0.0

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self._running or self._inspected)

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

    def settle(self, now: float, slots: int) -> list[Task]:
        """Every change up to `now`, in order."""
        changed = []
        while self.due(slots) <= now:
            changed.append(self._step(slots))
        return changed

    def due(self, slots: int) -> float:
        """When the next change comes; infinite where none does."""
        due = float("inf")
        if self.waiting and len(self._running) < slots:
            due = max(next(iter(self.waiting.values())).ready, self._latest)
        for heap in (self._running, self._inspected):
            if heap and heap[0][0] < due:
                due = heap[0][0]
        return due

    def _step(self, slots: int) -> Task:
        at = self.due(slots)
        if self._inspected and self._inspected[0][0] == at:
            return heappop(self._inspected)[2].finished(at)
        self._latest = at
        if self._running and self._running[0][0] == at:
            return heappop(self._running)[2].finished(at)
        task = self.waiting.popitem(last=False)[1].started(at)
        self.add(task)
        return task


@dataclass(frozen=True, slots=True)
class Occupied:
    """How full a lane is: tasks in slots and in the queue, each with its limit."""

    account: str
    model: str
    running: int
    slots: int
    waiting: int
    queue: int
