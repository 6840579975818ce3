"""An entry: one job as its file gives it, before defaults and checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from batchgen.catalog.complaint import Path
from batchgen.manifest.nodes import MappingNode, Node, ScalarNode, place_at, value_of
from batchgen.manifest.problems import Place, Problems

Locate: TypeAlias = Callable[[Path], tuple[int, int] | None]
"""From a key, and what is below it, to line and column; None where the key does not stand there.

Asked only where something is wrong, so it may be slow.
"""


def nowhere(_path: Path) -> None:
    """The place of a key in a file that does not tell."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Keys and plain values of one job, and where they stand."""

    file: str
    line: int
    column: int
    values: Mapping[str, Any]
    locate: Locate

    @property
    def place(self) -> Place:
        return Place(self.file, self.line, self.column)

    def place_of(self, *path: str | int) -> Place:
        """The place of a key, or of what is below it; the entry's where the key has none."""
        found = self.locate(path)
        return Place(self.file, *found) if found else self.place


def entry_of(node: Node, file: str, text_keys: frozenset[str], problems: Problems) -> Entry | None:
    """Read an item of ``jobs:``, a mapping or a bare prompt; None and a problem for another."""
    if isinstance(node, MappingNode):
        return entry_of_mapping(node, file, text_keys)
    if isinstance(node, ScalarNode) and (prompt := value_of(node, text=True)) is not None:
        return Entry(file, node.line, node.column, {"prompt": prompt}, nowhere)
    place = Place(file, node.line, node.column)
    problems.add(place, "a job is a prompt, or a mapping of keys such as `prompt:`")
    return None


def entry_of_mapping(node: MappingNode, file: str, text_keys: frozenset[str]) -> Entry:
    """Read a job's keys; those in ``text_keys`` keep unquoted words as text."""
    values = {key: value_of(pair.value, text=key in text_keys) for key, pair in node.pairs.items()}
    return Entry(file, node.line, node.column, values, partial(_place_in, node))


def _place_in(node: MappingNode, path: Path) -> tuple[int, int] | None:
    return place_at(node, path) if path and path[0] in node.pairs else None
