"""A document as it was written: every value with its place, nothing interpreted yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from batchgen.manifest.scalars import NULLS, typed

# Named tuples, not dataclasses: a manifest of 100,000 jobs makes more than a million of them.


class ScalarNode(NamedTuple):
    """A word or a text."""

    text: str
    plain: bool
    """Written without quotes and not as a block: it may mean a number, a truth value or null."""
    line: int
    column: int


class SequenceNode(NamedTuple):
    """A list."""

    items: list[Node]
    line: int
    column: int


class Pair(NamedTuple):
    """A value under its key; the place is the key's."""

    value: Node
    line: int
    column: int


class MappingNode(NamedTuple):
    """Keys and values in the order written."""

    pairs: dict[str, Pair]
    line: int
    column: int

    def place_of(self, key: str) -> tuple[int, int] | None:
        """Return line and column of a key."""
        pair = self.pairs.get(key)
        return pair and (pair.line, pair.column)


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


def value_of(node: Node, *, text: bool = False) -> Any:
    """Return a node as plain data; ``text`` keeps unquoted words as written, except null."""
    if isinstance(node, ScalarNode):
        if node.plain and (not text or node.text in NULLS):
            return typed(node.text)
        return node.text
    if isinstance(node, SequenceNode):
        return [value_of(item, text=text) for item in node.items]
    return {key: value_of(pair.value, text=text) for key, pair in node.pairs.items()}


def place_at(root: Node, steps: Sequence[int | str]) -> tuple[int, int]:
    """Follow steps into the document as far as it goes; return line and column."""
    here: Node | Pair = root
    for step in steps:
        node = here.value if isinstance(here, Pair) else here
        if isinstance(node, MappingNode) and step in node.pairs:
            here = node.pairs[str(step)]
        elif isinstance(node, SequenceNode) and isinstance(step, int):
            here = node.items[step]
        else:
            break
    return here.line, here.column
