"""A manifest to run."""

from __future__ import annotations

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
