"""Signals: the first ends in good order, the second at once, an inherited ignore is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import anyio
import pytest

from batchgen.cli.signals import heed
from batchgen.errors import ExitCode


async def test_the_second_signal_leaves_with_the_code_of_the_first():
    """Whoever is in a hurry gets away, and the exit code says what began it."""
    told = []
    stopped, left = anyio.Event(), anyio.Event()

    def stop(code):
        told.append(("stop", code))
        stopped.set()

    def leave(code):
        told.append(("leave", code))
        left.set()

    async with anyio.create_task_group() as tasks:
        await tasks.start(heed, stop, leave)
        os.kill(os.getpid(), signal.SIGTERM)
        await stopped.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await left.wait()
        tasks.cancel_scope.cancel()
    assert told == [("stop", ExitCode.SIGTERM), ("leave", ExitCode.SIGTERM)]


@pytest.fixture
def nohup():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


async def test_nohup_is_respected(nohup):
    """A run under nohup outlives the terminal that started it."""
    told = []
    stopped = anyio.Event()

    def stop(code):
        told.append(code)
        stopped.set()

    async with anyio.create_task_group() as tasks:
        await tasks.start(heed, stop, stop)
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGINT)
        await stopped.wait()
        tasks.cancel_scope.cancel()
    assert told == [ExitCode.SIGINT]


EARLY = """
import os, signal, sys
from batchgen.cli import main

class Struck:
    def find_spec(self, name, path=None, target=None):
        if name == "batchgen.cli.batches":
            os.kill(os.getpid(), signal.{name})

sys.meta_path.insert(0, Struck())
sys.argv[1:] = ["run", "night.yaml", "--sandbox"]
sys.exit(main())
"""


@pytest.mark.fault(131)
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_while_the_heavy_part_is_read(night, name):
    """Whoever is told to go before anything is begun says so, with the code of the signal."""
    ended = subprocess.run(
        [sys.executable, "-c", EARLY.replace("{name}", name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (128 + signal.Signals[name], "")
    assert ended.stderr.strip() == "batchgen: interrupted"
