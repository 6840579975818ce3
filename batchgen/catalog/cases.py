"""What a model takes depends on what a job says: the cases, and the terms that follow from them.

A model's ``keys`` hold for every job. A *case* holds for those jobs whose values meet its
conditions, and changes some keys: what it says of a key is laid over what the key says of itself,
and a key that is null in the case is not taken there. So "takes no ratio with a first frame",
"n is 1 when interleaving" and "the function decides which inputs are needed" are one mechanism.

Rules:

- A condition reads the job's own value or, where there is none, the key's default; never what
  another case makes of it. So cases do not chain, and their order does not decide which hold.
- Cases that hold together are laid one over the other in the order of the data. A key that one of
  them refuses stays refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

from pydantic import TypeAdapter, model_validator

from batchgen.catalog.data import Data
from batchgen.catalog.keys import AnyKey, Key, Parameter
from batchgen.catalog.keys.key import either


class Condition(Data):
    """What a key's value must be for a case to hold. In the data a plain value stands for itself,
    and a list for one of its items.
    """

    one_of: tuple[bool | int | str, ...] = ()
    none_of: tuple[bool | int | str, ...] = ()
    given: bool | None = None
    """Whether the job must give the key, or must not."""
    holds: tuple[str, ...] = ()
    """Types of media, one of which must stand in the list."""

    @model_validator(mode="before")
    @classmethod
    def _from_plain(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            return data
        return {"one_of": data if isinstance(data, list | tuple) else [data]}

    def is_met(self, value: object) -> bool:
        if self.given is not None:
            return (value is not None) == self.given
        if self.holds:
            items = value if isinstance(value, list | tuple) else ()
            return any(
                isinstance(item, Mapping) and item.get("type") in self.holds for item in items
            )
        options = self.none_of or self.one_of
        # As equal as in JSON: true is not 1.
        is_one = value in options and any(
            type(value) is type(option) and value == option for option in options
        )
        return value is not None and is_one != bool(self.none_of)

    def phrase(self, key: str) -> str:
        if self.given is not None:
            return f"{'with' if self.given else 'without'} {key}"
        if self.holds:
            return f"with {either(self.holds)} in {key}"
        options = either([_spelled(option) for option in self.none_of or self.one_of])
        return f"{'unless' if self.none_of else 'when'} {key} is {options}"


class Case(Data):
    """What is different for the jobs that meet all of its conditions; without any, for all jobs."""

    when: Mapping[str, Condition] = {}
    keys: Mapping[str, Mapping[str, Any] | None] = {}
    """What is laid over a key; with a ``type`` it replaces the key, null refuses it."""
    any_of: tuple[str, ...] = ()
    """Keys of which the job must give one."""
    why: str | None = None
    """What would become of a key that is refused, or is missing."""

    def holds(self, values: Mapping[str, object], defaults: Mapping[str, object]) -> bool:
        for key, condition in self.when.items():
            value = values.get(key)
            if not condition.is_met(defaults.get(key) if value is None else value):
                return False
        return True

    @cached_property
    def phrase(self) -> str:
        """The case in words that follow "<model> does not take <key>"; empty: always."""
        return " and ".join(condition.phrase(key) for key, condition in self.when.items())


_MOST_TOGETHER = 64


def together(cases: Sequence[Case]) -> tuple[tuple[Case, ...], ...]:
    """Every choice of the cases that may hold together, the empty one first.

    Raises ValueError where there are too many to look at.
    """
    chosen: tuple[tuple[Case, ...], ...] = ((),)
    for case in cases:
        with_it = [(*some, case) for some in chosen if all(_agree(one, case) for one in some)]
        chosen += tuple(with_it)
        if len(chosen) > _MOST_TOGETHER:
            raise ValueError("too many cases that change one key may hold together")
    return chosen


def _agree(one: Case, other: Case) -> bool:
    """Whether some job meets the conditions of both."""
    return all(
        any(condition.is_met(value) and other.when[key].is_met(value) for value in values)
        for key, condition in one.when.items()
        if key in other.when
        for values in [_telling(condition, other.when[key])]
    )


def _telling(*conditions: Condition) -> list[object]:
    """Values that tell these conditions apart: no other one meets both where none of these does."""
    words = [word for one in conditions for word in (*one.one_of, *one.none_of)]
    types = [name for one in conditions for name in one.holds]
    return [None, object(), *words, [{"type": name} for name in types]]


class Choices(NamedTuple):
    """Keys of which one must be given, and the case that says so."""

    keys: tuple[str, ...]
    case: Case


@dataclass(frozen=True)
class Terms:
    """What a model takes from one job."""

    keys: Mapping[str, Key]
    changed: Mapping[str, Case]
    """The keys that are not as the model has them, with the last case that changed each."""
    refused: Mapping[str, Case]
    choices: tuple[Choices, ...]

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        return defaults_of(self.keys)

    @cached_property
    def required(self) -> tuple[str, ...]:
        return tuple(key for key, takes in self.keys.items() if takes.required)


def defaults_of(keys: Mapping[str, Key]) -> dict[str, Any]:
    """What a job that does not say otherwise asks for."""
    return {
        key: takes.default
        for key, takes in keys.items()
        if isinstance(takes, Parameter) and takes.default is not None
    }


def settle(keys: Mapping[str, Key], cases: Sequence[Case]) -> Terms:
    """Lay the cases over the keys. Raises ValueError where the result makes no sense."""
    settled = dict(keys)
    changed: dict[str, Case] = {}
    refused: dict[str, Case] = {}
    for case in cases:
        for key, overlay in case.keys.items():
            if key not in keys:
                raise ValueError(f"a case speaks of {key}, which is no key of the model")
            if overlay is None:
                settled.pop(key, None)
                refused.setdefault(key, case)
            elif key in settled:
                settled[key] = _laid_over(settled[key], overlay)
                changed[key] = case
    choices = tuple(Choices(case.any_of, case) for case in cases if case.any_of)
    return Terms(settled, changed, refused, choices)


def _laid_over(takes: Key, overlay: Mapping[str, Any]) -> Key:
    if "type" in overlay:
        return _reader().validate_python(overlay)
    return _reader().validate_python({**takes.model_dump(exclude_unset=True), **overlay})


@cache
def _reader() -> TypeAdapter[Key]:
    return TypeAdapter(AnyKey)


def _spelled(option: bool | int | str) -> str:
    return str(option).lower() if isinstance(option, bool) else str(option)
