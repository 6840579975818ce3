"""What is asked of tasks that exist: one, the list, and to cancel (Manage asynchronous tasks,
2026).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from aiohttp import web

from batchgen.sandbox.orders import Refusal
from batchgen.sandbox.service import answers
from batchgen.sandbox.service.parts import Parts
from batchgen.sandbox.service.wire import (
    account_key,
    invalid,
    json_answer,
    request_id_key,
    throttled,
    whole_number,
)
from batchgen.sandbox.tasks.scheduler import RETENTION
from batchgen.sandbox.tasks.store import Query
from batchgen.sandbox.tasks.task import Status

QUERIES_PER_SECOND = 20
"""Per account, for query, list and cancel each (Manage asynchronous tasks); for all together on
QwenCloud.
"""

MOST_PAGE = 1000
"""Rows of a page; no page of the documentation has a bound (*chosen*)."""


class Queries:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def query(self, request: web.Request) -> web.StreamResponse:
        account, task_id = request[account_key], request.match_info["task_id"]
        self._check_rate(account, "query")
        task = self._parts.scheduler.find(account, task_id)
        request_id = request[request_id_key]
        if task is None:
            return json_answer(answers.unknown(task_id, request_id))
        model, urls = self._parts.models[task.model], self._parts.signer.urls(task)
        return json_answer(answers.task(model, task, urls, request_id))

    async def list(self, request: web.Request) -> web.StreamResponse:
        account = request[account_key]
        self._check_rate(account, "list")
        query = self._asked(request.query)
        elsewhere = request.query.get("region") not in (None, "", self._parts.region)
        total, tasks = (0, []) if elsewhere else self._parts.scheduler.listed(account, query)
        return json_answer(
            {
                "request_id": request[request_id_key],
                "total": total,
                "total_page": -(-total // query.size),
                "page_no": query.page,
                "page_size": query.size,
                "data": [
                    answers.listed(self._parts.models[task.model], task, self._parts.region)
                    for task in tasks
                ],
            }
        )

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        self._check_rate(request[account_key], "cancel")
        if not self._parts.scheduler.cancel(request[account_key], request.match_info["task_id"]):
            raise Refusal(
                400,
                "UnsupportedOperation",
                "Failed to cancel the task, please confirm if the task is in PENDING status.",
            )
        return json_answer({"request_id": request[request_id_key]})

    def _check_rate(self, account: str, operation: str) -> None:
        subject = "queries" if self._parts.conduct.shared_queries else operation
        if not self._parts.quotas.admits((account, subject), QUERIES_PER_SECOND):
            raise throttled()

    def _asked(self, query: Mapping[str, str]) -> Query:
        """Raises Refusal."""
        status = query.get("status", "")
        if status not in {"", "UNKNOWN", *Status}:
            raise invalid(f"status must be one of {', '.join(Status)}, UNKNOWN")
        start, end = self._window(query)
        now = self._parts.clock.now()
        return Query(
            start=start,
            end=min(end, now - self._parts.faults.list_lag(now)),
            model=query.get("model_name", ""),
            status=status,
            task_id=query.get("task_id", ""),
            key_id=query.get("api_key_id", ""),
            page=whole_number(query, "page_no", 1, 1 << 31),
            size=whole_number(query, "page_size", 10, MOST_PAGE),
        )

    def _window(self, query: Mapping[str, str]) -> tuple[float, float]:
        """At most 24 hours: before the end where only that is given, after the start where only
        that is, and before now where neither is.

        No page names the zone of `start_time` and `end_time`: read as UTC+8, like all times of the
        service.
        """
        start, end = _moment(query, "start_time"), _moment(query, "end_time")
        if end is None:
            end = self._parts.clock.now() if start is None else start + RETENTION
        if start is None:
            start = end - RETENTION
        if not 0 <= end - start <= RETENTION:
            raise invalid("The time window must not be longer than 24 hours.")
        return start, end


def _moment(query: Mapping[str, str], name: str) -> float | None:
    if not query.get(name):
        return None
    try:
        moment = datetime.strptime(query[name] + "+0800", "%Y%m%d%H%M%S%z")
    except ValueError:
        raise invalid(f"{name} must be YYYYMMDDhhmmss") from None
    return moment.timestamp()
