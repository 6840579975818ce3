"""A process that runs batches in children of its own, which die where they are told to.

It imports the program once and forks for every run, so that a run costs what it does and not the
start of an interpreter. A line of JSON on its standard input is a run, a line on its standard
output is the exit code that came of it:

    {"manifest": PATH, "speed": SPEED, "environment": {...}, "held": BYTES,
     "target": [NAME, NUMBER] or null, "met": PATH, "said": PATH}

``held`` is how many bytes of a result wait for the disk, ``target`` the point to die at, ``met`` a
file for the points that were met on the way, one a line of JSON, and ``said`` one for what the run
prints.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

# Beside the rest, what a run would import only when it comes to it.
import batchgen.runner.start  # noqa: F401
from batchgen.api import Settings, run
from batchgen.artifacts import part
from batchgen.journal import log
from batchgen.manifest import load
from tests.crash.points import Point, Watch


def main() -> None:
    log.FOLDED_FROM = 1  # as if each were a night of a hundred thousand jobs
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _die_with(json.loads(line))
        status = os.waitpid(child, 0)[1]
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the answer


def _die_with(order: dict[str, Any]) -> None:
    said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    code = 70
    try:
        code = _run(order)
    except BaseException:  # noqa: BLE001 - nothing of the parent's may run on in the child
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run(order: dict[str, Any]) -> int:
    os.environ.update(order["environment"])
    part.HELD = order["held"]
    target = Point(*order["target"]) if order["target"] else None
    met = open(order["met"], "w", buffering=1)  # noqa: PTH123, SIM115 - until death
    Watch(target, lambda point: print(json.dumps(point), file=met)).install()
    settings = Settings(service_speed=order["speed"])
    summary = asyncio.run(run(load(Path(order["manifest"])), settings))
    print(summary)  # noqa: T201 - for whoever looks into a failure
    return int(summary.exit_code)


if __name__ == "__main__":
    main()
