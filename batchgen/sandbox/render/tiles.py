"""The inputs of a request as a strip of tiles, each with its name and where it came from.

Pictures and videos keep their shapes; a sound is drawn as its level over time; a document, a link
and whatever was not fetched say what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw

from batchgen.sandbox.orders import Input, InputKind
from batchgen.sandbox.render.pictures import covering
from batchgen.sandbox.render.sound import levels
from batchgen.sandbox.render.typeface import typeface

INK = (255, 255, 255)
PAPER = (24, 26, 32)
PLATE = (14, 16, 22, 170)
"""Behind a tile and its caption, so that both can be read over any picture."""

QUIET = (198, 202, 210)
ACCENT = (240, 190, 92)

SHAPES = {InputKind.AUDIO: 2.2, InputKind.DOCUMENT: 0.8}
"""Width by height of what has no shape of its own."""

LEAST_SHAPE, MOST_SHAPE = 0.62, 2.2

LETTERS = 5.2
"""Least width of a tile by the size of its type: `Image 10` is not cut."""

SCALES = (1.0, 0.85, 0.72, 0.6, 0.5, 0.42, 0.35, 0.28, 0.22)


@dataclass(frozen=True, slots=True)
class _Measures:
    """Pixels: the type's size, the space around things, a caption of two lines."""

    type: int
    gap: int

    @property
    def caption(self) -> int:
        return round(2.6 * self.type) + self.gap


_Row = list[tuple[Input, int]]
"""Inputs and the widths of their tiles."""


def strip(
    inputs: tuple[Input, ...], folder: Path, room: tuple[int, int], unit: float
) -> Image.Image | None:
    """At most as large as `room` (pixels), in RGBA; None when there is nothing to show.

    `unit` is a hundredth of the frame's shorter side.
    """
    if not inputs:
        return None
    measures = _Measures(max(10, round(2.4 * unit)), max(4, round(1.6 * unit)))
    height, rows = _planned(inputs, room, round(24 * unit), measures)
    below = height + measures.caption + measures.gap
    image = Image.new("RGBA", (room[0], below * len(rows)))
    for row, tiles in enumerate(rows):
        starts = accumulate((width + measures.gap for _, width in tiles), initial=0)
        for (one, width), left in zip(tiles, starts, strict=False):
            tile = _tile(one, folder, (width, height), measures)
            image.paste(tile, (left, row * below))
    return image


def _planned(
    inputs: tuple[Input, ...], room: tuple[int, int], height: int, measures: _Measures
) -> tuple[int, list[_Row]]:
    """The height of the largest tiles of which all rows fit, and the rows; in the smallest, as many
    as fit.
    """
    below = measures.caption + measures.gap
    for scale in SCALES:
        high = max(16, min(round(height * scale), room[1] - below))
        rows = _rows(inputs, room[0], high, measures)
        fitting = max(1, room[1] // (high + below))
        if len(rows) <= fitting:
            break
    return high, rows[:fitting]


def _rows(inputs: tuple[Input, ...], width: int, height: int, measures: _Measures) -> list[_Row]:
    rows: list[_Row] = [[]]
    used = 0
    for one in inputs:
        wide = min(width, max(round(height * _shape(one)), round(LETTERS * measures.type)))
        if rows[-1] and used + wide > width:
            rows.append([])
            used = 0
        rows[-1].append((one, wide))
        used += wide + measures.gap
    return rows


def _shape(one: Input) -> float:
    if one.width and one.height:
        return min(max(one.width / one.height, LEAST_SHAPE), MOST_SHAPE)
    return SHAPES.get(one.kind, 1.4)


def _tile(one: Input, folder: Path, size: tuple[int, int], measures: _Measures) -> Image.Image:
    """What was given, above its caption, on one plate."""
    width, height = size
    whole = (width, height + measures.caption)
    tile = Image.new("RGBA", whole, PLATE)
    tile.paste(_face(one, folder, size), (0, 0))
    _caption(
        ImageDraw.Draw(tile),
        one,
        (measures.gap // 2, height + measures.gap // 2),
        tile.width - measures.gap,
        measures.type,
    )
    alpha = ImageChops.multiply(tile.getchannel("A"), _corners(whole, measures.gap))
    tile.putalpha(alpha)
    return tile


def _corners(size: tuple[int, int], radius: int) -> Image.Image:
    """Rounded, drawn at double size so that they are smooth."""
    width, height = size
    mask = Image.new("L", (2 * width, 2 * height))
    box = (0, 0, 2 * width - 1, 2 * height - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, 2 * radius, fill=255)
    return mask.resize(size, Image.Resampling.BOX)


def _face(one: Input, folder: Path, size: tuple[int, int]) -> Image.Image:
    match one.kind:
        case _ if not one.digest:
            return _labelled(_sort(one), size, "not fetched")
        case InputKind.IMAGE:
            return covering(folder / one.digest, one.kind, size)
        case InputKind.VIDEO:
            return _played(covering(folder / one.digest, one.kind, size).copy())
        case InputKind.AUDIO:
            return _wave(levels(folder / one.digest), size)
    return _labelled(_sort(one), size, "")


def _sort(one: Input) -> str:
    """`PDF` for a document with such a name, else what it is."""
    _, dot, ending = _basename(one.source).rpartition(".")
    short = dot and len(ending) <= 5 and one.kind is InputKind.DOCUMENT  # noqa: PLR2004
    return ending.upper() if short else one.kind.upper()


def _labelled(title: str, size: tuple[int, int], remark: str) -> Image.Image:
    image = Image.new("RGB", size, PAPER)
    draw, face = ImageDraw.Draw(image), typeface()
    middle, small = size[0] / 2, max(8, round(size[1] * 0.11))
    large = max(9, min(round(size[1] * 0.2), round(size[0] * 0.2)))
    draw.text((middle, size[1] * 0.46), title, ACCENT, face.at(large), anchor="mm")
    if face.at(small).getlength(remark) < size[0]:
        draw.text((middle, size[1] * 0.7), remark, QUIET, face.at(small), anchor="mm")
    return image


def _played(image: Image.Image) -> Image.Image:
    """A triangle in a disc, the sign of something that plays."""
    r = min(image.size) * 0.17
    x, y = image.width / 2, image.height / 2
    sign = Image.new("L", image.size)
    draw = ImageDraw.Draw(sign)
    draw.ellipse((x - r, y - r, x + r, y + r), fill=120)
    image.paste((0, 0, 0), (0, 0), sign)
    triangle = ((x - 0.35 * r, y - 0.52 * r), (x + 0.6 * r, y), (x - 0.35 * r, y + 0.52 * r))
    ImageDraw.Draw(image).polygon(triangle, INK)
    return image


def _wave(heights: list[float], size: tuple[int, int]) -> Image.Image:
    """A bar per stretch of time, as high as the sound is loud in it."""
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    step, middle = size[0] / (len(heights) + 2), size[1] / 2
    for place, height in enumerate(heights, 1):
        reach = max(1.0, 0.4 * size[1] * height)
        bar = ((place + 0.2) * step, middle - reach, (place + 0.8) * step, middle + reach)
        draw.rectangle(bar, ACCENT)
    return image


def _caption(
    draw: ImageDraw.ImageDraw, one: Input, corner: tuple[int, int], width: int, size: int
) -> None:
    """What the prompt calls it, and the file's name; of what is elsewhere, the whole address."""
    x, y = corner
    face, seconds = typeface(), f"  {one.seconds:.1f} s" if one.seconds else ""
    title = (one.name or one.role.replace("_", " ")) + seconds
    draw.text((x, y), face.cut(title, size, width), INK, face.at(size))
    source = face.readable(_basename(one.source) if one.digest else one.source)[0]
    draw.text((x, y + 1.3 * size), face.cut(source, size, width), QUIET, face.at(size))


def _basename(source: str) -> str:
    return source.rstrip("/").rpartition("/")[2][-80:]
