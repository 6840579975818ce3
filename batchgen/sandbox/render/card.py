"""What a result looks like: a card that names the request it answers, over a gradient of its own or
the input picture.

Only the light and the dial move. All the rest is drawn once, as ink with a mask, and laid over each
frame.
"""

from __future__ import annotations

from math import cos, pi, sin
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFilter

from batchgen.sandbox.orders import Order
from batchgen.sandbox.render.pictures import covering, gradient
from batchgen.sandbox.render.typeface import described, typeface

SHOWN = 900
"""Characters of a prompt that are drawn at most."""

INK = (255, 255, 255)


class Card:
    """One result's pictures. `place` counts the images of a task from 1, and is 0 for a video."""

    def __init__(self, order: Order, task_id: str, place: int, inputs: Path) -> None:
        self._order = order
        self._task_id = task_id
        self._place = place
        self.size = (order.width, order.height)
        self._unit = min(self.size) / 100
        self._margin = round(6 * self._unit)
        self._rng = Random(f"{order.prompt}|{order.seed + max(0, place - 1)}")  # noqa: S311
        self._ground = self._shaded(self._background(inputs))
        self._text = Image.new("L", self.size)
        self._write(ImageDraw.Draw(self._text))
        self._light = self._glow()
        self._drift = (self._rng.choice((1, 2)), self._rng.uniform(0, 2 * pi))

    def still(self) -> Image.Image:
        return self._composed(self._drift[1] / (2 * pi))

    def frame(self, phase: float) -> Image.Image:
        """The picture at `phase`, 0 to 1 of a second; the last meets the first."""
        image = self._composed(phase)
        self._dial(ImageDraw.Draw(image), phase)
        return image

    def _composed(self, phase: float) -> Image.Image:
        image = self._ground.copy()
        width, height = self.size
        sideways, start = self._drift
        x = width * (0.5 + 0.3 * cos(2 * pi * phase + start))
        y = height * (0.36 + 0.16 * sin(2 * pi * sideways * phase + start))
        corner = (round(x - self._light.width / 2), round(y - self._light.height / 2))
        image.paste((255, 250, 235), corner, self._light)
        box = self._text.getbbox()
        if box is not None:
            image.paste(INK, box, self._text.crop(box))
        return image

    def _background(self, inputs: Path) -> Image.Image:
        picture = self._order.picture
        if picture is not None and picture.digest:
            return covering(inputs / picture.digest, self.size)
        return gradient(self._rng, self.size)

    def _shaded(self, image: Image.Image) -> Image.Image:
        """Darker towards the foot, and a little at the head, where the text stands."""
        shade = Image.new("L", (1, 64))
        for y in range(64):
            foot, head = max(0.0, (y / 63 - 0.2) / 0.8), max(0.0, 1 - y / 20)
            shade.putpixel((0, y), round(200 * foot**1.5 + 90 * head**2))
        image.paste((0, 0, 0), (0, 0), shade.resize(self.size, Image.Resampling.BICUBIC))
        return image

    def _glow(self) -> Image.Image:
        r = round(9 * self._unit)
        glow = Image.new("L", (4 * r, 4 * r))
        ImageDraw.Draw(glow).ellipse((1.35 * r, 1.35 * r, 2.65 * r, 2.65 * r), fill=235)
        return glow.filter(ImageFilter.GaussianBlur(r / 3))

    def _write(self, draw: ImageDraw.ImageDraw) -> None:
        face, small = typeface(), max(10, round(3.1 * self._unit))
        draw.text(
            (self._margin, self._margin),
            self._order.model,
            245,
            face.at(max(12, round(4.2 * self._unit))),
        )
        prompt, lacking = face.readable(_shortened(self._order.prompt))
        notes = [
            self._facts(),
            f"job {self._order.label}" if self._order.label else "",
            f"sandbox task {self._task_id}",
            self._source(),
            described(lacking),
        ]
        lines = [line for note in notes if note for line in self._wrapped(note, small)]
        top = self._stack(draw, lines, small, self.size[1] - self._margin, fill=190)
        draw.line((self._margin, top - small, self.size[0] - self._margin, top - small), 110)
        size, text = self._fitted(prompt or "(no prompt)", top - 2 * small)
        self._stack(draw, text, size, top - 2 * small, fill=255)
        if self._order.watermark:
            font = face.at(small)
            right = self.size[0] - self._margin
            draw.text((right, self.size[1] - self._margin), "AI generated", 220, font, anchor="rs")

    def _facts(self) -> str:
        order = self._order
        facts = [
            f"{order.width} \N{MULTIPLICATION SIGN} {order.height}",
            f"seed {order.seed + max(0, self._place - 1)}",
        ]
        if order.seconds:
            sound = "sound" if order.sound else "silent"
            facts[1:1] = [f"{order.seconds} s", f"{order.fps} fps", sound]
        else:
            facts[1:1] = [f"image {self._place} of {order.images}"]
        return "  ·  ".join(facts)

    def _source(self) -> str:
        picture = self._order.picture
        if picture is None:
            return ""
        known = "" if picture.digest else " (elsewhere, not fetched)"
        return f"from {typeface().readable(picture.source[:120])[0]}{known}"

    def _wrapped(self, text: str, size: int) -> list[str]:
        return typeface().wrap(text, size, self.size[0] - 2 * self._margin)

    def _fitted(self, text: str, bottom: float) -> tuple[int, list[str]]:
        """The largest type in which all of the text fits above `bottom`; in the smallest, as much
        as fits.
        """
        room = bottom - 0.2 * self.size[1]
        for share in (7.5, 6.5, 5.5, 4.7, 4.0, 3.4, 2.9):
            size = max(11, round(share * self._unit))
            lines, fitting = self._wrapped(text, size), max(1, int(room // (size * 1.32)))
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
            draw.text((self._margin, top + place * leading), line, fill, typeface().at(size))
        return top

    def _dial(self, draw: ImageDraw.ImageDraw, phase: float) -> None:
        """A ring that fills once a second, and the time in it: proof that the picture moves."""
        r = 3.4 * self._unit
        x, y = self.size[0] - self._margin - r, self._margin + r
        ring, stroke = (x - r, y - r, x + r, y + r), max(2, round(0.7 * self._unit))
        draw.arc(ring, 0, 360, (150, 150, 150), stroke)
        draw.arc(ring, -90, -90 + 360 * phase, INK, stroke)
        font = typeface().at(max(10, round(3.1 * self._unit)))
        draw.text((x - 1.6 * r, y), f"{phase:.2f} s", INK, font, anchor="rm")


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
