"""The service that both runners of ``speed.py`` are timed on: a sandbox at the service's own pace
and quotas, which remembers what it was asked, and when.

    python tests/bench/speed_service.py FOLDER --running 20 --seconds 8

It prints its base URL, serves until its standard input ends, and then prints its notes as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from aiohttp import web

from batchgen.sandbox import Sandbox, sandbox
from batchgen.sandbox.models import built_in
from batchgen.sandbox.service import queries

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


def _kind(request: web.Request) -> str:
    if not request.path.startswith("/api/"):
        return "download"
    if request.method == "POST":
        return "cancel" if request.path.endswith("/cancel") else "submit"
    return "list" if request.path.rstrip("/").endswith("/tasks") else "query"


def watch(notes: Notes) -> None:
    """Have every answer of the sandbox noted."""
    serve = sandbox.serve

    async def noted(application, listener, clock, database):
        async def note(request: web.Request, response: web.StreamResponse) -> None:
            notes.note(request, response, clock.now())

        application.on_response_prepare.append(note)
        return await serve(application, listener, clock, database)

    sandbox.serve = noted


async def play(arguments: argparse.Namespace) -> Notes:
    notes = Notes()
    watch(notes)
    queries.QUERIES_PER_SECOND = arguments.queries
    usual, spread = arguments.seconds, arguments.spread
    models = built_in()
    models = {
        MODEL: replace(
            models[MODEL],
            per_second=arguments.per_second,
            running=arguments.running,
            queue_length=max(500, arguments.running),
            queue=(0.0, 0.0),
            run=(usual * (1 - spread), usual, usual * (1 + spread)),
        )
    }
    async with Sandbox(arguments.folder, models=models, shared_queries=True) as service:
        print(service.base_url, flush=True)  # noqa: T201 - whoever started it reads this
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        tasks, _ = service._scheduler.latest(1 << 62, 1 << 20, status="", text="")
        for task in sorted(tasks, key=lambda task: task.number):
            if task.ended is not None and task.scheduled is not None:
                notes.ended[task.id] = task.ended
                notes.rendering.append(task.ended - task.scheduled)
    return notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--running", type=int, required=True, help="tasks at once")
    parser.add_argument("--seconds", type=float, required=True, help="that a task takes")
    parser.add_argument("--spread", type=float, default=0.25, help="share by which it varies")
    parser.add_argument("--per-second", type=int, default=5, help="submits")
    parser.add_argument("--queries", type=int, default=20, help="a second")
    notes = asyncio.run(play(parser.parse_args()))
    print(json.dumps(vars(notes)))  # noqa: T201


if __name__ == "__main__":
    main()
