"""Rules of this project that no linter knows."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_test_says_what_it_proves():
    """Each test function has a docstring of its own."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert not silent


def test_modules_stay_small_enough_to_be_read():
    """A module beyond 400 lines is a room that has become crowded."""
    crowded = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "batchgen").rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not crowded


def test_every_module_says_what_it_is_for():
    """Each module of the package opens with a docstring."""
    silent = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "batchgen").rglob("*.py"))
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent
