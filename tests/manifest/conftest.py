from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from batchgen.errors import ManifestError, Problem
from batchgen.manifest import load


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file below the test's folder, a manifest unless it is called otherwise."""

    def write(content: str | bytes, name: str = "batch.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def problems(write: Callable[..., Path]) -> Callable[..., list[Problem]]:
    """The problems of a manifest of this text; none if it is sound."""

    def problems(content: str | bytes, **options: object) -> list[Problem]:
        try:
            load(write(content), **options)
        except ManifestError as error:
            return list(error.problems)
        return []

    return problems


@pytest.fixture
def places(problems: Callable[..., list[Problem]]) -> Callable[..., list[tuple[int, int]]]:
    """The places of a manifest's problems, in order."""
    return lambda content, **options: [(p.line, p.column) for p in problems(content, **options)]
