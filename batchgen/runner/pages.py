"""Reads the service's task list, all the pages of it, one question after another."""

from __future__ import annotations

from dataclasses import dataclass

from batchgen.catalog import Model
from batchgen.dashscope.answers import ListedTask, NoAnswer, TaskStatus
from batchgen.dashscope.client import Service
from batchgen.runner.turns import Turns


@dataclass(frozen=True, slots=True)
class TaskList:
    """Each task once, and how many there should be: more, where the list moved while it was read.

    ``service_time`` is when its first page was made, by the service's clock. Not ``whole``: it had
    too many ``pages`` to be read.
    """

    rows: tuple[ListedTask, ...]
    total: int
    pages: int
    service_time: float | None
    whole: bool = True


class Pages:
    """The questions about one model's tasks, each in its turn."""

    def __init__(self, service: Service, model: Model, turns: Turns) -> None:
        self._service = service
        self._model = model
        self._turns = turns

    async def read(self, status: TaskStatus | None = None, *, most: int) -> TaskList | NoAnswer:
        """The tasks of a status, or all; no more than ``most`` pages are read."""
        rows: dict[str, ListedTask] = {}
        number, total, pages = 0, 0, 1
        service_time: float | None = None
        while number < pages:
            number += 1
            await self._turns.wait()
            page = await self._service.tasks(self._model.name, number, status)
            if isinstance(page, NoAnswer):
                return page
            if number == 1:  # later ones may count tasks that were made meanwhile
                total, service_time = page.total, page.service_time
            pages = page.pages
            if pages > most:
                return TaskList((), page.total, pages, service_time, whole=False)
            rows.update((row.task_id, row) for row in page.rows)
        return TaskList(tuple(rows.values()), total, pages, service_time)
