"""The service: what may be asked of it, and what it answers. One POST makes one paid result, and is
never repeated here (see ``connection``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from batchgen.catalog import ResultShape
from batchgen.dashscope.answers import (
    Accepted,
    Ambiguous,
    Canceled,
    Checked,
    Limits,
    NoAnswer,
    Refused,
    Task,
    TaskPage,
    TaskStatus,
    UploadPolicy,
)
from batchgen.dashscope.connection import Connection, Reply, Told, Unsent
from batchgen.dashscope.endpoint import Secret
from batchgen.dashscope.lists import read_limits, read_page
from batchgen.dashscope.wire import (
    read_answer,
    read_cancel,
    read_check,
    read_policy,
    read_stream,
    read_submit,
    read_task,
)

PAGE_SIZE = 100
"""Rows of the task list that are asked for at once; the answer says how many a page really has."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds. The official SDK waits 300 s for a submit; the service's own limit, in its
    ``x-dashscope-timeout`` header, was seen as 180 s.
    """

    connect: float = 15
    submit: float = 300
    answer: float = 1800
    """For an answer that is the result: interleaved images were seen to take 224 s."""
    task: float = 30
    clock: float = 10


class Service:
    """The service at one base URL, with one key. An async context manager.

    ``renew`` reads the key anew where it came from, when the one there is has been refused (None:
    there is none any more).
    """

    def __init__(
        self,
        base_url: str,
        key: Secret,
        *,
        workspace: str | None = None,
        timeouts: Timeouts | None = None,
        renew: Callable[[], Secret | None] | None = None,
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._connection = Connection(
            base_url,
            key,
            workspace=workspace,
            connect=self._timeouts.connect,
            renew=renew or (lambda: None),
        )

    async def __aenter__(self) -> Self:
        await self._connection.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._connection.__aexit__(kind, error, traceback)

    def __repr__(self) -> str:
        return f"Service({self._connection.host})"

    @property
    def service_time(self) -> float | None:
        """What the service's clock showed in its newest answer; None before the first one."""
        return self._connection.service_time

    @property
    def endpoint(self) -> str:
        """A fingerprint of the host, and of the key that is used now."""
        return self._connection.endpoint

    async def look_at_clock(self) -> None:
        """Ask for as little as there is, so that ``service_time`` is known, if anybody answers.

        Raises nothing but CancelledError.
        """
        await self._connection.ask("tasks?page_no=1&page_size=1", self._timeouts.clock)

    async def submit(
        self, path: str, body: Mapping[str, Any], model_headers: Mapping[str, str]
    ) -> Accepted | Refused | Ambiguous | Unsent:
        """POST one request for a task, once.

        Raises CancelledError, and ValueError for a body that JSON cannot hold. A submit that is
        cancelled after it was sent is in doubt, which the caller must record.
        """
        return await self._connection.post(
            *(path, body, model_headers, self._timeouts.submit),
            lambda reply: read_submit(*reply.told),
        )

    async def ask(
        self,
        path: str,
        body: Mapping[str, Any],
        model_headers: Mapping[str, str],
        shape: ResultShape,
        *,
        streamed: bool,
    ) -> Task | Accepted | Refused | Ambiguous | Unsent:
        """POST one request whose answer is the result itself, after minutes; once, as ``submit``.

        What has come of a stream when its connection breaks is an answer, too.
        """

        def read(reply: Reply) -> Task | Accepted | Refused | Ambiguous:
            if streamed:
                return read_stream(*reply.told, shape, whole=reply.failure is None)
            return read_answer(*reply.told, shape)

        return await self._connection.post(path, body, model_headers, self._timeouts.answer, read)

    async def check(
        self, path: str, body: Mapping[str, Any], model_headers: Mapping[str, str]
    ) -> Checked | Refused | Ambiguous | Unsent:
        """POST the question whether an input is good, once."""
        return await self._connection.post(
            *(path, body, model_headers, self._timeouts.submit),
            lambda reply: read_check(*reply.told),
        )

    async def task(self, task_id: str, shape: ResultShape) -> Task | NoAnswer:
        """GET one task. Raises nothing but CancelledError."""
        path = f"tasks/{quote(task_id, safe='')}"
        match await self._ask(path):
            case NoAnswer() as none:
                return none
            case status, headers, content:
                answer = read_task(status, headers, content, shape)
        if isinstance(answer, Task) and answer.task_id not in {None, task_id}:
            return NoAnswer("the answer is about another task", heard=True)
        return answer

    async def tasks(
        self, model: str, page: int, status: TaskStatus | None = None
    ) -> TaskPage | NoAnswer:
        """GET one page, from 1, of the tasks that the account made of a model in the last 24 hours:
        those of a status, or all.

        Without a window, which means just that: no page names the zone of ``start_time``, and
        a wrong guess would hide a task. Raises nothing but CancelledError.
        """
        query = f"model_name={quote(model, safe='')}&page_no={page}&page_size={PAGE_SIZE}"
        query += f"&status={status}" if status else ""
        match await self._ask(f"tasks?{query}"):
            case NoAnswer() as none:
                return none
            case code, headers, content:
                return read_page(code, headers, content, model, page)

    async def limits(self, model: str) -> Limits | NoAnswer:
        """GET what the account may do with a model. Raises nothing but CancelledError."""
        match await self._ask(f"models/limits?model={quote(model, safe='')}"):
            case NoAnswer() as none:
                return none
            case status, headers, content:
                return read_limits(status, headers, content, model)

    async def cancel(self, task_id: str) -> Canceled | Refused | NoAnswer:
        """POST the wish to cancel a task, which may be repeated: it costs and makes nothing.

        Raises nothing but CancelledError.
        """
        path = f"tasks/{quote(task_id, safe='')}/cancel"
        match await self._ask(path, method="POST"):
            case NoAnswer() as none:
                return none
            case status, headers, content:
                return read_cancel(status, headers, content)

    async def upload_policy(self, model: str) -> UploadPolicy | Refused | NoAnswer:
        """GET the leave to upload a file for a model. Raises nothing but CancelledError."""
        match await self._ask(f"uploads?action=getPolicy&model={quote(model, safe='')}"):
            case NoAnswer() as none:
                return none
            case status, headers, content:
                return read_policy(status, headers, content)

    async def _ask(self, path: str, *, method: str = "GET") -> Told | NoAnswer:
        return await self._connection.ask(path, self._timeouts.task, method=method)
