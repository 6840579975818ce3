"""Pictures to publish: results are measured, so they must be real."""

from __future__ import annotations

import hashlib
import io
import os

from PIL import Image


def picture(word: str) -> bytes:
    """A PNG of one pixel, whose colour depends on the word."""
    return _png(Image.new("RGB", (1, 1), f"#{hashlib.sha256(word.encode()).hexdigest()[:6]}"))


def noise(side: int) -> bytes:
    """A PNG of a little more than ``3 * side * side`` bytes, which are others each time."""
    return _png(Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)))


def _png(drawn: Image.Image) -> bytes:
    target = io.BytesIO()
    drawn.save(target, "PNG", compress_level=0)
    return target.getvalue()
