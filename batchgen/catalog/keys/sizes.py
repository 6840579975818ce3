"""Keys that take a width and a height in pixels, or a name for both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

from batchgen.catalog.keys.key import Fault, Key, Place, not_among, respelled, shown

_WIDTH_HEIGHT = re.compile(r"([1-9][0-9]{0,4})\*([1-9][0-9]{0,4})")


class Size(Key):
    """Width and height in pixels (``1280*720``), one of a list; each belongs to a price tier."""

    raw_text = True
    type: Literal["size"]
    at: Place = Place.PARAMETERS
    tiers: Mapping[str, tuple[str, ...]]
    default: str | None = None

    @cached_property
    def _tier_of(self) -> Mapping[object, str]:
        return {size: tier for tier, sizes in self.tiers.items() for size in sizes}

    @cached_property
    def sizes(self) -> tuple[str, ...]:
        return tuple(size for sizes in self.tiers.values() for size in sizes)

    def faults(self, value: object) -> Iterator[Fault]:
        if not (isinstance(value, str) and value in self._tier_of):
            yield from not_among(self.sizes, value)

    def tier(self, value: object) -> str | None:
        return self._tier_of[value]

    def describe(self) -> str:
        return ", ".join(self.sizes)

    def json_schema(self) -> dict[str, Any]:
        return {"enum": list(self.sizes)}


class Pixels(Key):
    """Width and height in pixels (``1280*1280``), free within bounds of area, side and ratio."""

    raw_text = True
    type: Literal["pixels"]
    at: Place = Place.PARAMETERS
    min_side: int = 1
    max_side: int | None = None
    min_area: int = 1
    max_area: int | None = None
    max_ratio: float | None = None
    """Of the long side to the short one."""
    names: tuple[str, ...] = ()
    """Sizes that go by a name (``2K``)."""
    besides: tuple[str, ...] = ()
    """Sizes that the reference recommends although they break the bounds it states."""
    default: str | None = None

    def faults(self, value: object) -> Iterator[Fault]:
        if value in self.besides or value in self.names:
            return
        examples = (self.default, *self.names, *self.besides)
        hint = f"for example {', '.join(dict.fromkeys(filter(None, examples)))}"
        sides = _WIDTH_HEIGHT.fullmatch(value) if isinstance(value, str) else None
        if sides is None:
            yield self._misspelt(value, hint)
        elif broken := self._broken_bound(*map(int, sides.groups())):
            yield Fault(f"{broken}, not {value}", hint)

    def _misspelt(self, value: object, hint: str) -> Fault:
        meant = respelled(value)
        if _WIDTH_HEIGHT.fullmatch(meant):
            hint = f"write {meant}"
        elif meant.upper() in self.names:
            hint = f"write {meant.upper()}"
        named = "".join(f"{name}, " for name in self.names)
        return Fault(
            f"must be {named}{'or ' * bool(named)}WIDTH*HEIGHT in pixels, not {shown(value)}", hint
        )

    def _broken_bound(self, width: int, height: int) -> str | None:
        short, long = sorted((width, height))
        area = width * height
        if short < self.min_side or (self.max_side is not None and long > self.max_side):
            return f"must have sides from {self.min_side} to {self.max_side} pixels"
        if area < self.min_area or (self.max_area is not None and area > self.max_area):
            return f"must have from {self.min_area:,} to {self.max_area:,} pixels in all"
        if self.max_ratio is not None and long > self.max_ratio * short:
            return f"must be at most {self.max_ratio:g} times as long as it is wide or high"
        return None

    def describe(self) -> str:
        words = [*self.names]
        if self.max_side is not None:
            words.append(f"WIDTH*HEIGHT with sides of {self.min_side} to {self.max_side}")
        if self.max_area is not None:
            words.append(f"WIDTH*HEIGHT with {self.min_area:,} to {self.max_area:,} pixels in all")
        return ", ".join(words)

    def json_schema(self) -> dict[str, Any]:
        pixels = {
            "type": "string",
            "pattern": f"^{_WIDTH_HEIGHT.pattern}$",
            "description": self.describe(),
        }
        return {"anyOf": [{"enum": list(self.names)}, pixels]} if self.names else pixels
