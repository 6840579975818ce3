"""The soak itself, for one small batch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.fault(19)
def test_a_soak_of_one_batch_keeps_every_promise_and_says_so(tmp_path):
    """Killed, lied to and run again by one command: the table says that nothing was lost."""
    command = [sys.executable, "-m", "tests.soak", "--minutes", "0", "--seed", "3", "--jobs", "3"]
    soak = subprocess.run(
        command,
        check=False,
        cwd=CHECKOUT,
        env={"TMPDIR": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert soak.returncode == 0, soak.stdout + soak.stderr
    figures = {line[:16].strip(): line[16:].strip() for line in soak.stdout.splitlines()}
    assert figures["batches"] == "1"
    assert int(figures["kills"]) >= 1
    assert figures["bought twice"] == figures["lost"] == figures["leftovers"] == "0"
    assert not list(tmp_path.iterdir()), "the soak left something behind"
