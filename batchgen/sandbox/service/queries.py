"""What is asked of tasks that exist: one, the list, and to cancel (Manage asynchronous tasks,
2026).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from aiohttp import web

from batchgen.sandbox.faults import Point
from batchgen.sandbox.models import MODELS
from batchgen.sandbox.orders import Refusal
from batchgen.sandbox.service import answers
from batchgen.sandbox.service.interruptions import interrupted
from batchgen.sandbox.service.parts import Parts
from batchgen.sandbox.service.quotas import Quotas
from batchgen.sandbox.service.wire import account_key, json_answer, request_id_key, throttled
from batchgen.sandbox.tasks.scheduler import RETENTION

QUERIES_PER_SECOND = 20
"""Per account, for query, list and cancel each (Manage asynchronous tasks)."""


class Queries:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def query(self, request: web.Request) -> web.StreamResponse:
        account, task_id = request[account_key], request.match_info["task_id"]
        check_rate(self._parts.quotas, account, "query")
        task = self._parts.scheduler.find(account, task_id)
        refused = interrupted(
            self._parts.faults,
            request,
            Point.QUERY,
            task.model if task else "",
            task.prompt if task else "",
        )
        if refused is not None:
            return refused
        request_id = request[request_id_key]
        if task is None:
            return json_answer(answers.unknown(task_id, request_id))
        return json_answer(answers.task(task, self._parts.signer.urls(task), request_id))

    async def list(self, request: web.Request) -> web.StreamResponse:
        account, query = request[account_key], request.query
        check_rate(self._parts.quotas, account, "list")
        refused = interrupted(
            self._parts.faults, request, Point.LIST, query.get("model_name", ""), ""
        )
        if refused is not None:
            return refused
        tasks = self._parts.scheduler.listed(
            account,
            self._window(query),
            model=query.get("model_name", ""),
            status=query.get("status", ""),
            task_id=query.get("task_id", ""),
        )
        page, size = _whole(query, "page_no", 1), _whole(query, "page_size", 10)
        rows = tasks[(page - 1) * size : page * size]
        return json_answer(
            {
                "request_id": request[request_id_key],
                "total": len(tasks),
                "total_page": -(-len(tasks) // size),
                "page_no": page,
                "page_size": size,
                "data": [
                    answers.listed(row, MODELS[row.model].path, self._parts.region) for row in rows
                ],
            }
        )

    def _window(self, query: Mapping[str, str]) -> tuple[float, float]:
        """At most 24 hours; the end is now, the start 24 hours before the end, unless given.

        No page names the zone of `start_time` and `end_time`: read as UTC+8, like all times of the
        service.
        """
        end = _moment(query, "end_time", self._parts.clock.now())
        start = _moment(query, "start_time", end - RETENTION)
        if not 0 <= end - start <= RETENTION:
            raise Refusal(
                400, "InvalidParameter", "The time window must not be longer than 24 hours."
            )
        return start, end

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        check_rate(self._parts.quotas, request[account_key], "cancel")
        if not self._parts.scheduler.cancel(request[account_key], request.match_info["task_id"]):
            raise Refusal(
                400,
                "UnsupportedOperation",
                "Failed to cancel the task, please confirm if the task is in PENDING status.",
            )
        return json_answer({"request_id": request[request_id_key]})


def check_rate(quotas: Quotas, account: str, operation: str) -> None:
    if not quotas.admits((account, operation), QUERIES_PER_SECOND):
        raise throttled()


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    value = query.get(name, str(default))
    if not value.isdecimal() or int(value) < 1:
        raise Refusal(400, "InvalidParameter", f"{name} must be a whole number above zero")
    return int(value)


def _moment(query: Mapping[str, str], name: str, default: float) -> float:
    if name not in query:
        return default
    try:
        moment = datetime.strptime(query[name] + "+0800", "%Y%m%d%H%M%S%z")
    except ValueError:
        raise Refusal(400, "InvalidParameter", f"{name} must be YYYYMMDDhhmmss") from None
    return moment.timestamp()
