"""What the service says, as values: of a POST that may cost, and of a task.

``Accepted``, ``Refused`` and ``Ambiguous`` are the three ends of a POST that was sent (one whose
answer is the result itself has a ``Task`` without id in place of the first, a check of an input a
``Checked``); ``Task`` and ``NoAnswer`` the two of a poll, ``TaskPage`` and ``NoAnswer`` those of a
look at the list. Times are Unix seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from batchgen.dashscope.refusals import RefusalKind


class TaskStatus(StrEnum):
    """The states of a task (Asynchronous task management; SUSPENDED is known to the SDK only)."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    UNKNOWN = "UNKNOWN"
    SUSPENDED = "SUSPENDED"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service has made a task."""

    task_id: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The service has surely made no task. ``retry_after`` is in seconds, not capped."""

    kind: RefusalKind
    status: int
    code: str
    message: str
    request_id: str | None
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """A task may exist or not. ``evidence`` is the start of the answer, for a person to read."""

    reason: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The service has looked at an input; ``code`` and ``message`` say why it is no good."""

    passed: bool
    code: str
    message: str


@dataclass(frozen=True, slots=True, repr=False)
class UploadPolicy:
    """The leave to put one file into the service's storage, for some minutes. It hides itself."""

    host: str
    directory: str
    fields: Mapping[str, str]
    """Of the form, beside the file's key."""
    max_bytes: int | None

    def __repr__(self) -> str:
        return f"UploadPolicy({self.directory!r})"


@dataclass(frozen=True, slots=True, repr=False)
class ResultUrl:
    """A signed address of one result; whoever holds ``url`` may fetch it, so it hides itself."""

    url: str

    @property
    def expires(self) -> float | None:
        """When the signature ends (Unix seconds), from the URL's ``Expires``."""
        found = re.search(r"[?&]Expires=(\d{1,11})(?=[&#]|$)", self.url)
        return float(found[1]) if found else None

    @property
    def path(self) -> str:
        """The address without its query and user: what may be recorded and shown."""
        plain = re.split(r"[?#]", self.url, maxsplit=1)[0]
        return re.sub(r"//[^/]*@", "//", plain, count=1)

    def __repr__(self) -> str:
        return f"ResultUrl({self.path!r}, expires={self.expires})"


@dataclass(frozen=True, slots=True)
class ResultError:
    """One of several results that the service could not make; it is not billed."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Task:
    """What the service says of a task. Times are Unix seconds.

    ``task_id`` is None where the service left it out, or where there is no task. Numbers in
    ``usage`` are as received.
    """

    status: TaskStatus
    task_id: str | None
    request_id: str | None
    submit_time: float | None
    scheduled_time: float | None
    end_time: float | None
    code: str | None
    message: str | None
    results: tuple[ResultUrl | ResultError, ...]
    texts: tuple[str, ...]
    orig_prompt: str | None
    actual_prompt: str | None
    usage: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ListedTask:
    """A row of the task list; ``created`` is by the service's clock."""

    task_id: str
    model: str
    created: float
    request_id: str | None
    """Of the request that made the task."""
    status: TaskStatus | None
    """None where the row names none that is known."""


@dataclass(frozen=True, slots=True)
class TaskPage:
    """One page of the task list. ``total`` counts the rows of all its ``pages``, as far as is known
    by now; ``service_time`` is when the answer was made, by the service's clock.
    """

    rows: tuple[ListedTask, ...]
    total: int
    pages: int
    service_time: float | None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the service allows for a model; None where it does not say.

    ``per_second`` counts requests, ``running`` tasks that render at once, ``waiting`` those that
    are in line.
    """

    per_second: float | None
    running: int | None
    waiting: int | None


@dataclass(frozen=True, slots=True)
class Canceled:
    """The service has cancelled the task, which was PENDING: nothing is billed."""

    request_id: str | None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """A question that told nothing of what it asked; nothing may be concluded but to ask again.

    ``kind`` is set where the service refused the question itself. ``retry_after`` is in seconds.
    """

    reason: str
    retry_after: float | None = None
    kind: RefusalKind | None = None
    heard: bool = False
    """Whether it was the service itself that answered."""

    @property
    def throttled(self) -> bool:
        return self.kind is RefusalKind.LATER
