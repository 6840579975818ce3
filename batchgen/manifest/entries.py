"""An entry: one job as its file gives it, before defaults and checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from batchgen.manifest.nodes import MappingNode, Node, ScalarNode, value_of
from batchgen.manifest.problems import Place, Problems

Locate: TypeAlias = Callable[[str], tuple[int, int] | None]
"""From a key to its line and column. Asked only where something is wrong, so it may be slow."""


def nowhere(_key: str) -> None:
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

    def place_of(self, key: str) -> Place:
        """The key's own place; the entry's where the key has none."""
        found = self.locate(key)
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
    return Entry(file, node.line, node.column, values, node.place_of)
