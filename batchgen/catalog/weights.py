"""How many bytes the results of a request take on a disk at most.

No reference says it, so these are assumptions, each above all that a service would send:

- A video has at most the bit rate of the best discs, 40 Mbit/s at 1920*1080 (Blu-ray Disc, White
  Paper 2.B, 2011), in proportion to its pixels; its sound, index and the like fit into the rest.
- A picture has no transparency, and at worst is not compressed at all: three bytes a pixel.
- Where nothing tells the sides, they are the largest that any model makes.
"""

from __future__ import annotations

import re
from typing import Final

_BITS_A_SECOND: Final = 40_000_000 / (1920 * 1080)
"""For each pixel."""
_BYTES_A_PIXEL: Final = 3
_REST: Final = 1 << 20
"""Bytes of a file besides its picture data."""

_WIDTH_HEIGHT = re.compile(r"([1-9][0-9]{0,4})\*([1-9][0-9]{0,4})")
_VIDEO = {"480P": 832 * 480, "720P": 1280 * 720, "1080P": 1920 * 1080}
_PICTURE = {"1K": 1024**2, "2K": 2048**2, "4K": 4096**2}
"""Pixels by the names that the service has for them."""


def video_bytes(seconds: float, tier: str | None) -> int:
    """The most that a video takes, in the tier of its resolution."""
    pixels = _VIDEO.get(tier or "", max(_VIDEO.values()))
    return round(seconds * pixels * _BITS_A_SECOND / 8) + _REST


def picture_bytes(size: object) -> int:
    """The most that a picture takes; ``size`` is ``1280*1280``, or a name (``2K``)."""
    sides = _WIDTH_HEIGHT.fullmatch(str(size))
    largest = max(_PICTURE.values())
    pixels = int(sides[1]) * int(sides[2]) if sides else _PICTURE.get(str(size), largest)
    return pixels * _BYTES_A_PIXEL + _REST
