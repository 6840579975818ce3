"""Keys that point into pictures: boxes drawn on them, and the colours of the result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

from batchgen.catalog.keys.key import Fault, Key, Place, shown

_HEX = re.compile(r"#[0-9A-Fa-f]{6}")
_SHARE = re.compile(r"(100|[0-9]{1,2})\.[0-9]{2}%")
_CORNERS = 4


class Boxes(Key):
    """A list of boxes for each picture: ``[x1, y1, x2, y2]`` in its pixels, from the top left."""

    raw_text = False
    type: Literal["boxes"]
    at: Place = Place.PARAMETERS
    along: str
    """The key that holds the pictures; one that needs no box has an empty list."""
    max_each: int
    default: None = None

    def faults(self, value: object) -> Iterator[Fault]:
        if not isinstance(value, list | tuple) or not value:
            yield Fault(f"must be a list with a list of boxes for each picture, not {shown(value)}")
            return
        for index, boxes in enumerate(value):
            yield from self._faults_of_picture(index, boxes)

    def _faults_of_picture(self, index: int, boxes: object) -> Iterator[Fault]:
        if not isinstance(boxes, list | tuple):
            yield Fault(f"must be a list of boxes, not {shown(boxes)}", "[] for none", (index,))
            return
        if len(boxes) > self.max_each:
            yield Fault(
                f"must hold {self.max_each} boxes at most, not {len(boxes)}", None, (index,)
            )
        for number, box in enumerate(boxes):
            if not _is_box(box):
                message = f"must be [x1, y1, x2, y2] in pixels, not {shown(box)}"
                yield Fault(message, "from its top left to its bottom right", (index, number))

    def describe(self) -> str:
        return f"for each of {self.along} a list of 0 to {self.max_each} boxes [x1, y1, x2, y2]"

    def json_schema(self) -> dict[str, Any]:
        corner = {"type": "integer", "minimum": 0}
        box = {"type": "array", "items": corner, "minItems": _CORNERS, "maxItems": _CORNERS}
        boxes = {"type": "array", "items": box, "maxItems": self.max_each}
        return {"type": "array", "items": boxes, "minItems": 1}


class Palette(Key):
    """Colours with their shares of the picture, which add up to the whole."""

    raw_text = False
    type: Literal["palette"]
    at: Place = Place.PARAMETERS
    minimum: int
    maximum: int
    default: None = None

    def faults(self, value: object) -> Iterator[Fault]:
        if not isinstance(value, list | tuple) or not self.minimum <= len(value) <= self.maximum:
            yield Fault(f"must be {self.describe()}, not {shown(value)}")
            return
        wrong = [index for index, colour in enumerate(value) if not _is_colour(colour)]
        for index in wrong:
            message = f'must be {{hex: "#C2D1E6", ratio: "23.51%"}}, not {shown(value[index])}'
            yield Fault(message, None, (index,))
        if wrong:
            return
        whole = sum(Decimal(colour["ratio"].rstrip("%")) for colour in value)
        if whole != 100:  # noqa: PLR2004  # per cent
            yield Fault(f"must have ratios that add up to 100.00%, not {whole}%")

    def describe(self) -> str:
        return f"a list of {self.minimum} to {self.maximum} colours with their ratios"

    def json_schema(self) -> dict[str, Any]:
        colour = {
            "type": "object",
            "properties": {
                "hex": {"type": "string", "pattern": f"^{_HEX.pattern}$"},
                "ratio": {"type": "string", "pattern": f"^{_SHARE.pattern}$"},
            },
            "required": ["hex", "ratio"],
            "additionalProperties": False,
        }
        return {
            "type": "array",
            "items": colour,
            "minItems": self.minimum,
            "maxItems": self.maximum,
        }


def _is_box(box: object) -> bool:
    if not isinstance(box, list | tuple) or len(box) != _CORNERS:
        return False
    if not all(type(corner) is int and corner >= 0 for corner in box):
        return False
    left, top, right, bottom = box
    return bool(left < right and top < bottom)


def _is_colour(colour: object) -> bool:
    return (
        isinstance(colour, dict)
        and colour.keys() == {"hex", "ratio"}
        and all(isinstance(word, str) for word in colour.values())
        and _HEX.fullmatch(colour["hex"]) is not None
        and _SHARE.fullmatch(colour["ratio"]) is not None
    )
