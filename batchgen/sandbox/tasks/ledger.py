"""The running totals behind the bill: it takes no longer the more tasks there are, as a page asks
for it every second.

Rules.
1. The file is the truth: the totals are read from it once, and follow what it takes from then on.
2. A task is counted twice: when it is created, and when it has ended. Nothing else is billed.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace

from batchgen.sandbox.database import Database
from batchgen.sandbox.models import Currency
from batchgen.sandbox.tasks.bill import Bill, BillLine, Equal
from batchgen.sandbox.tasks.task import Status, Task

EQUAL_SHOWN = 100
"""Requests made several times that a bill names."""

_LINES = """
    SELECT
        account,
        model,
        count(*),
        count(*) FILTER (WHERE status = 'SUCCEEDED'),
        count(*) FILTER (WHERE status = 'FAILED'),
        count(*) FILTER (WHERE status = 'CANCELED'),
        coalesce(sum(seconds) FILTER (WHERE status = 'SUCCEEDED'), 0),
        coalesce(sum(images) FILTER (WHERE status = 'SUCCEEDED'), 0),
        coalesce(sum(cost) FILTER (WHERE status = 'SUCCEEDED'), 0)
    FROM task
    GROUP BY account, model
"""
_REPETITIONS = """
    SELECT count(*) - (SELECT count(*) FROM (SELECT DISTINCT account, digest FROM task)) FROM task
"""
_LATEST = """
    SELECT account, digest, min(model), json_group_array(id ORDER BY number)
    FROM task
    GROUP BY account, digest
    HAVING count(*) > 1
    ORDER BY max(number) DESC
    LIMIT ?
"""


class Ledger:
    """Looking anything up raises OSError where the disk refuses; counting does not."""

    def __init__(self, database: Database, currency: Currency) -> None:
        self._database = database
        self._currency = currency
        lines = (BillLine(*row) for row in database.rows(_LINES))
        self._lines = {(line.account, line.model): line for line in lines}
        self._equal_requests: int = database.value(_REPETITIONS)
        latest = database.rows(_LATEST, (EQUAL_SHOWN,))
        self._equal = OrderedDict(
            ((account, digest), Equal(account, model, tuple(json.loads(ids))))
            for account, digest, model, ids in reversed(latest)
        )
        """The latest last."""

    def equal_to(self, task: Task) -> tuple[str, ...]:
        """The tasks that were made with the same request so far, oldest first."""
        known = self._equal.get((task.account, task.digest))
        if known is not None:
            return known.tasks
        rows = self._database.rows(
            "SELECT id FROM task WHERE account = ? AND digest = ? ORDER BY number",
            (task.account, task.digest),
        )
        return tuple(task_id for (task_id,) in rows)

    def created(self, task: Task, equal: tuple[str, ...]) -> None:
        """The file has it; `equal` are those that were made with the same request before."""
        line, key = self._line(task), (task.account, task.digest)
        self._lines[task.account, task.model] = replace(line, tasks=line.tasks + 1)
        if equal:
            self._equal_requests += 1
            self._equal[key] = Equal(task.account, task.model, (*equal, task.id))
            self._equal.move_to_end(key)
        if len(self._equal) > EQUAL_SHOWN:
            self._equal.popitem(last=False)

    def ended(self, tasks: Iterable[Task]) -> None:
        """The file has their ends; those without one are passed over."""
        for task in tasks:
            if task.ended is not None:
                self._lines[task.account, task.model] = _with_end(self._line(task), task)

    def bill(self) -> Bill:
        lines = tuple(self._lines[key] for key in sorted(self._lines))
        return Bill(
            tasks_created=sum(line.tasks for line in lines),
            succeeded=sum(line.succeeded for line in lines),
            failed=sum(line.failed for line in lines),
            canceled=sum(line.canceled for line in lines),
            video_seconds=sum(line.seconds for line in lines),
            images=sum(line.images for line in lines),
            amount=sum(line.amount for line in lines),
            equal_requests=self._equal_requests,
            models=lines,
            equal=tuple(reversed(self._equal.values())),
            currency=self._currency,
        )

    def _line(self, task: Task) -> BillLine:
        new = BillLine(task.account, task.model, 0, 0, 0, 0, 0, 0, 0)
        return self._lines.get((task.account, task.model), new)


def _with_end(line: BillLine, task: Task) -> BillLine:
    if task.status is Status.FAILED:
        return replace(line, failed=line.failed + 1)
    if task.status is Status.CANCELED:
        return replace(line, canceled=line.canceled + 1)
    assert task.work is not None
    return replace(
        line,
        succeeded=line.succeeded + 1,
        seconds=line.seconds + task.work.seconds,
        images=line.images + task.work.made,
        amount=line.amount + task.work.cost,
    )
