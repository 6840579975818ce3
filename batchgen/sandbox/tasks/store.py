"""The sandbox's memory, an SQLite file in its folder, or nothing but memory when it has none.

A task is synced to the disk before its POST is answered, as a power cut must not take away what a
client may rely on. All other rows follow from it and the clock, and could be worked out again: they
only have to survive the process.

Everything runs on the event loop's thread. A commit is a fraction of a POST, and quotas keep POSTs
few.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from errno import EBUSY
from importlib.resources import files
from pathlib import Path
from typing import Any

import apsw

from batchgen.sandbox.disk import disk_errors
from batchgen.sandbox.orders import Order
from batchgen.sandbox.tasks.bill import Bill

VERSION = 1
APPLICATION_ID = 0x62675362  # "bgSb"


class Status(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True)
class Task:
    """A task as the service knows it; the columns of `schema.sql`."""

    number: int
    id: str
    request_id: str
    account: str
    model: str
    digest: str
    work: Order | None
    code: str | None
    message: str | None
    created: float
    ready: float
    run: float | None
    status: Status = Status.PENDING
    scheduled: float | None = None
    ended: float | None = None

    @property
    def prompt(self) -> str:
        return self.work.prompt if self.work else ""

    def started(self, at: float) -> Task:
        return replace(self, status=Status.RUNNING, scheduled=at)

    def finished(self, at: float) -> Task:
        status = Status.FAILED if self.code else Status.SUCCEEDED
        scheduled = at if self.scheduled is None else self.scheduled
        return replace(self, status=status, ended=at, scheduled=scheduled)

    def canceled(self, at: float) -> Task:
        return replace(self, status=Status.CANCELED, ended=at)


class Store:
    """Raises ValueError when the file is another program's or of another version, BlockingIOError
    when another sandbox is using it. Everything raises OSError where the disk refuses, and has
    done nothing then.
    """

    @disk_errors()
    def __init__(self, path: Path | None) -> None:
        self._db = apsw.Connection(str(path) if path else ":memory:")
        try:
            self._open()
            self._number: int = self._value("SELECT coalesce(max(number), 0) FROM task")
        except apsw.BusyError:
            self._db.close()
            raise BlockingIOError(EBUSY, "another sandbox is running in this folder") from None
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        self._db.close()

    @disk_errors()
    def recall(self, name: str) -> Any:
        """A remembered value, or None."""
        row = self._db.execute("SELECT value FROM memory WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    @disk_errors()
    def remember(self, name: str, value: float | str) -> None:
        self._db.execute("INSERT OR REPLACE INTO memory VALUES (?, ?)", (name, value))

    def next_number(self) -> int:
        return self._number + 1

    @disk_errors()
    def create(self, task: Task) -> None:
        """On the disk when this returns."""
        with self._synced():
            self._db.execute(_INSERT, _columns(task))
        self._number = task.number

    @disk_errors()
    def update(self, tasks: Iterable[Task]) -> None:
        with self._db:
            self._db.executemany(
                "UPDATE task SET status = ?, scheduled = ?, ended = ? WHERE number = ?",
                ((task.status, task.scheduled, task.ended, task.number) for task in tasks),
            )

    def find(self, task_id: str) -> Task | None:
        return next(iter(self._tasks("id = ?", (task_id,))), None)

    def active(self) -> list[Task]:
        """Tasks that have not ended, oldest first."""
        return self._tasks("status IN ('PENDING', 'RUNNING') ORDER BY number", ())

    def listed(
        self, account: str, window: tuple[float, float], *, model: str, status: str, task_id: str
    ) -> list[Task]:
        """Tasks created in the window, newest first; an empty filter matches all."""
        return self._tasks(
            "account = :account AND created BETWEEN :start AND :end"
            " AND :model IN ('', model) AND :status IN ('', status) AND :id IN ('', id)"
            " ORDER BY number DESC",
            {
                "account": account,
                "start": window[0],
                "end": window[1],
                "model": model,
                "status": status,
                "id": task_id,
            },
        )

    @disk_errors()
    def bill(self) -> Bill:
        return Bill(*self._db.execute("SELECT * FROM bill").get)

    @disk_errors()
    def _tasks(self, where: str, values: Any) -> list[Task]:
        # `where` is written in this class; what a client sends is only ever bound.
        query = f"SELECT * FROM task WHERE {where}"  # noqa: S608
        return [_task(row) for row in self._db.execute(query, values)]

    def _value(self, query: str) -> Any:
        return self._db.execute(query).get

    @contextmanager
    def _synced(self) -> Iterator[None]:
        self._db.execute("PRAGMA synchronous = FULL")
        try:
            with self._db:
                yield
        finally:
            self._db.execute("PRAGMA synchronous = NORMAL")

    def _open(self) -> None:
        # Two sandboxes in one folder would each run its own queue: the first keeps the file.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        owner, version = self._value("PRAGMA application_id"), self._value("PRAGMA user_version")
        if owner == 0 and version == 0 and not self._value("SELECT count(*) FROM sqlite_schema"):
            with self._db:
                self._db.execute(files(__package__).joinpath("schema.sql").read_text("utf-8"))
                self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                self._db.execute(f"PRAGMA user_version = {VERSION}")
        elif (owner, version) != (APPLICATION_ID, VERSION):
            raise ValueError(f"not a sandbox of version {VERSION}: its file says {owner}/{version}")


_INSERT = f"INSERT INTO task VALUES ({', '.join('?' * 18)})"  # noqa: S608 - nothing but marks


def _columns(task: Task) -> tuple[Any, ...]:
    work = task.work
    return (
        task.number, task.id, task.request_id, task.account, task.model, task.digest,
        json.dumps(work.as_json(), ensure_ascii=False) if work else None,
        task.code, task.message, task.created, task.ready, task.run,
        task.status, task.scheduled, task.ended,
        work.seconds if work else 0, work.images if work else 0, work.cost if work else 0,
    )  # fmt: skip


_FIELDS = tuple(field.name for field in fields(Task))


def _task(row: tuple[Any, ...]) -> Task:
    # The columns are the fields, in order; the three for the bill come after them.
    values = dict(zip(_FIELDS, row, strict=False))
    work = values["work"] and Order.from_json(json.loads(values["work"]))
    return Task(**values | {"work": work, "status": Status(values["status"])})
