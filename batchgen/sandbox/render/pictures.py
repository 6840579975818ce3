"""What a result is painted on: a palette from the seed, or the picture of an input."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from batchgen.sandbox.orders import InputKind
from batchgen.sandbox.render.given import opened

PALETTES = (
    ("#0b132b", "#1c7293", "#e07a5f", "#f2cc8f"),
    ("#1a1423", "#6d3b8e", "#ef6f6c", "#ffd5c2"),
    ("#081c15", "#2d6a4f", "#95d5b2", "#f4d35e"),
    ("#14213d", "#3a5ba0", "#fca311", "#e5e5e5"),
    ("#2b0a1e", "#9d174d", "#f59e0b", "#fde68a"),
    ("#0f172a", "#0e7490", "#22d3ee", "#a7f3d0"),
    ("#1f1300", "#8a5a19", "#e0a458", "#fff1c9"),
    ("#10002b", "#5a189a", "#c77dff", "#80ffdb"),
)


@lru_cache(maxsize=12)
def covering(path: Path, kind: InputKind, size: tuple[int, int]) -> Image.Image:
    """The picture, or the first frame of the video, scaled and cropped to fill the size.

    Kept, as a batch gives the same reference to many jobs: a dozen, of 8 MB each where they fill a
    frame of 1080P. Nobody draws on it.
    """
    if kind is InputKind.VIDEO:
        with opened(path) as container:
            image = next(container.decode(video=0)).to_image()  # type: ignore[no-untyped-call]
        return ImageOps.fit(image, size, Image.Resampling.BICUBIC)
    with Image.open(path) as image:
        # A JPEG of 8000 pixels a side is then decoded at an eighth of them.
        image.draft("RGB", size)
        return ImageOps.fit(image.convert("RGB"), size, Image.Resampling.BICUBIC)


def gradient(rng: Random, size: tuple[int, int]) -> Image.Image:
    """Soft light of four colours, drawn small and enlarged: nothing in it is sharp."""
    deep, *lights = rng.choice(PALETTES)
    width, height = 160, max(16, 160 * size[1] // size[0])
    small = Image.new("RGB", (width, height), deep)
    draw = ImageDraw.Draw(small)
    reach = max(width, height)
    for light in [*lights, lights[0]]:
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        r = reach * rng.uniform(0.14, 0.3)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=light)
    return small.filter(ImageFilter.GaussianBlur(reach / 8)).resize(size, Image.Resampling.BICUBIC)
