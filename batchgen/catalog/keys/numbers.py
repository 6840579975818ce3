"""Keys that take numbers and switches.

Nothing is converted: a silent conversion is a guess about what somebody pays for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from batchgen.catalog.keys.key import Fault, Key, Place, either, shown


class Integer(Key):
    """A whole number within bounds, both included."""

    raw_text = False
    type: Literal["integer"]
    at: Place = Place.PARAMETERS
    minimum: int
    maximum: int
    besides: Mapping[int, str] = {}
    """Numbers outside of the bounds that have a meaning of their own, and the meaning."""
    default: int | None = None

    def faults(self, value: object) -> Iterator[Fault]:
        if type(value) is not int:
            yield _not_whole(value)
        elif not self.minimum <= value <= self.maximum and value not in self.besides:
            besides = "".join(f", or {number} ({means})" for number, means in self.besides.items())
            bounds = f"from {self.minimum} to {self.maximum}"
            if self.minimum == self.maximum:
                bounds = str(self.minimum)
            yield Fault(f"must be {bounds}{besides}, not {shown(value)}")

    def describe(self) -> str:
        besides = "".join(f", or {number} ({means})" for number, means in self.besides.items())
        return f"{self.minimum} to {self.maximum}{besides}"

    def json_schema(self) -> dict[str, Any]:
        bounds = {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}
        if self.besides:
            return {"anyOf": [bounds, {"enum": list(self.besides)}]}
        return bounds


class Steps(Key):
    """One of a few whole numbers."""

    raw_text = False
    type: Literal["steps"]
    at: Place = Place.PARAMETERS
    one_of: tuple[int, ...]
    default: int | None = None

    def faults(self, value: object) -> Iterator[Fault]:
        if type(value) is not int:
            yield _not_whole(value)
        elif value not in self.one_of:
            yield Fault(f"must be {either(self.one_of)}, not {shown(value)}")

    def describe(self) -> str:
        return ", ".join(map(str, self.one_of))

    def json_schema(self) -> dict[str, Any]:
        return {"enum": list(self.one_of)}


class Number(Key):
    """A number within bounds, both included."""

    raw_text = False
    type: Literal["number"]
    at: Place = Place.PARAMETERS
    minimum: float
    maximum: float
    default: float | None = None

    def faults(self, value: object) -> Iterator[Fault]:
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            yield Fault(f"must be a number, not {shown(value)}")
        elif not self.minimum <= value <= self.maximum:
            yield Fault(f"must be from {self.minimum:g} to {self.maximum:g}, not {shown(value)}")

    def describe(self) -> str:
        return f"{self.minimum:.1f} to {self.maximum:.1f}"

    def json_schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": self.minimum, "maximum": self.maximum}


class Switch(Key):
    """True or false."""

    raw_text = False
    type: Literal["switch"]
    at: Place = Place.PARAMETERS
    default: bool | None = None

    def faults(self, value: object) -> Iterator[Fault]:
        if not isinstance(value, bool):
            hint = "write it without quotes" if value in ("true", "false") else None
            yield Fault(f"must be true or false, not {shown(value)}", hint)

    def describe(self) -> str:
        return "true or false"

    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


def _not_whole(value: object) -> Fault:
    hint = None
    if isinstance(value, float) and value.is_integer():
        hint = f"write {value:.0f}"
    elif isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}", value):
        hint = f"write {value} without quotes"
    return Fault(f"must be a whole number, not {shown(value)}", hint)
