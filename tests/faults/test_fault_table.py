"""Every row of the table of faults is asserted by a test that names it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.faults.table import BELOW, ROWS, UNBUILT

TESTS = Path(__file__).parents[1]
WHOLE = ("api", "cli", "crash", "faults", "runner", "soak")
"""Where tests run whole batches."""


def marks(tree: ast.Module) -> Iterator[ast.expr]:
    """Those of a module's test functions, all of them or each, and of the cases they are given."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if node.name.startswith("test_"):
                yield from node.decorator_list
            case ast.Call(func=ast.Attribute(attr="param"), keywords=keywords):
                yield from (keyword.value for keyword in keywords if keyword.arg == "marks")
            case ast.Assign(targets=[ast.Name(id="pytestmark")], value=ast.List(elts=all_of_them)):
                yield from all_of_them


def rows_named(tree: ast.Module) -> Iterator[int]:
    """The rows in the marks ``fault(...)`` of a module."""
    for mark in marks(tree):
        if isinstance(mark, ast.Call) and getattr(mark.func, "attr", "") == "fault":
            yield from (argument.value for argument in mark.args)


def rows_in(*rooms: str) -> set[int]:
    """What the tests of these rooms name."""
    paths = [path for room in rooms for path in TESTS.glob(f"{room}/**/test_*.py")]
    return {row for path in paths for row in rows_named(ast.parse(path.read_text("utf-8")))}


def test_every_fault_is_asserted_by_a_test_that_names_it():
    """No row is without its test, and no test names a row that is not there."""
    assert rows_in("*") == set(ROWS)
    assert not set(ROWS) & set(UNBUILT)


def test_every_fault_is_tried_on_a_whole_batch():
    """What a part of the program does is not yet what its user sees; the table tells exceptions."""
    assert set(ROWS) - rows_in(*WHOLE) == set(BELOW)
