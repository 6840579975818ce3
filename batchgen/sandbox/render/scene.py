"""How a result passes: what is shown at each moment.

Three kinds of clip. A *loop* is one second that goes round: the card over a gradient, with a light
that drifts. Where a picture is given to start from, it is alone at first, and in an *opening*
second it goes soft and the card comes up, before the loop begins. Where there is one to end with,
the whole clip is a *journey*: the first picture turns into the last, and when it arrives the card
is gone again.

A loop moves with every frame; opening and journey go in moments, each of which stands for some
frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import pairwise
from math import ceil, cos, pi, sin
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFilter

from batchgen.sandbox.orders import Input, Order
from batchgen.sandbox.render.card import Card
from batchgen.sandbox.render.pictures import covering, gradient
from batchgen.sandbox.render.typeface import typeface
from batchgen.sandbox.render.wiring import wiring

INK = (255, 255, 255)
LIGHT = (255, 250, 235)

ALONE, RISING = 0.3, 0.6
"""Seconds for which a given picture is seen without the card, and in which the card comes up."""

STEP = 3
"""Frames that a moment of an opening stands for, when the card comes up."""

MOMENTS = 24
"""Of a journey, however long it is; more where one would stand for over a second."""

SOFTNESS = 2.2
"""Of a given picture under the card, so that words can be read on it: the blur's radius in
hundredths of the frame's shorter side.
"""


class Scene:
    """One result's pictures. `place` counts the images of a task from 1, and is 0 for a video."""

    def __init__(self, order: Order, task_id: str, place: int, inputs: Path) -> None:
        parts = wiring(order)
        self.size = (order.width, order.height)
        self.opens = parts.start is not None
        self.travels = parts.end is not None
        self._rng = Random(f"{order.prompt}|{order.seed + max(0, place - 1)}")  # noqa: S311
        self._inputs = inputs
        self._card = Card(order, task_id, place, inputs)
        self._start, self._ground = self._views(parts.start)
        self._end, self._goal = self._views(parts.end)
        self._light = _glow(round(9 * self._card.unit), 0.45 if self.opens else 1.0)
        self._drift = (self._rng.choice((1, 2)), self._rng.uniform(0, 2 * pi))

    def still(self) -> Image.Image:
        return self._lit(self._drift[1] / (2 * pi))

    def second(self, fps: int) -> Iterator[Image.Image]:
        """The second that goes round; its last picture meets its first."""
        for place in range(fps):
            image = self._lit(place / fps)
            self._dial(image, place / fps, place / fps, 1.0)
            yield image

    def opening(self, fps: int) -> Iterator[tuple[Image.Image, int]]:
        """A second that begins with the given picture alone and ends with all of the card: pictures
        and how many frames each stands for.
        """
        rising = [place for place in range(0, fps, STEP) if place > ALONE * fps]
        for place, until in pairwise([0, *rising, fps]):
            time = place / fps
            image = Image.blend(self._start, self._ground, _risen(time))
            image.paste(LIGHT, self._shone(time), _thinned(self._light, _risen(time)))
            self._cover(image, time, time, _risen(time))
            yield image, until - place

    def journey(self, count: int, fps: int) -> Iterator[tuple[Image.Image, int]]:
        """From the first picture to the last in `count` frames; as `opening`."""
        moments = min(count, max(MOMENTS, ceil(count / fps)))
        steps = pairwise(place * count // moments for place in range(moments + 1))
        for place, (begin, until) in enumerate(steps):
            yield self._passing(place / max(1, moments - 1), count / fps), until - begin

    def _passing(self, share: float, seconds: float) -> Image.Image:
        """Of a journey of `seconds`, what is seen when `share` of it (0 to 1) has passed."""
        time = share * seconds
        risen = min(_risen(time), _risen(seconds - time))
        image = Image.blend(self._ground, self._goal, share)
        if risen < 1:
            image = Image.blend(Image.blend(self._start, self._end, share), image, risen)
        self._cover(image, share, time, risen)
        return image

    def _views(self, one: Input | None) -> tuple[Image.Image, Image.Image]:
        """Sharp, and as it is under the card."""
        if one is None:
            image = gradient(self._rng, self.size)
            return image, image
        image = covering(self._inputs / one.digest, one.kind, self.size)
        return image, _soft(image, SOFTNESS * self._card.unit)

    @cached_property
    def _settled(self) -> Image.Image:
        """The ground under the card, where nothing moves."""
        image = self._ground.copy()
        image.paste(self._card.picture, (0, 0), self._card.mask)
        return image

    def _lit(self, phase: float) -> Image.Image:
        """With the light where it is at `phase` of the second: no more is drawn anew than the
        square in which it shines.
        """
        image = self._settled.copy()
        box = self._shone(phase)
        patch = self._ground.crop(box)
        patch.paste(LIGHT, (0, 0), self._light)
        patch.paste(self._card.picture.crop(box), (0, 0), self._card.mask.crop(box))
        image.paste(patch, box)
        return image

    def _shone(self, phase: float) -> tuple[int, int, int, int]:
        width, height = self.size
        sideways, start = self._drift
        x = width * (0.5 + 0.3 * cos(2 * pi * phase + start)) - self._light.width / 2
        y = height * (0.36 + 0.16 * sin(2 * pi * sideways * phase + start)) - self._light.height / 2
        return round(x), round(y), round(x) + self._light.width, round(y) + self._light.height

    def _cover(self, image: Image.Image, share: float, time: float, risen: float) -> None:
        """Lay the card over it as far as it has risen, from 0 to 1."""
        image.paste(self._card.picture, (0, 0), _thinned(self._card.mask, risen))
        self._dial(image, share, time, risen)

    def _dial(self, image: Image.Image, share: float, time: float, risen: float) -> None:
        """A ring that fills, and the time in it: proof that the picture moves."""
        dial = _ring(self._card.unit, share, time)
        right, top = self.size[0] - self._card.margin, self._card.margin
        image.paste(INK, (right - dial.width, top), _thinned(dial, risen))


def _ring(unit: float, share: float, time: float) -> Image.Image:
    r, stroke = round(3.4 * unit), max(2, round(0.7 * unit))
    dial = Image.new("L", (8 * r, 2 * r + 1))
    draw = ImageDraw.Draw(dial)
    ring = (6 * r - 1, 0, 8 * r - 1, 2 * r)
    draw.arc(ring, 0, 360, 110, stroke)
    draw.arc(ring, -90, -90 + 360 * share, 255, stroke)
    font = typeface().at(max(10, round(3.1 * unit)))
    draw.text((5.4 * r, r), f"{time:.2f} s", 255, font, anchor="rm")
    return dial


@lru_cache(maxsize=8)
def _glow(r: int, strength: float) -> Image.Image:
    glow = Image.new("L", (4 * r, 4 * r))
    ImageDraw.Draw(glow).ellipse((1.35 * r, 1.35 * r, 2.65 * r, 2.65 * r), fill=235)
    return _thinned(glow.filter(ImageFilter.GaussianBlur(r / 3)), strength)


def _soft(image: Image.Image, radius: float) -> Image.Image:
    """Blurred, by way of a small copy: no more is to be seen of it anyway."""
    small = image.resize(
        (max(1, image.width // 4), max(1, image.height // 4)), Image.Resampling.BOX
    )
    blurred = small.filter(ImageFilter.GaussianBlur(radius / 4))
    return blurred.resize(image.size, Image.Resampling.BICUBIC)


def _thinned(mask: Image.Image, share: float) -> Image.Image:
    return mask if share >= 1 else mask.point([round(share * value) for value in range(256)])


def _risen(time: float) -> float:
    """0 to 1, slow at both ends."""
    x = min(1.0, max(0.0, (time - ALONE) / RISING))
    return x * x * (3 - 2 * x)
