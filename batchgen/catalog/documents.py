"""YAML documents of facts, read with the place of every value.

A catalog file may come from a stranger. So it is built from the parser's events within bounds of
bytes, depth and values; an alias costs as much as what it stands for; merge keys, tags of its own
and keys that are said twice are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from yaml.resolver import Resolver

MAX_BYTES = 1_000_000
_MAX_DEPTH = 24
_MAX_VALUES = 50_000
"""In one file; all files of the package together have some 3,200."""

Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class CatalogProblem:
    """One mistake in a catalog file; lines and columns count from 1. They sort as they stand."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class CatalogError(Exception):
    """A catalog file cannot be used. ``problems`` are all that were found."""

    def __init__(self, *problems: CatalogProblem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Document:
    """A file's value, and where its parts are written."""

    file: str
    value: Any
    places: Mapping[Steps, tuple[int, int]]

    def problem(self, steps: Steps, message: str) -> CatalogProblem:
        """A mistake at the deepest written place that the steps lead to."""
        return CatalogProblem(self.file, *self.places[self.nearest(steps)], message)

    def nearest(self, steps: Steps, start: Steps = ()) -> Steps:
        """The deepest written place below ``start``; steps that are not written are passed over."""
        here = start
        for step in steps:
            if (*here, step) in self.places:
                here = (*here, step)
        return here


def read_document(path: Path) -> Document:
    """Read a user's file. Raises CatalogError."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"it cannot be read: {error.strerror}"
        raise CatalogError(CatalogProblem(str(path), 1, 1, message)) from None
    return parse(content, str(path))


def parse(content: bytes, file: str) -> Document:
    """Read a document from its bytes. Raises CatalogError."""
    if len(content) > MAX_BYTES:
        raise CatalogError(CatalogProblem(file, 1, 1, f"it has more than {MAX_BYTES:,} bytes"))
    try:
        builder = _Builder(file, yaml.parse(content, Loader=yaml.CSafeLoader))
        return Document(file, builder.document(), builder.places)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise CatalogError(CatalogProblem(file, line, column, f"{error.problem}")) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"it is no YAML text: {getattr(error, 'reason', error)}"
        raise CatalogError(CatalogProblem(file, 1, 1, message)) from None


class _Builder:
    """Builds one document from the parser's events."""

    def __init__(self, file: str, events: Iterator[Event]) -> None:
        self.places: dict[Steps, tuple[int, int]] = {}
        self._file = file
        self._events = events
        self._resolver = Resolver()
        self._constructor = SafeConstructor()
        self._anchored: dict[str, tuple[Any, int]] = {}
        self._scalars: dict[tuple[str, object], Any] = {}
        """What was read before: a file says the same words over and over."""
        self._values = 0

    def document(self) -> Any:
        next(self._events)  # the stream starts
        if not isinstance(start := next(self._events), yaml.DocumentStartEvent):
            raise self._error(start, "the file is empty")
        value = self._build(next(self._events), ())
        next(self._events)  # the document ends
        if not isinstance(end := next(self._events), yaml.StreamEndEvent):
            raise self._error(end, "there is a second document")
        return value

    def _build(self, event: Event, steps: Steps) -> Any:
        self.places[steps] = _place(event)
        if len(steps) > _MAX_DEPTH:
            raise self._error(event, f"it is nested more than {_MAX_DEPTH} deep")
        if isinstance(event, AliasEvent):
            return self._aliased(event)
        before = self._values
        self._count(event, 1)
        value = self._collection_or_scalar(event, steps)
        if isinstance(event, NodeEvent) and event.anchor:
            self._anchored[event.anchor] = value, self._values - before
        return value

    def _collection_or_scalar(self, event: Event, steps: Steps) -> Any:
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise self._error(event, f"the tag {tag} cannot be used here")
        if isinstance(event, MappingStartEvent):
            return self._mapping(steps)
        if isinstance(event, SequenceStartEvent):
            return [
                self._build(item, (*steps, index)) for index, item in enumerate(self._until_end())
            ]
        assert isinstance(event, ScalarEvent)
        return self._scalar(event)

    def _aliased(self, event: AliasEvent) -> Any:
        if event.anchor not in self._anchored:
            raise self._error(event, f"*{event.anchor} stands for nothing above")
        value, size = self._anchored[event.anchor]
        self._count(event, size)
        return value

    def _mapping(self, steps: Steps) -> dict[str, Any]:
        mapping: dict[Any, Any] = {}
        for event in self._until_end():
            if not isinstance(event, ScalarEvent) or event.tag:
                raise self._error(event, "a key must be plain text")
            key = self._scalar(event)
            if key == "<<" and event.implicit[0]:
                raise self._error(
                    event, "merge keys cannot be used: `like:` names a model to build on"
                )
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise self._error(event, f"{event.value} is no key: put it in quotes")
            if key in mapping:
                raise self._error(event, f"{key} is said twice")
            mapping[key] = self._build(next(self._events), (*steps, key))
            self.places[(*steps, key)] = _place(event)
        return mapping

    def _until_end(self) -> Iterator[Event]:
        while not isinstance(event := next(self._events), CollectionEndEvent):
            yield event

    def _scalar(self, event: ScalarEvent) -> Any:
        spelling = event.value, event.implicit
        if spelling not in self._scalars:
            self._scalars[spelling] = self._read_scalar(event)
        return self._scalars[spelling]

    def _read_scalar(self, event: ScalarEvent) -> Any:
        tag = self._resolver.resolve(  # type: ignore[no-untyped-call]
            yaml.ScalarNode, event.value, event.implicit
        )
        node = yaml.ScalarNode(tag, event.value)
        if tag == "tag:yaml.org,2002:merge":
            return event.value
        try:
            return self._constructor.construct_object(node)
        except (ConstructorError, ValueError, OverflowError):
            raise self._error(event, f"{event.value[:40]} cannot be read") from None

    def _count(self, event: Event, values: int) -> None:
        self._values += values
        if self._values > _MAX_VALUES:
            raise self._error(event, f"it holds more than {_MAX_VALUES:,} values")

    def _error(self, event: Event, message: str) -> CatalogError:
        return CatalogError(CatalogProblem(self._file, *_place(event), message))


def _place(event: Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
