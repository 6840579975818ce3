"""Manifests to run, and the program as a process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TWO_JOBS = """\
jobs:
  - {id: fox, model: wan2.2-t2v-plus, size: 832*480, prompt: A fox reads a case file, duration: 5}
  - {id: moon, model: wan2.2-t2i-flash, size: 1024*1024, prompt: A kitten and the moon, n: 2}
"""


@pytest.fixture
def night(tmp_path, monkeypatch):
    """The path of a manifest of two jobs, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "night.yaml"
    path.write_text(TWO_JOBS)
    return path


@pytest.fixture
def start():
    """Starts the program as a process; all of them have ended when the test has."""
    started = []

    def start(*arguments, **options):
        process = subprocess.Popen(
            [sys.executable, "-m", "batchgen", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            **options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
