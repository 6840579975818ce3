"""Tests in which the process dies share a service and a process whose children die."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

for folder in (HERE, HERE.parent / "soak"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import stage as scenery  # noqa: E402 - found only now


@pytest.fixture(scope="session")
def stage(tmp_path_factory):
    """Where batches die; each is an account of its own at the service."""
    with scenery.stage(tmp_path_factory.mktemp("stage")) as made:
        yield made
