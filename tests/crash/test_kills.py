"""The program as people start it dies by SIGKILL, again and again; it ends complete, bought once.

Unlike a death at a point, a kill comes at any moment: between two instructions of SQLite, in the
start of the interpreter, in the midst of a write. ``python -m tests.soak`` is the long round of it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest

from tests.crash.stage import Film

SHOTS = [f"shot-{number:02}" for number in range(12)]
MODELS = ["model: wan2.2-t2v-plus, size: 624*624", "model: wan2.2-t2i-flash, size: 512*512"]
FILM = Film(
    "limits: {settle: 1}\njobs:\n"
    + "".join(
        f"  - {{id: {shot}, {MODELS[place % 2]}, prompt: Wave number {place} breaks on the pier}}\n"
        for place, shot in enumerate(SHOTS)
    ),
    {shot: [f"{shot}.{('mp4', 'png')[place % 2]}"] for place, shot in enumerate(SHOTS)},
)


@pytest.mark.fault(6, 19, 20)
def test_a_batch_that_is_killed_over_and_over_is_bought_once(stage):
    """Created tasks equal the jobs, all results are whole, nothing is in doubt or left over."""
    batch = stage.batch(FILM).write()
    command = [sys.executable, "-m", "batchgen", "run", str(batch.manifest)]
    environment = {**os.environ, **batch.environment}
    dice = random.Random(7)
    for _ in range(6):
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(timeout=dice.uniform(0.8, 2.4))
            except subprocess.TimeoutExpired:
                process.kill()
        assert not batch.broken_by_a_death()
    end = subprocess.run(
        command, env=environment, timeout=240, check=False, capture_output=True, text=True
    )
    assert end.returncode == 0, end.stdout + end.stderr
    assert not batch.broken_at_the_end()
