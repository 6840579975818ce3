"""The service's language about many at once: pages of the task list, and limits.

A page of the list says that a task is *not* there, too, and then a request may be sent again. So a
page is read whole or not at all: one odd row, or one from the future, and there is no page
(``NoAnswer``). A full page is never the last, whatever it counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from batchgen.dashscope.answers import Limits, ListedTask, NoAnswer, TaskPage
from batchgen.dashscope.documents import (
    document,
    excerpt,
    items_at,
    mapping_at,
    number_at,
    text_at,
)
from batchgen.dashscope.times import milliseconds_at, read_date
from batchgen.dashscope.wire import STATES, TASK_ID, no_answer

FUTURE = 60.0
"""Seconds by which a task may seem younger than the page that shows it: the service's own servers
differ."""


def read_page(
    status: int, headers: Mapping[str, str], body: bytes, model: str, page: int
) -> TaskPage | NoAnswer:
    """A page of the task list, asked for by model (Manage asynchronous tasks, 2026).

    A row that does not name its model is of the one that was asked for.
    """
    answer = document(body)
    if status != HTTPStatus.OK or not answer or text_at(answer, "code"):
        return no_answer(status, headers, body)
    found = _page(answer, model, page, read_date(headers))
    if found is None or number_at(answer, "page_no") not in {None, page}:
        reason = f"page {page} of the task list cannot be read: {excerpt(body)[:200]}"
        return NoAnswer(reason, heard=True)
    return found


def _page(answer: Mapping[str, Any], model: str, page: int, date: float | None) -> TaskPage | None:
    rows, total = answer.get("data"), number_at(answer, "total")
    size = number_at(answer, "page_size")
    if not isinstance(rows, list) or total is None or total < len(rows) or not size:
        return None
    listed = [_listed(row, model) for row in items_at(answer, "data")]
    whole = tuple(row for row in listed if row)
    if len(whole) < len(rows):
        return None
    if date is not None and any(row.created > date + FUTURE for row in whole):
        return None
    pages = max(-(-total // size), number_at(answer, "total_page") or 0)
    if len(rows) >= size:
        pages = max(pages, page + 1)
    return TaskPage(whole, total, pages, date)


def _listed(row: Mapping[str, Any], model: str) -> ListedTask | None:
    task_id, created = text_at(row, "task_id") or "", milliseconds_at(row, "gmt_create")
    if created is None or not TASK_ID.fullmatch(task_id):
        return None
    name = text_at(row, "model_name") or model
    status = STATES.get(text_at(row, "status") or "")
    return ListedTask(task_id, name, created, text_at(row, "request_id"), status)


def read_limits(
    status: int, headers: Mapping[str, str], body: bytes, model: str
) -> Limits | NoAnswer:
    """What the service allows for a model (Query model limits, 2026).

    A workspace may have a lower rate of its own; of both the lower one counts.
    """
    answer = document(body)
    quotas = items_at(mapping_at(answer, "output") or {}, "quotas")
    found = next((quota for quota in quotas if text_at(quota, "model") == model), None)
    own = mapping_at(found, "model_limit")
    if status != HTTPStatus.OK or own is None:
        return no_answer(status, headers, body)
    rates = [_rate(own), _rate(mapping_at(found, "workspace_limit"))]
    return Limits(
        per_second=min((rate for rate in rates if rate), default=None),
        running=number_at(own, "async_user_concurrency_limit") or None,
        waiting=number_at(own, "async_user_queue_limit"),
    )


def _rate(limit: Mapping[str, Any] | None) -> float | None:
    requests, seconds = number_at(limit, "request_limit"), number_at(limit, "request_limit_period")
    return requests / seconds if requests and seconds else None
