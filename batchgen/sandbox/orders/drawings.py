"""`bbox_list` and `color_palette`: what a request draws beside its words (Wan image generation and
editing, 2026).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from batchgen.sandbox.models import InputKind, invalid
from batchgen.sandbox.orders.order import Input

MOST_BOXES = 2
COLOURS = (3, 10)

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_SHARE = re.compile(r"(\d{1,3}\.\d{2})%")


def check_drawings(parameters: Mapping[str, Any], inputs: Sequence[Input]) -> None:
    """Raises Flaw."""
    boxes, palette = parameters.get("bbox_list"), parameters.get("color_palette")
    if boxes is not None:
        _check_boxes(boxes, [given for given in inputs if given.kind is InputKind.IMAGE])
    if palette is not None:
        _check_palette(palette)


def _check_boxes(lists: Any, images: Sequence[Input]) -> None:
    if not isinstance(lists, list) or len(lists) != len(images):
        raise invalid(f"bbox_list must hold one list for each of the {len(images)} images")
    for boxes, image in zip(lists, images, strict=True):
        if not isinstance(boxes, list) or len(boxes) > MOST_BOXES:
            raise invalid(f"bbox_list must hold at most {MOST_BOXES} boxes for an image")
        for box in boxes:
            _check_box(box, image)


def _check_box(box: Any, image: Input) -> None:
    right, bottom = image.shape or (1 << 20, 1 << 20)
    match box:
        case [int(x1), int(y1), int(x2), int(y2)] if 0 <= x1 < x2 <= right and (
            0 <= y1 < y2 <= bottom
        ):
            return
    raise invalid("a box of bbox_list must be [x1, y1, x2, y2] in pixels of its image")


def _check_palette(palette: Any) -> None:
    least, most = COLOURS
    if not isinstance(palette, list) or not least <= len(palette) <= most:
        raise invalid(f"color_palette must hold {least} to {most} colors")
    total = 0
    for entry in palette:
        match entry:
            case {"hex": str(colour), "ratio": str(ratio)} if _HEX.fullmatch(colour) and (
                share := _SHARE.fullmatch(ratio)
            ):
                total += round(float(share[1]) * 100)
            case _:
                raise invalid('a color must be {"hex": "#RRGGBB", "ratio": "25.00%"}')
    if total != 10_000:  # noqa: PLR2004 - hundredths of a percent
        raise invalid("the ratios of color_palette must add up to 100.00%")
