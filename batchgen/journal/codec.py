"""Turns a fact into columns and back, exactly.

Rules of this file:

* What the journal is searched by (moment, account, job, attempt) has columns; the other fields are
  one JSON object, the body.
* Reading is strict: a kind, a field or a type that is not in ``facts`` is refused and never
  guessed at, for what a fact says may be money. A field that has a default was added later, and may
  be missing in what was written before.
* A number comes back as the number it was: JSON writes the shortest text that reads back the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from math import isfinite
from types import UnionType
from typing import Any, NamedTuple, NoReturn, get_args, get_origin, get_type_hints

from batchgen.core.facts import Fact, Kinds, Need, ResultRef

_COLUMNS = frozenset({"at", "account", "job", "attempt"})


class Unreadable(Exception):
    """Columns that are no fact known here; the text says why."""


class Columns(NamedTuple):
    """A fact as the journal keeps it."""

    at: float
    subject: str
    kind: str
    job: str | None
    attempt: int | None
    account: str
    body: str


def encode(fact: Fact) -> Columns:
    """Turn a fact into its columns.

    Raises ValueError for a number that is not finite, and TypeError for what JSON cannot say.
    """
    kind = type(fact).__name__
    if not isfinite(fact.at):
        raise ValueError(f"{kind}.at is not finite")
    return Columns(
        # Adding zero turns -0.0 into 0.0: SQLite keeps whole numbers as integers, without a sign.
        at=float(fact.at) + 0.0,
        subject=fact.subject,
        kind=kind,
        job=getattr(fact, "job", None),
        attempt=getattr(fact, "attempt", None),
        account=fact.account,
        body=dump({name: getattr(fact, name) for name in _SHAPES[kind].body}),
    )


def decode(columns: Columns) -> Fact:
    """Turn columns into the fact they were made of; Unreadable where they are none."""
    if columns.kind not in Kinds.by_name:
        raise Unreadable(f"the kind {columns.kind!r} is unknown")
    shape = _SHAPES[columns.kind]
    values = load(columns.body)
    values["at"] = columns.at
    values["account"] = columns.account
    if columns.job is not None:
        values["job"] = columns.job
    if columns.attempt is not None:
        values["attempt"] = columns.attempt
    fact: Fact = shape.build(values)
    if fact.subject != columns.subject:
        raise Unreadable(f"{columns.kind} is filed under another subject")
    return fact


def dump(document: Mapping[str, Any]) -> str:
    """Write a JSON object; ValueError for NaN and infinities, which JSON does not have."""
    text = _ENCODER.encode(document)
    # Readable as it is, so not ensure_ascii; but a lone surrogate (from a file name, say) has no
    # UTF-8 form. Python's backslash replacement of one happens to be its JSON escape.
    return text.encode("utf-8", "backslashreplace").decode()


def load(text: str) -> dict[str, Any]:
    """Read a JSON object; Unreadable for anything else."""
    try:
        document = _DECODER.decode(text)
    except ValueError as error:
        raise Unreadable("the body is no JSON") from error
    if not isinstance(document, dict):
        raise Unreadable("the body is no JSON object")
    return document


def _plain(value: object) -> Any:
    if isinstance(value, Need | ResultRef):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a fact cannot hold a {type(value).__name__}")


def _refuse_constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} is no number")


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
)
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the fields of a dataclass may be when they come from JSON, worked out once."""

    kind: type[Any]
    allowed: Mapping[str, frozenset[type]]
    convert: Mapping[str, Callable[[Any], Any]]
    body: tuple[str, ...]
    required: frozenset[str]

    @classmethod
    def of(cls, kind: type[Any]) -> _Shape:
        types = get_type_hints(kind)
        hints = {field.name: types[field.name] for field in fields(kind)}
        return cls(
            kind=kind,
            allowed={name: _json_types(hint) for name, hint in hints.items()},
            convert={n: _items(hint) for n, hint in hints.items() if get_origin(hint) is tuple},
            body=tuple(name for name in hints if name not in _COLUMNS),
            required=frozenset(field.name for field in fields(kind) if field.default is MISSING),
        )

    def build(self, values: dict[str, Any]) -> Any:
        if odd := (values.keys() - self.allowed.keys()) | (self.required - values.keys()):
            raise Unreadable(f"{self.kind.__name__} has other fields: {', '.join(sorted(odd))}")
        for name, value in values.items():
            if type(value) not in self.allowed[name]:
                raise Unreadable(f"{self.kind.__name__}.{name} is a {type(value).__name__}")
        for name, convert in self.convert.items():
            if name in values:
                values[name] = convert(values[name])
        return self.kind(**values)


def _json_types(hint: Any) -> frozenset[type]:
    """Return what JSON reading yields for an annotation; exact, so that true is not 1."""
    if get_origin(hint) is UnionType:
        return frozenset().union(*map(_json_types, get_args(hint)))
    if hint is float:
        return frozenset({float, int})
    if get_origin(hint) is tuple:
        return frozenset({list})
    if get_origin(hint) is Mapping or is_dataclass(hint):
        return frozenset({dict})
    return frozenset({hint})


def _items(hint: Any) -> Callable[[list[Any]], tuple[Any, ...]]:
    """Return how a JSON list becomes the tuple that an annotation asks for."""
    item: Any = get_args(hint)[0]
    allowed = _json_types(item)
    build = _Shape.of(item).build if item in {Need, ResultRef} else _as_is

    def convert(values: list[Any]) -> tuple[Any, ...]:
        if not allowed.issuperset(map(type, values)):
            raise Unreadable("a list holds something of the wrong type")
        return tuple(map(build, values))

    return convert


def _as_is(value: Any) -> Any:
    return value


class _Shapes(dict[str, _Shape]):
    """Each is worked out when it is asked for: who only looks at a new batch needs none."""

    def __missing__(self, kind: str) -> _Shape:
        self[kind] = _Shape.of(Kinds.by_name[kind])
        return self[kind]


_SHAPES = _Shapes()
