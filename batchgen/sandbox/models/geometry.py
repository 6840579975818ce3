"""What a model makes of `size`, `resolution` and `ratio`.

A geometry answers one question: which frame does this request get? A request outside the model's
set is a `Flaw`: the service accepts it and fails the task a moment later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd, sqrt
from typing import Any, NamedTuple, Protocol

TIER_PIXELS = {"480P": 832 * 480, "720P": 1280 * 720, "1080P": 1920 * 1080}

T2V_SIZES = {
    "480P": ("832*480", "480*832", "624*624"),
    "720P": ("1280*720", "720*1280", "960*960", "1088*832", "832*1088"),
    "1080P": ("1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632"),
}
"""Text to video, `size` by tier (Text-to-video API reference, 2026-01)."""

RATIO_SIZES = {
    ("480P", "16:9"): (832, 480),
    ("480P", "9:16"): (480, 832),
    ("480P", "1:1"): (624, 624),
    ("720P", "16:9"): (1280, 720),
    ("720P", "9:16"): (720, 1280),
    ("720P", "1:1"): (960, 960),
    ("720P", "4:3"): (1104, 832),
    ("720P", "3:4"): (832, 1104),
    ("1080P", "16:9"): (1920, 1080),
    ("1080P", "9:16"): (1080, 1920),
    ("1080P", "1:1"): (1440, 1440),
    ("1080P", "4:3"): (1648, 1248),
    ("1080P", "3:4"): (1248, 1648),
}
"""Output pixels by `resolution` and `ratio` (Wan2.7 text-to-video API reference, 2026); 480P as in
`T2V_SIZES`."""


class Flaw(Exception):
    """A request the service accepts and then fails: `code` and `message` stand in the task's
    `output`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Frame(NamedTuple):
    """Pixels of the result; `tier` is the billed resolution ("" for images), `ratio` as usage
    reports it.
    """

    width: int
    height: int
    tier: str
    ratio: str


class Geometry(Protocol):
    def frame(self, parameters: Mapping[str, Any], picture: tuple[int, int] | None, /) -> Frame:
        """Raises Flaw when the request names a frame the model does not make."""
        ...


def pixels(size: object) -> tuple[int, int]:
    """`"1280*720"` as numbers; the service knows no other spelling."""
    match str(size).split("*"):
        case [width, height] if width.isdecimal() and height.isdecimal():
            return int(width), int(height)
    raise Flaw(
        "InvalidParameter", f"The size is not match the format width*height: {str(size)[:40]}"
    )


def fit(area: int, width: int, height: int) -> tuple[int, int]:
    """The frame of about `area` pixels with the shape of width by height, in whole blocks of 16."""
    scale = sqrt(area / (width * height))
    return max(16, round(width * scale / 16) * 16), max(16, round(height * scale / 16) * 16)


@dataclass(frozen=True, slots=True)
class SizeList:
    """`size` from a closed list, which names the tier as well."""

    tiers: tuple[str, ...]
    default: str

    def frame(self, parameters: Mapping[str, Any], _: tuple[int, int] | None) -> Frame:
        size = parameters.get("size") or self.default
        for tier in self.tiers:
            if size in T2V_SIZES[tier]:
                return Frame(*pixels(size), tier, "")
        raise Flaw("InvalidParameter", f"The size is not match the model: {str(size)[:40]}")


@dataclass(frozen=True, slots=True)
class Tiers:
    """`resolution` with an optional `ratio`; a given picture lends its shape where no ratio is
    asked.
    """

    tiers: tuple[str, ...]
    default: str
    ratios: tuple[str, ...] = ()
    default_ratio: str = "adaptive"

    def frame(self, parameters: Mapping[str, Any], picture: tuple[int, int] | None) -> Frame:
        tier = parameters.get("resolution") or self.default
        if tier not in self.tiers:
            raise Flaw("InvalidParameter", f"resolution must be one of {', '.join(self.tiers)}")
        ratio = self._ratio(parameters, picture)
        width, height = RATIO_SIZES.get((tier, ratio)) or self._fitted(tier, ratio)
        return Frame(width, height, tier, ratio)

    def _ratio(self, parameters: Mapping[str, Any], picture: tuple[int, int] | None) -> str:
        asked = parameters.get("ratio") or self.default_ratio if self.ratios else "adaptive"
        if asked != "adaptive" and asked not in self.ratios:
            raise Flaw("InvalidParameter", f"ratio must be one of {', '.join(self.ratios)}")
        if asked != "adaptive":
            return str(asked)
        width, height = picture or (16, 9)
        return f"{width // gcd(width, height)}:{height // gcd(width, height)}"

    @staticmethod
    def _fitted(tier: str, ratio: str) -> tuple[int, int]:
        width, height = map(int, ratio.split(":"))
        return fit(TIER_PIXELS[tier], width, height)


@dataclass(frozen=True, slots=True)
class ImageSize:
    """`size` of an image model: W*H in bounds, or a name such as `2K` (the side of a square)."""

    default: str
    area: tuple[int, int]
    sides: tuple[int, int] = (1, 1 << 20)
    max_ratio: int = 4
    names: tuple[tuple[str, int], ...] = ()

    def frame(self, parameters: Mapping[str, Any], picture: tuple[int, int] | None) -> Frame:
        size = parameters.get("size") or self.default
        side = dict(self.names).get(str(size))
        if side is not None:
            return Frame(*fit(side * side, *(picture or (1, 1))), "", "")
        width, height = pixels(size)
        if not self._fits(width, height):
            raise Flaw("InvalidParameter", f"The size is not match the model: {width}*{height}")
        return Frame(width, height, "", "")

    def _fits(self, width: int, height: int) -> bool:
        short, long = sorted((width, height))
        return (
            self.sides[0] <= short
            and long <= self.sides[1]
            and self.area[0] <= width * height <= self.area[1]
            and long <= short * self.max_ratio
        )
