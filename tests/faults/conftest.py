"""The faults are tried on whole batches, in the way in which the runner's tests try theirs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent

for folder in (HERE, HERE.parent / "runner", HERE.parent / "cli"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _of(folder: str):
    """The conftest of another folder of tests, under a name of its own."""
    path = HERE.parent / folder / "conftest.py"
    spec = importlib.util.spec_from_file_location(f"{folder}_conftest", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_runner, _cli = _of("runner"), _of("cli")
KEY, START, Rehearsal = _runner.KEY, _runner.START, _runner.Rehearsal
rehearsal = _runner.rehearsal
start = _cli.start
