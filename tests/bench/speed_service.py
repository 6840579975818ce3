"""The service that the runners of ``speed.py`` are timed on: a sandbox at the service's own pace
and quotas, which remembers what it was asked, and when.

    python tests/bench/speed_service.py --running 20 --seconds 8

It prints its base URL, serves until its standard input ends, and then prints its notes as JSON. So
that the runner is timed and not the service, its tasks live in memory and one real picture stands
for all results: a job costs it under 2 ms of a core.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self

from aiohttp import web

from batchgen.sandbox import Sandbox, sandbox
from batchgen.sandbox.models import built_in
from batchgen.sandbox.service import queries
from batchgen.sandbox.storage.objects import ObjectStore, Stored
from batchgen.sandbox.tasks.task import Task

MODEL = "wan2.2-t2i-flash"
"""Small results: what is timed is the runner, not the line."""

_TASK = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class Notes:
    """What was asked of the service. Times are Unix seconds."""

    asked: Counter[str] = field(default_factory=Counter)
    """Requests by kind."""
    refused: Counter[str] = field(default_factory=Counter)
    """Those of them that were answered 429."""
    submitted: list[float] = field(default_factory=list)
    fetched: dict[str, float] = field(default_factory=dict)
    """When the first byte of a task's result left."""
    ended: dict[str, float] = field(default_factory=dict)
    rendering: list[float] = field(default_factory=list)
    """Seconds that each task took from its start to its end, in the order of their creation."""
    cpu: float = 0.0
    """Seconds of a core that the service took to answer it all."""

    @classmethod
    def read(cls, text: str) -> Self:
        said = json.loads(text)
        counts = {name: Counter(said[name]) for name in ("asked", "refused")}
        return cls(**{**said, **counts})

    def note(self, request: web.Request, response: web.StreamResponse, now: float) -> None:
        kind = _kind(request)
        self.asked[kind] += 1
        if response.status == web.HTTPTooManyRequests.status_code:
            self.refused[kind] += 1
        elif kind == "submit":
            self.submitted.append(now)
        elif kind == "download" and (task := _TASK.search(request.path)):
            self.fetched.setdefault(task[0], now)

    def note_end(self, task: Task) -> None:
        if task.ended is not None and task.scheduled is not None:
            self.ended[task.id] = task.ended
            self.rendering.append(task.ended - task.scheduled)


def _kind(request: web.Request) -> str:
    path = request.path.rstrip("/")
    if not path.startswith("/api/"):
        return "download"
    if path.endswith(("/limits", "/quotas")):
        return "limits"
    if request.method == "POST":
        return "cancel" if path.endswith("/cancel") else "submit"
    return "list" if path.endswith("/tasks") else "query"


def watch(notes: Notes) -> None:
    """Have every answer of the sandbox noted."""
    serve = sandbox.serve

    async def noted(application, listener, clock, database):
        async def note(request: web.Request, response: web.StreamResponse) -> None:
            notes.note(request, response, clock.now())

        application.on_response_prepare.append(note)
        return await serve(application, listener, clock, database)

    sandbox.serve = noted


def draw_once() -> None:
    """Let the first result's picture stand for all: each would cost 40 ms of the core."""
    draw = ObjectStore._stored
    drawn: list[asyncio.Future[Stored]] = []

    async def once(store, task, place):
        if not drawn:
            drawn.append(asyncio.ensure_future(draw(store, task, place)))
        return await drawn[0]

    ObjectStore._stored = once


def tasks_of(service: Sandbox) -> Iterator[Task]:
    """All of them, the newest first."""
    before: int | None = 1 << 62
    while before is not None:
        tasks, before = service._scheduler.latest(before, 10_000, status="", text="")
        yield from tasks


async def play(arguments: argparse.Namespace) -> Notes:
    notes = Notes()
    watch(notes)
    draw_once()
    queries.QUERIES_PER_SECOND = arguments.queries
    usual, spread = arguments.seconds, arguments.spread
    model = replace(
        built_in()[MODEL],
        per_second=arguments.per_second,
        running=arguments.running,
        queue_length=max(500, arguments.running),
        queue=(0.0, 0.0),
        run=(usual * (1 - spread), usual, usual * (1 + spread)),
    )
    async with Sandbox(models={MODEL: model}, shared_queries=True) as service:
        print(service.base_url, flush=True)  # noqa: T201 - whoever started it reads this
        began = time.process_time()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        notes.cpu = time.process_time() - began
        for task in sorted(tasks_of(service), key=lambda task: task.number):
            notes.note_end(task)
    return notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--running", type=int, required=True, help="tasks at once")
    parser.add_argument("--seconds", type=float, required=True, help="that a task takes")
    parser.add_argument("--spread", type=float, default=0.25, help="share by which it varies")
    parser.add_argument("--per-second", type=int, default=5, help="submits")
    parser.add_argument("--queries", type=int, default=20, help="a second")
    notes = asyncio.run(play(parser.parse_args()))
    print(json.dumps(vars(notes)))  # noqa: T201


if __name__ == "__main__":
    main()
