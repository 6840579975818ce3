"""What a model makes of `size`, `resolution` and `ratio`.

A geometry answers one question: which frame does this request get? A request outside the model's
set is a `Flaw`: the service accepts it and fails the task a moment later.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, sqrt
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Discriminator
from pydantic.dataclasses import dataclass

from batchgen.sandbox.models.flaw import invalid
from batchgen.sandbox.models.media import CHECKED

TIER_PIXELS = {"480P": 832 * 480, "720P": 1280 * 720, "1080P": 1920 * 1080}

Tier = Literal["480P", "720P", "1080P"]

SIZES = {
    "480P": ("832*480", "480*832", "624*624"),
    "720P": ("1280*720", "720*1280", "960*960", "1088*832", "832*1088"),
    "1080P": ("1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632"),
}
"""`size` by tier (Text-to-video API reference, 2026-01)."""

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
`SIZES`."""

SCALES = ("left_scale", "right_scale", "top_scale", "bottom_scale")
"""How far a picture grows on each side, 1.0 to 2.0 (General image editing; General video editing
API reference, 2026)."""

LONGEST_SIZE = len("99999*99999")

MOST_SIDE = 4096
"""Of anything grown or enlarged, in pixels; no page states it (*chosen*)."""

ADAPTIVE = "adaptive"
"""The ratio of the shape that a medium lends."""

Pixels = tuple[int, int]


class Frame(NamedTuple):
    """Pixels of the result; `tier` is the billed resolution ("" for images), `ratio` as usage
    reports it.
    """

    width: int
    height: int
    tier: str
    ratio: str


def pixels(size: object) -> Pixels:
    """`"1280*720"` as numbers; the service knows no other spelling."""
    match str(size).split("*"):
        case [width, height] if (
            width.isdecimal() and height.isdecimal() and len(str(size)) <= LONGEST_SIZE
        ):
            return int(width), int(height)
    raise invalid(f"The size is not match the format width*height: {str(size)[:40]}")


def fit(area: int, width: int, height: int) -> Pixels:
    """The frame of about `area` pixels with the shape of width by height, in whole blocks of 16."""
    scale = sqrt(area / (width * height))
    return max(16, round(width * scale / 16) * 16), max(16, round(height * scale / 16) * 16)


def grown(shape: Pixels, parameters: Mapping[str, Any]) -> Pixels:
    """The shape with what the four scales add on its sides."""
    left, right, top, bottom = (float(parameters.get(scale) or 1.0) for scale in SCALES)
    return _even(shape[0] * (left + right - 1), shape[1] * (top + bottom - 1))


def _even(width: float, height: float) -> Pixels:
    scale = min(1.0, MOST_SIDE / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


@dataclass(frozen=True, slots=True, config=CHECKED)
class SizeList:
    """`size` from a closed list, which names the tier as well."""

    kind: Literal["sizes"]
    tiers: tuple[Tier, ...]
    default: str

    def frame(self, parameters: Mapping[str, Any], _: Pixels | None) -> Frame:
        size = parameters.get("size") or self.default
        for tier in self.tiers:
            if size in SIZES[tier]:
                return Frame(*pixels(size), tier, "")
        raise invalid(f"The size is not match the model: {str(size)[:40]}")


@dataclass(frozen=True, slots=True, config=CHECKED)
class Tiers:
    """`resolution` with an optional `ratio`; a given picture or video lends its shape where no
    ratio is asked.
    """

    kind: Literal["tiers"]
    tiers: tuple[Tier, ...]
    default: Tier
    ratios: tuple[str, ...] = ()
    default_ratio: str = ADAPTIVE
    shape_wins: bool = False
    """The ratio asked for is ignored where a medium lends its shape."""
    grows: bool = False
    """The shape grows by the four scales."""

    def frame(self, parameters: Mapping[str, Any], shape: Pixels | None) -> Frame:
        tier = parameters.get("resolution") or self.default
        if tier not in self.tiers:
            raise invalid(f"resolution must be one of {', '.join(self.tiers)}")
        if shape and self.grows:
            shape = grown(shape, parameters)
        ratio = self._ratio(parameters, shape)
        width, height = RATIO_SIZES.get((tier, ratio)) or self._fitted(tier, ratio)
        return Frame(width, height, tier, ratio)

    def _ratio(self, parameters: Mapping[str, Any], shape: Pixels | None) -> str:
        asked = parameters.get("ratio") if self.ratios else None
        if asked and asked not in self.ratios:
            raise invalid(f"ratio must be one of {', '.join(self.ratios)}")
        ratio = asked or self.default_ratio
        if ratio != ADAPTIVE and not (shape and self.shape_wins):
            return str(ratio)
        width, height = shape or (16, 9)
        return f"{width // gcd(width, height)}:{height // gcd(width, height)}"

    @staticmethod
    def _fitted(tier: str, ratio: str) -> Pixels:
        width, height = map(int, ratio.split(":"))
        return fit(TIER_PIXELS[tier], width, height)


@dataclass(frozen=True, slots=True, config=CHECKED)
class ImageSize:
    """`size` of an image model: W*H in bounds, or a name such as `2K` (the side of a square)."""

    kind: Literal["area"]
    default: str
    area: tuple[int, int]
    sides: tuple[int, int] = (1, 1 << 20)
    ratio: int = 4
    names: tuple[tuple[str, int], ...] = ()
    besides: tuple[str, ...] = ()
    """Sizes that the page recommends although they break the bounds it states."""

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """None: images are not billed by size."""
        return ()

    def frame(self, parameters: Mapping[str, Any], shape: Pixels | None) -> Frame:
        size = parameters.get("size") or self.default
        side = dict(self.names).get(str(size))
        if side is not None:
            return Frame(*fit(side * side, *(shape or (1, 1))), "", "")
        width, height = pixels(size)
        if size not in self.besides and not self._fits(width, height):
            raise invalid(f"The size is not match the model: {width}*{height}")
        return Frame(width, height, "", "")

    def _fits(self, width: int, height: int) -> bool:
        short, long = sorted((width, height))
        return (
            self.sides[0] <= short
            and long <= self.sides[1]
            and self.area[0] <= width * height <= self.area[1]
            and long <= short * self.ratio
        )


@dataclass(frozen=True, slots=True, config=CHECKED)
class AsGiven:
    """The size of the given picture, grown by the four scales or enlarged by a parameter."""

    kind: Literal["as given"]
    grows: bool = False
    enlarges: str = ""
    """The parameter that holds the factor."""

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """None: images are not billed by size."""
        return ()

    def frame(self, parameters: Mapping[str, Any], shape: Pixels | None) -> Frame:
        width, height = shape or (1024, 1024)
        if self.grows:
            width, height = grown((width, height), parameters)
        factor = parameters.get(self.enlarges) or 1
        return Frame(*_even(width * factor, height * factor), "", "")


AnyGeometry = Annotated[SizeList | Tiers | ImageSize | AsGiven, Discriminator("kind")]
