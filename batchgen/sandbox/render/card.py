"""The words of a result and the tiles of its inputs, as one sheet that is laid over its pictures.

A sheet is a picture and a mask: all that does not move is drawn once, however many frames show it.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from batchgen.sandbox.orders import Order
from batchgen.sandbox.render.tiles import strip
from batchgen.sandbox.render.typeface import described, typeface

SHOWN = 900
"""Characters of a prompt that are drawn at most."""

STRIP_SHARE = 0.36
"""Of the frame's height, for tiles at most."""

HEAD = 12
"""Height of the first line with its margins, in hundredths of the frame's shorter side."""

SMALL, LARGE = 3.1, 4.2
"""Type of the notes and of the model's name, in the same hundredths."""


class Card:
    """`place` counts the images of a task from 1, and is 0 for a video."""

    def __init__(self, order: Order, task_id: str, place: int, inputs: Path) -> None:
        self._order = order
        self._task_id = task_id
        self._place = place
        self.size = (order.width, order.height)
        self.unit = min(self.size) / 100
        self.margin = round(6 * self.unit)
        self._small = max(10, round(SMALL * self.unit))
        room = (self.size[0] - 2 * self.margin, round(STRIP_SHARE * self.size[1]))
        self._tiles = strip(order.inputs, inputs, room, self.unit)
        self.ink = Image.new("L", self.size)
        self._write(ImageDraw.Draw(self.ink))
        self.picture, self.mask = self._sheet()

    def _sheet(self) -> tuple[Image.Image, Image.Image]:
        sheet = Image.new("RGBA", self.size)
        sheet.putalpha(_shade(self.size))
        if self._tiles is not None:
            sheet.alpha_composite(self._tiles, (self.margin, self._top))
        white = Image.new("RGBA", self.size, "white")
        white.putalpha(self.ink)
        sheet.alpha_composite(white)
        return sheet.convert("RGB"), sheet.getchannel("A")

    @property
    def _top(self) -> int:
        """Where the tiles begin."""
        return round((HEAD + 2) * self.unit)

    def _write(self, draw: ImageDraw.ImageDraw) -> None:
        large = typeface().at(max(12, round(LARGE * self.unit)))
        draw.text((self.margin, self.margin), self._order.model, 245, large)
        prompt, lacking = typeface().readable(_shortened(self._order.prompt))
        notes = [*self._notes(), described(lacking)]
        lines = [line for note in notes if note for line in self._wrapped(note, self._small)]
        top = self._stack(draw, lines, self._small, self._foot(draw), fill=190)
        rule = top - self._small
        draw.line((self.margin, rule, self.size[0] - self.margin, rule), 110)
        bottom = rule - self._small
        size, text = self._fitted(prompt or "(no prompt)", bottom)
        self._stack(draw, text, size, bottom, fill=255)

    def _foot(self, draw: ImageDraw.ImageDraw) -> float:
        """Where the notes end: above the watermark, which has its corner to itself."""
        bottom = self.size[1] - self.margin
        if not self._order.watermark:
            return bottom
        corner = (self.size[0] - self.margin, bottom)
        draw.text(corner, "AI generated", 220, typeface().at(self._small), anchor="rs")
        return bottom - 1.32 * self._small

    def _notes(self) -> list[str]:
        order = self._order
        return [
            self._facts(),
            "  ·  ".join(word for word in (order.function, order.mode) if word),
            f"job {order.label}" if order.label else "",
            f"sandbox task {self._task_id}",
        ]

    def _facts(self) -> str:
        order = self._order
        facts = [
            f"{order.width} \N{MULTIPLICATION SIGN} {order.height}",
            f"seed {order.seed + max(0, self._place - 1)}",
        ]
        if order.seconds:
            sound = "sound" if order.sound else "silent"
            facts[1:1] = [f"{order.seconds:g} s", f"{order.fps} fps", sound]
        else:
            facts[1:1] = [f"image {self._place} of {order.images}"]
        return "  ·  ".join(facts)

    def _wrapped(self, text: str, size: int) -> list[str]:
        return typeface().wrap(text, size, self.size[0] - 2 * self.margin)

    def _fitted(self, text: str, bottom: float) -> tuple[int, list[str]]:
        """The largest type in which all of the text fits above `bottom`; in the smallest, as much
        as fits.
        """
        above = self._top + self._tiles.height if self._tiles else 0.2 * self.size[1]
        for share in (7.5, 6.5, 5.5, 4.7, 4.0, 3.4, 2.9):
            size = max(11, round(share * self.unit))
            lines = self._wrapped(text, size)
            fitting = max(1, int((bottom - above) // (size * 1.32)))
            if len(lines) <= fitting:
                return size, lines
        return size, [*lines[: fitting - 1], lines[fitting - 1][:-1] + "…"]

    def _stack(
        self, draw: ImageDraw.ImageDraw, lines: list[str], size: int, bottom: float, *, fill: int
    ) -> float:
        """Draw the lines upon each other, the last ending at `bottom`; their top."""
        leading = size * 1.32
        top = bottom - leading * len(lines)
        for place, line in enumerate(lines):
            draw.text((self.margin, top + place * leading), line, fill, typeface().at(size))
        return top


def _shade(size: tuple[int, int]) -> Image.Image:
    """Darker towards the foot, and a little at the head, where the text stands."""
    shade = Image.new("L", (1, 64))
    for y in range(64):
        foot, head = max(0.0, (y / 63 - 0.2) / 0.8), max(0.0, 1 - y / 20)
        shade.putpixel((0, y), round(200 * foot**1.5 + 90 * head**2))
    return shade.resize(size, Image.Resampling.BICUBIC)


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
