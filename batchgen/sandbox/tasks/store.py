"""The tasks in the sandbox's file. A new task is on the disk before its POST is answered, as a
power cut must not take away what a client may rely on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from batchgen.sandbox.database import Database
from batchgen.sandbox.orders import Order
from batchgen.sandbox.tasks.bill import Bill, BillLine, Equal
from batchgen.sandbox.tasks.task import Status, Task

SEARCHED = 20_000
"""Tasks that one search of a person looks through."""

EQUAL_SHOWN = 100
"""Requests made several times that a bill names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which tasks of an account to list: those created in the window, of the page; an empty filter
    matches all.
    """

    start: float
    end: float
    model: str = ""
    status: str = ""
    task_id: str = ""
    key_id: str = ""
    page: int = 1
    size: int = 10


class Store:
    """Everything raises OSError where the disk refuses, and has done nothing then."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._number: int = database.value("SELECT coalesce(max(number), 0) FROM task")

    def next_number(self) -> int:
        return self._number + 1

    def create(self, task: Task) -> None:
        """On the disk when this returns."""
        with self._database.synced():
            self._database.write(_INSERT, _columns(task))
        self._number = task.number

    def update(self, tasks: Iterable[Task]) -> None:
        self._database.write_all(
            "UPDATE task SET status = ?, scheduled = ?, ended = ? WHERE number = ?",
            ((task.status, task.scheduled, task.ended, task.number) for task in tasks),
        )

    def find(self, task_id: str) -> Task | None:
        return next(iter(self._tasks("id = ?", (task_id,))), None)

    def active(self) -> list[Task]:
        """Tasks that have not ended, oldest first."""
        return self._tasks("status IN ('PENDING', 'RUNNING') ORDER BY number", ())

    def models(self) -> set[str]:
        """The models of all tasks there are."""
        return {name for (name,) in self._database.rows("SELECT DISTINCT model FROM task")}

    def listed(self, account: str, query: Query) -> tuple[int, list[Task]]:
        """How many tasks there are, and those of the page, newest first. What a POST answered with
        its result is no task to the client.
        """
        where = (
            "account = :account AND synchronous = 0 AND created BETWEEN :start AND :end"
            " AND :model IN ('', model) AND :status IN ('', status) AND :task_id IN ('', id)"
            " AND :key_id IN ('', key_id)"
        )
        values = {each.name: getattr(query, each.name) for each in fields(query)}
        values |= {"account": account, "skipped": (query.page - 1) * query.size}
        total = self._database.value(f"SELECT count(*) FROM task WHERE {where}", values)  # noqa: S608
        page = "ORDER BY created DESC, number DESC LIMIT :size OFFSET :skipped"
        return total, self._tasks(f"{where} {page}", values)

    def latest(
        self, before: int, limit: int, *, status: str, text: str
    ) -> tuple[list[Task], int | None]:
        """At most `limit` tasks of all accounts below the number `before`, newest first, that have
        the status and hold the text; an empty filter matches all. And the number below which there
        may be more.

        It looks through a bounded number of tasks, however few match.
        """
        before = min(before, self.next_number())
        end = max(before - SEARCHED, 1)
        tasks = self._tasks(
            "number >= :end AND number < :before AND :status IN ('', status)"
            " AND (:text = '' OR instr(lower(concat_ws(char(10), id, account, model, code,"
            " work ->> 'label', work ->> 'prompt')), lower(:text)))"
            " ORDER BY number DESC LIMIT :limit",
            {"before": before, "end": end, "limit": limit, "status": status, "text": text},
        )
        if len(tasks) == limit:
            end = tasks[-1].number
        return tasks, end if end > 1 else None

    def bill(self) -> Bill:
        lines = tuple(BillLine(*row) for row in self._database.rows("SELECT * FROM bill"))
        equal = self._database.rows(
            "SELECT account, model, ids FROM equal_requests ORDER BY newest DESC LIMIT ?",
            (EQUAL_SHOWN,),
        )
        repeated = "SELECT coalesce(sum(tasks - 1), 0) FROM equal_requests"
        return Bill(
            tasks_created=sum(line.tasks for line in lines),
            succeeded=sum(line.succeeded for line in lines),
            failed=sum(line.failed for line in lines),
            canceled=sum(line.canceled for line in lines),
            video_seconds=sum(line.seconds for line in lines),
            images=sum(line.images for line in lines),
            amount=sum(line.amount for line in lines),
            equal_requests=self._database.value(repeated),
            models=lines,
            equal=tuple(
                Equal(account, model, tuple(json.loads(ids))) for account, model, ids in equal
            ),
        )

    def _tasks(self, where: str, values: Any) -> list[Task]:
        # `where` is written in this class; what a client sends is only ever bound.
        query = f"SELECT * FROM task WHERE {where}"  # noqa: S608
        return [_task(row) for row in self._database.rows(query, values)]


_INSERT = f"INSERT INTO task VALUES ({', '.join('?' * 20)})"  # noqa: S608 - nothing but marks


def _columns(task: Task) -> tuple[Any, ...]:
    work = task.work
    return (
        task.number, task.id, task.request_id, task.account, task.model, task.digest,
        json.dumps(work.as_json(), ensure_ascii=False) if work else None,
        task.code, task.message, task.created, task.ready, task.run,
        task.status, task.scheduled, task.ended, task.key_id, task.synchronous,
        work.seconds if work else 0, work.made if work else 0, work.cost if work else 0,
    )  # fmt: skip


_FIELDS = tuple(field.name for field in fields(Task))


def _task(row: tuple[Any, ...]) -> Task:
    # The columns are the fields, in order; the three for the bill come after them.
    values = dict(zip(_FIELDS, row, strict=False))
    values["work"] = values["work"] and Order.from_json(json.loads(values["work"]))
    values["status"] = Status(values["status"])
    values["synchronous"] = bool(values["synchronous"])
    return Task(**values)
