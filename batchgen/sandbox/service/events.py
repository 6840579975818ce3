"""Events: that a task has ended, told to a URL (Receive notifications of finished asynchronous
tasks, 2026-05).

Rules.
1. A task that succeeded or failed is told once or, by chance, twice; each telling comes 1 to 90
   seconds of the clock after the end. So events overtake each other, as those of EventBridge may.
2. Whether anybody listens is no concern of the tasks: a delivery that fails is given up.
3. A restart forgets what has not been told yet.

The service signs its events with a certificate of its own; these have no signature.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp

from batchgen.sandbox.connections import is_loopback
from batchgen.sandbox.service import answers
from batchgen.sandbox.service.parts import Parts
from batchgen.sandbox.service.wire import dumps
from batchgen.sandbox.tasks.task import Task

DELAY = (1.0, 90.0)
"""Seconds of the clock between a task's end and the event."""

TWICE = 0.1
"""How many of all events come twice (*chosen*; EventBridge promises no less than once)."""

PATIENCE = 10.0
"""Seconds for a delivery."""


def check_url(url: str) -> None:
    """Raises ValueError for one that cannot be told, or leads away from this machine."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        raise ValueError(f"events need a URL that begins with http://, not {url.partition('?')[0]}")
    if not is_loopback(parts.hostname or ""):
        raise ValueError(f"events go to this machine alone, not to {parts.hostname or 'nowhere'}")


class Events:
    """Tells `url` of every task that ends while this is open."""

    def __init__(self, parts: Parts, url: str) -> None:
        self._parts = parts
        self._url = url
        self._deliveries: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        self._session = aiohttp.ClientSession(timeout=timeout)
        self._parts.scheduler.announce(self._plan)
        return self

    async def __aexit__(self, *_: object) -> None:
        for delivery in self._deliveries:
            delivery.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)
        await self._session.close()

    def _plan(self, task: Task) -> None:
        if task.synchronous:
            return
        assert task.ended is not None
        event = self._event(task)
        for moment in _moments(task):
            delivery = asyncio.create_task(self._deliver(event, task.ended + moment))
            self._deliveries.add(delivery)
            delivery.add_done_callback(self._deliveries.discard)

    async def _deliver(self, event: dict[str, Any], moment: float) -> None:
        await self._parts.clock.until(moment)
        published = _iso(self._parts.clock.now())
        body = dumps(event | {"aliyunpublishtime": published}).encode()
        headers = {"Content-Type": "application/json;charset=utf-8"}
        with suppress(aiohttp.ClientError, OSError):  # a time-out is an OSError
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ):
                pass

    def _event(self, task: Task) -> dict[str, Any]:
        assert task.ended is not None
        model, urls = self._parts.models[task.model], self._parts.signer.urls(task)
        row = answers.listed(model, task, self._parts.region)
        return {
            "specversion": "1.0",
            "id": str(uuid4()),
            "source": "acs.dashscope",
            "type": "dashscope:System:AsyncTaskFinish",
            "time": _iso(task.ended),
            "datacontenttype": "application/json;charset=utf-8",
            "aliyunaccountid": task.account,
            "aliyunoriginalaccountid": task.account,
            "aliyuneventbusname": "default",
            "aliyunregionid": self._parts.region,
            "data": {
                "task_id": task.id,
                "task_status": task.status,
                "user_api_unique_key": row["user_api_unique_key"],
                "api_key_id": task.key_id,
                "region": self._parts.region,
                "request_id": task.request_id,
                "start_time": _whole_seconds(task.scheduled or task.created),
                "end_time": _whole_seconds(task.ended),
                "contain_result": True,
                "output_result": answers.task(model, task, urls, str(uuid4())),
            },
        }


def _moments(task: Task) -> Iterator[float]:
    """Seconds after the end; the same for the same task of another day."""
    chance = Random(f"event {task.number}")  # noqa: S311 - nothing secret
    yield chance.uniform(*DELAY)
    if chance.random() < TWICE:
        yield chance.uniform(*DELAY)


def _iso(time: float) -> str:
    moment = datetime.fromtimestamp(time, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _whole_seconds(time: float) -> str:
    return datetime.fromtimestamp(time, answers.ZONE).strftime("%Y-%m-%d %H:%M:%S")
