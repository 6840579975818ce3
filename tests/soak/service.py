"""A service that loses answers: a sandbox with random faults, in a process of its own.

Its only argument is a JSON object: ``folder``, ``speed``, ``keys`` (accounts by key), ``seed``,
``losses``, the share of submits whose answer gets lost, and ``lag``, how many seconds of ours the
list of tasks is behind. It prints its base URL; for each line that
it reads it prints a JSON object with how often each fault has struck since the last one. It ends
with its input.
"""

# ruff: noqa: T201 - what it prints is what it is for

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

from batchgen.sandbox import (
    Answer,
    Chance,
    Content,
    Corrupt,
    CutShort,
    Ending,
    Faults,
    Lag,
    Page,
    Point,
    Reset,
    Rule,
    Sandbox,
)

LOST = "answer lost"
"""What every fault is called that leaves a client without the answer to its submit."""


def rules(seed: int, losses: float) -> list[Rule]:
    """What goes wrong, each by chance and by itself; the first that applies to a call decides."""
    throttled = Answer(429, "Throttling.RateQuota", "Too many requests", "1")
    gateway = Page(Content.HTML, 502)
    table = [
        (Point.SUBMIT, Reset(), losses / 4, f"{LOST}, no task"),
        (Point.SUBMIT, gateway, losses / 4, f"{LOST}, no task, but a page"),
        (Point.SUBMIT, throttled, 0.05, "throttled"),
        (Point.TASK_CREATED, Reset(), losses / 4, f"{LOST}, task made"),
        (Point.TASK_CREATED, gateway, losses / 8, f"{LOST}, task made, but a page"),
        (Point.TASK_CREATED, CutShort(20, Ending.CLOSE), losses / 8, f"{LOST}, all but a word"),
        (Point.QUERY, gateway, 0.05, "a page for a query"),
        (Point.QUERY, Reset(), 0.03, "no answer to a query"),
        (Point.LIST, gateway, 0.05, "a page for the list"),
        (Point.LIST, Reset(), 0.05, "no answer to the list"),
        (Point.RESULT, CutShort(), 0.1, "download cut"),
        (Point.RESULT, CutShort(ending=Ending.CHUNK), 0.05, "download cut between chunks"),
        (Point.RESULT, CutShort(ending=Ending.CLOSE), 0.05, "download cut, politely"),
        (Point.RESULT, Corrupt(), 0.05, "download corrupted"),
        (Point.RESULT, Page(Content.XML, 200), 0.05, "a page for a result"),
        (Point.RESULT, Page(Content.HTML, 503), 0.05, "no result just now"),
    ]
    return [
        Rule(point, action, calls=Chance(chance, f"{seed}|{name}"), name=name)
        for point, action, chance, name in table
    ]


async def serve(
    *, folder: str, speed: float, keys: dict[str, str], seed: int, losses: float, lag: float
) -> None:
    """Until the input ends."""
    late = Rule(Point.LIST, Lag(lag * speed), name="the list lags")
    faults = Faults(*rules(seed, losses), late)
    async with Sandbox(Path(folder), speed=speed, keys=keys, faults=faults) as sandbox:
        print(sandbox.base_url, flush=True)
        told = 0
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            new, told = faults.fired_total - told, faults.fired_total
            names = Counter(fired.rule for fired in islice(reversed(faults.fired), new))
            print(json.dumps(names), flush=True)


if __name__ == "__main__":
    order: dict[str, Any] = json.loads(sys.argv[1])
    asyncio.run(serve(**order))
