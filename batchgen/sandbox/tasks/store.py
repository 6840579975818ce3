"""The tasks in the sandbox's file. A new task is on the disk before its POST is answered, as a
power cut must not take away what a client may rely on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from batchgen.sandbox.database import Database
from batchgen.sandbox.models import Currency
from batchgen.sandbox.orders import Order
from batchgen.sandbox.tasks.bill import Bill
from batchgen.sandbox.tasks.ledger import Ledger
from batchgen.sandbox.tasks.task import Status, Task

SEARCHED = 20_000
"""Tasks that one search of a person looks through."""


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
    """All tasks, billed in one currency: amounts of two cannot be added. Everything raises OSError
    where the disk refuses, and has done nothing then.
    """

    def __init__(self, database: Database, currency: Currency) -> None:
        """Raises ValueError where the tasks there are were billed in another currency."""
        self._database = database
        self._number: int = database.value("SELECT coalesce(max(number), 0) FROM task")
        # A file that does not say is of a time when all was billed in dollars.
        billed = database.recall("currency") or Currency.USD
        if self._number and billed != currency:
            raise ValueError(
                f"its tasks are billed in {billed}, and the region sells in {currency}: a folder"
                " keeps to one currency"
            )
        database.remember("currency", currency)
        self._ledger = Ledger(database, currency)

    def next_number(self) -> int:
        return self._number + 1

    def create(self, task: Task) -> None:
        """On the disk when this returns."""
        equal = self._ledger.equal_to(task)
        with self._database.synced():
            self._database.write(_INSERT, _columns(task))
        self._number = task.number
        self._ledger.created(task, equal)

    def update(self, tasks: Sequence[Task]) -> None:
        self._write(tasks)
        self._ledger.ended(tasks)

    def cancel(self, task: Task) -> None:
        """Like `update`, and on the disk when this returns."""
        with self._database.synced():
            self._write([task])
        self._ledger.ended([task])

    def find(self, task_id: str) -> Task | None:
        return next(iter(self._tasks("id = ?", (task_id,))), None)

    def active(self) -> list[Task]:
        """Tasks that have not ended, oldest first."""
        return self._tasks("status IN ('PENDING', 'RUNNING') ORDER BY number", ())

    def models(self) -> set[str]:
        """The models of all tasks there are."""
        return {name for (name,) in self._database.rows("SELECT DISTINCT model FROM task")}

    def listed(self, account: str, query: Query, horizon: float) -> tuple[int, list[Task]]:
        """How many tasks there are that had not ended by the horizon, and those of the page, newest
        first. What a POST answered with its result is no task to the client.
        """
        where = (
            "account = :account AND synchronous = 0 AND created BETWEEN :start AND :end"
            " AND :model IN ('', model) AND :key_id IN ('', key_id)"
            " AND coalesce(ended >= :horizon, TRUE)"
        )
        # Named where they are asked for alone, so that an index finds the few among the many.
        if query.status:
            where += " AND status = :status"
        if query.task_id:
            where += " AND id = :task_id"
        values = {each.name: getattr(query, each.name) for each in fields(query)}
        values |= {"account": account, "horizon": horizon, "skipped": (query.page - 1) * query.size}
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
        return self._ledger.bill()

    def inputs_since(self, horizon: float) -> set[str]:
        """The digests of the media of all tasks that had not ended by then."""
        rows = self._database.rows(
            "SELECT DISTINCT given.value ->> 'digest' FROM task, json_each(work, '$.inputs') given"
            " WHERE ended IS NULL OR ended > ?",
            (horizon,),
        )
        return {digest for (digest,) in rows}

    def _write(self, tasks: Sequence[Task]) -> None:
        self._database.write_all(
            "UPDATE task SET status = ?, scheduled = ?, ended = ? WHERE number = ?",
            ((task.status, task.scheduled, task.ended, task.number) for task in tasks),
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
