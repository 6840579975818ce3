"""Tests in which the process dies share a service and a process whose children die."""

from __future__ import annotations

import pytest

from tests.crash import stage as scenery


@pytest.fixture(scope="session")
def stage(tmp_path_factory):
    """Where batches die; each is an account of its own at the service."""
    with scenery.stage(tmp_path_factory.mktemp("stage")) as made:
        yield made
