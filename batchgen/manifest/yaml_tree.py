"""YAML bytes to a positioned tree, safe against any file.

libyaml's parser hands out events; the tree is built here. Its composer is never used: it recurses
in C without a limit (60 KB of ``[`` end the process), forgets places, and lets a repeated key win
silently.

Rules:

- A file must be UTF-8 (with or without mark) or UTF-16 with its mark, free of control characters.
- Depth, number of values, length of a text and what aliases add are limited; an alias counts as
  what it stands for, so copying by alias costs no less than writing out.
- An alias shares its node, and may not stand for something that it is itself a part of.
- Merge keys, tags, repeated keys, keys that are not text and second documents are named and
  refused. What does not end the reading is gathered, so that all mistakes show at once.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from batchgen.manifest import yaml_errors
from batchgen.manifest.nodes import MappingNode, Node, Pair, ScalarNode, SequenceNode
from batchgen.manifest.problems import Place, Problems, Refused, quoted
from batchgen.manifest.scalars import control_in, control_words, typed

MAX_DEPTH = 32
MAX_NODES = 5_000_000
"""About 300,000 jobs of eight keys; a gigabyte of memory."""
MAX_TEXT = 1_000_000
"""Characters in one value."""
MAX_ANCHORS = 10_000
MAX_ALIASED = 10_000_000
"""Characters that the file would gain if every alias were written out."""

TABLE_HINT = "put the jobs into a .jsonl file and name it with `jobs_from:`"


def parse(data: bytes, file: str, problems: Problems) -> Node | None:
    """Return the one document of a YAML file; None if it is empty or cannot be read to its end."""
    try:
        text = _as_utf8(data)
        return _Builder(text, file, problems).document()
    except Refused as refused:
        problems.add_refused(file, refused)
    except yaml.YAMLError as error:
        problems.add_refused(file, yaml_errors.in_plain_words(error, text))
    return None


def _as_utf8(data: bytes) -> bytes:
    """Return the file as UTF-8 without a byte order mark, after checking every character."""
    encoding = "utf-8"
    if data.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _undecodable(data, encoding, error) from None
    if (index := control_in(text)) is not None:
        raise Refused(*place_in(text, index), control_words(text[index]))
    return data if encoding == "utf-8" else text.encode()


def _undecodable(data: bytes, encoding: str, error: UnicodeDecodeError) -> Refused:
    # The codec for a marked file counts from behind the mark, and so names the wrong byte.
    start = error.start + (len(codecs.BOM_UTF8) if encoding == "utf-8-sig" else 0)
    before = data[:start].decode(encoding, "ignore")
    name = "UTF-16" if encoding == "utf-16" else "UTF-8"
    return Refused(
        *place_in(before, len(before)),
        f"byte {start} of the file (0x{data[start]:02X}) is not {name}",
        "save the file as UTF-8",
    )


def place_in(text: str, index: int) -> tuple[int, int]:
    """Return line and column, both from 1, of a character in a text."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


class _Anchored(NamedTuple):
    node: Node
    characters: int
    """Its length if everything in it were written out."""
    height: int
    """The levels below it."""


class _Builder:
    def __init__(self, data: bytes, file: str, problems: Problems) -> None:
        self._next: Callable[[], Any] = yaml.CSafeLoader(data).get_event
        self._file = file
        self._problems = problems
        self._anchors: dict[str, _Anchored] = {}
        self._open_anchors: set[str] = set()
        self._keys: dict[str, str] = {}
        """Unquoted keys met before: found sound, and one object however often they come."""
        self._nodes = 0
        self._aliased = 0
        self._deepest = 0
        """The greatest depth in the document, or in the anchored node being built."""
        self._end: Any = None
        """The event that ended the last collection."""

    def document(self) -> Node | None:
        self._next()  # the start of the stream
        if isinstance(self._next(), StreamEndEvent):
            return None
        root = self._node(self._next(), 1)
        self._next()  # the end of the document
        after = self._next()
        if not isinstance(after, StreamEndEvent):
            self._complain(after, "a manifest is one document, and here begins another")
        return root

    def _complain(self, event: Any, message: str, hint: str | None = None) -> None:
        self._problems.add(Place(self._file, *_place(event)), message, hint)

    def _node(self, event: Any, depth: int) -> Node:
        if event.__class__ is AliasEvent:
            return self._alias(event, depth)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise Refused(*_place(event), f"more than {MAX_NODES:,} values", TABLE_HINT)
        if event.tag is not None:
            self._complain(event, "tags (`!`) are not read", "to mean text, write it in quotes")
        return self._content(event, depth) if event.anchor is None else self._anchored(event, depth)

    def _content(self, event: Any, depth: int) -> Node:
        if event.__class__ is ScalarEvent:
            return self._scalar(event)
        self._reach(event, depth)
        if event.__class__ is MappingStartEvent:
            return self._mapping(event, depth)
        return self._sequence(event, depth)

    def _reach(self, event: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise Refused(*_place(event), f"nested more than {MAX_DEPTH} levels deep")
        self._deepest = max(self._deepest, depth)

    def _scalar(self, event: Any) -> ScalarNode:
        text = event.value
        if len(text) > MAX_TEXT:
            raise Refused(*_place(event), f"a text of more than {MAX_TEXT:,} characters")
        if event.style == '"' and (index := control_in(text)) is not None:
            self._complain(event, control_words(text[index]))
        return ScalarNode(text, not event.style, *_place(event))

    def _sequence(self, start: Any, depth: int) -> SequenceNode:
        items: list[Node] = []
        while (event := self._next()).__class__ is not SequenceEndEvent:
            items.append(self._node(event, depth + 1))
        self._end = event
        return SequenceNode(items, *_place(start))

    def _mapping(self, start: Any, depth: int) -> MappingNode:
        pairs: dict[str, Pair] = {}
        while (event := self._next()).__class__ is not MappingEndEvent:
            key = self._key(event, depth)
            value = self._node(self._next(), depth + 1)
            if key in pairs:
                message = f"{quoted(key)} is here again; it is already in line {pairs[key].line}"
                self._complain(event, message)
            elif key is not None:
                pairs[key] = Pair(value, *_place(event))
        self._end = event
        return MappingNode(pairs, *_place(start))

    def _key(self, event: Any, depth: int) -> str | None:
        simple = event.__class__ is ScalarEvent and event.anchor is None and event.tag is None
        if simple and (known := self._keys.get(event.value)) is not None:
            return known
        node = self._node(event, depth + 1)
        if not isinstance(node, ScalarNode):
            self._complain(event, "a key must be a text, not a list or a mapping")
        elif not node.plain:
            return node.text
        elif node.text == "<<":
            hint = "put what jobs share under `defaults:`"
            self._complain(event, "the merge key `<<` is not read", hint)
        elif not isinstance(typed(node.text), str):
            written = quoted(node.text) if node.text else "nothing"
            self._complain(event, f"a key must be a text, not {written}", "put the key in quotes")
        else:
            return self._keys.setdefault(node.text, node.text)
        return None

    def _anchored(self, event: Any, depth: int) -> Node:
        name, aliased = event.anchor, self._aliased
        if len(self._anchors) >= MAX_ANCHORS:
            raise Refused(*_place(event), f"more than {MAX_ANCHORS:,} anchors")
        deepest, self._deepest = self._deepest, depth
        self._open_anchors.add(name)
        self._end = event
        node = self._content(event, depth)
        self._open_anchors.discard(name)
        written = self._end.end_mark.index - event.start_mark.index + self._aliased - aliased
        self._anchors[name] = _Anchored(node, written, self._deepest - depth)
        self._deepest = max(self._deepest, deepest)
        return node

    def _alias(self, event: Any, depth: int) -> Node:
        name = event.anchor
        if name in self._open_anchors:
            raise Refused(*_place(event), f"`*{name}` stands inside `&{name}`, so it has no end")
        if name not in self._anchors:
            hint = "to mean a text that begins with `*`, put it in quotes"
            raise Refused(*_place(event), f"`*{name}` has no `&{name}` before it", hint)
        node, characters, height = self._anchors[name]
        self._reach(event, depth + height)
        self._aliased += characters
        if self._aliased > MAX_ALIASED:
            message = f"aliases add more than {MAX_ALIASED:,} characters to the file"
            raise Refused(*_place(event), message)
        return node


def _place(event: Any) -> tuple[int, int]:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1
