"""Every row of the table of faults is asserted by a test that names it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from table import ROWS, UNBUILT

TESTS = Path(__file__).parents[1]


def numbers_named(path: Path) -> Iterator[int]:
    """The rows that the marks ``fault(...)`` of a test file name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "fault":
            yield from (argument.value for argument in node.args)


def test_every_fault_is_asserted_by_a_test_that_names_it():
    """No row is without its test, and no test names a row that is not there."""
    named = {number for path in TESTS.rglob("test_*.py") for number in numbers_named(path)}
    assert named == set(ROWS)
    assert not set(ROWS) & set(UNBUILT)
