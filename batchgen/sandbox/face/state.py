"""What the face shows, as plain values: a picture of one moment, whose size does not grow with the
number of tasks.

Times are Unix seconds of the sandbox's own clock. Texts are as they came: whoever shows them makes
them harmless.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Protocol

from batchgen.sandbox.clock import Clock
from batchgen.sandbox.faults import Faults
from batchgen.sandbox.models import Model, Shape
from batchgen.sandbox.orders import Order
from batchgen.sandbox.storage.signer import Signer
from batchgen.sandbox.tasks.scheduler import RETENTION, Scheduler
from batchgen.sandbox.tasks.task import Status, Task

DEFAULT_KEY = "sk-sandbox"

USUAL_TASKS = 50
MOST_TASKS = 200
"""In one answer, unless asked otherwise and however asked."""

PROMPT_LENGTH = 2000
"""Characters of a prompt that are shown; a state is fetched every second."""

FIRED_SHOWN = 50


class Parts(Protocol):
    """What is read of a sandbox. The service has it and installs the face, so it cannot be imported
    from there.
    """

    @property
    def keys(self) -> Mapping[str, str]: ...
    @property
    def models(self) -> Mapping[str, Model]: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def scheduler(self) -> Scheduler: ...
    @property
    def signer(self) -> Signer: ...
    @property
    def faults(self) -> Faults: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Which tasks to show: those below the number `before` that have the status and hold the text;
    an empty filter matches all. Raises ValueError for what cannot be meant.
    """

    before: int
    limit: int
    status: str
    text: str

    def __post_init__(self) -> None:
        if not 1 <= self.before <= sys.maxsize:
            raise ValueError("before must be the number of a task")
        if not 1 <= self.limit <= MOST_TASKS:
            raise ValueError(f"limit must be from 1 to {MOST_TASKS}")
        if self.status not in ("", *Status):
            raise ValueError(f"status must be one of {', '.join(Status)}")

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Asked:
        """As a query string says it. Raises ValueError."""
        return cls(
            before=int(query.get("before", sys.maxsize)),
            limit=int(query.get("limit", USUAL_TASKS)),
            status=query.get("status", ""),
            text=query.get("text", ""),
        )


def state(parts: Parts, asked: Asked) -> dict[str, Any]:
    """The sandbox at this moment. `older` is the `before` of the tasks that come after these; None
    when there are none. Raises OSError where the disk refuses.
    """
    tasks, older = parts.scheduler.latest(
        asked.before, asked.limit, status=asked.status, text=asked.text
    )
    return {
        "clock": parts.clock.now(),
        "speed": parts.clock.speed,
        "key": _key(parts.keys),
        "accounts": sorted(set(parts.keys.values())),
        "lanes": [asdict(lane) for lane in parts.scheduler.lanes()],
        "tasks": [_task(task, parts) for task in tasks],
        "older": older,
        "faults": _faults(parts.faults),
    }


def _key(keys: Mapping[str, str]) -> str | None:
    """The key to show in the line that a person copies: none that somebody has chosen."""
    return DEFAULT_KEY if DEFAULT_KEY in keys else None


def _task(task: Task, parts: Parts) -> dict[str, Any]:
    now = parts.clock.now()
    gone = task.ended is not None and now - task.ended > RETENTION
    return {
        "number": task.number,
        "id": task.id,
        "account": task.account,
        "model": task.model,
        "status": task.status,
        "synchronous": task.synchronous,
        "code": task.code if task.status is Status.FAILED else None,
        "message": task.message if task.status is Status.FAILED else None,
        "created": task.created,
        "scheduled": task.scheduled,
        "ended": task.ended,
        "lasted": _lasted(task, now),
        "progress": _progress(task, now),
        "prompt": _cut(task.prompt),
        "results": [] if gone else _results(task, parts),
        "gone": gone and task.status is Status.SUCCEEDED,
        "order": _order(task.work) if task.work else None,
    }


def _results(task: Task, parts: Parts) -> list[str]:
    """The URLs of what there is to see: not of images that failed, nor of an inspection."""
    if parts.models[task.model].shape is Shape.DETECTION:
        return []
    failed = {place for place, *_ in task.work.failed} if task.work else {}
    urls = parts.signer.urls(task)
    return [url for place, url in enumerate(urls, 1) if place not in failed]


def _lasted(task: Task, now: float) -> float:
    """Seconds from creation to the end; until then, those of waiting or of running so far."""
    if task.ended is not None:
        return task.ended - task.created
    return now - (task.created if task.scheduled is None else task.scheduled)


def _progress(task: Task, now: float) -> float | None:
    """From 0 to 1 while the task is RUNNING; a task that is stuck stays at 0."""
    if task.status is not Status.RUNNING or task.scheduled is None or task.run is None:
        return None
    return min((now - task.scheduled) / task.run, 1.0) if task.run else 1.0


def _cut(prompt: str) -> str:
    return prompt if len(prompt) <= PROMPT_LENGTH else f"{prompt[:PROMPT_LENGTH]} ..."


def _order(order: Order) -> dict[str, Any]:
    return {
        "label": order.label,
        "width": order.width,
        "height": order.height,
        "seconds": order.seconds,
        "images": order.images,
        "sound": order.sound,
        "seed": order.seed,
        "cost": order.cost,
        "inputs": [
            {"role": given.role, "name": given.name, "source": given.source}
            for given in order.inputs
        ],
        "failed": order.failed,
    }


def _faults(faults: Faults) -> dict[str, Any]:
    """The last faults that fired, newest first."""
    return {
        "total": faults.fired_total,
        "fired": [asdict(fired) for fired in islice(reversed(faults.fired), FIRED_SHOWN)],
    }
