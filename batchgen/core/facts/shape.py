"""What makes a class a fact: a frozen dataclass, made fast. See ``facts``.

Most of the time that a dataclass takes to be made goes into writing its methods. The many kinds of
fact share those that compare and show them, so that a command line starts a little sooner.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar, dataclass_transform

Kind = TypeVar("Kind", bound=type)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def fact(kind: Kind) -> Kind:
    """A frozen dataclass with keywords alone; equal are those of one kind with equal fields."""
    kind.__eq__ = _is_equal  # type: ignore[method-assign, assignment]
    kind.__hash__ = _hash  # type: ignore[method-assign, assignment]
    kind.__repr__ = _show  # type: ignore[method-assign, assignment]
    made = dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
    return made(kind)  # type: ignore[return-value]


def _is_equal(one: Any, other: object) -> bool:
    return type(one) is type(other) and _values(one) == _values(other)


def _hash(one: Any) -> int:
    return hash((type(one), _values(one)))


def _show(one: Any) -> str:
    told = ", ".join(f"{field.name}={getattr(one, field.name)!r}" for field in fields(one))
    return f"{type(one).__name__}({told})"


def _values(one: Any) -> tuple[object, ...]:
    return tuple(getattr(one, field.name) for field in fields(one))
