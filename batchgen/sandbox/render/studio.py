"""The one module that is imported on demand: everything below it needs Pillow and PyAV."""

from __future__ import annotations

from pathlib import Path

from batchgen.sandbox.orders import Order
from batchgen.sandbox.render.scene import Scene
from batchgen.sandbox.render.typeface import typeface
from batchgen.sandbox.render.video import encode
from batchgen.sandbox.render.wiring import wiring

__all__ = ["font_name", "make"]


def font_name() -> str:
    return typeface().name


def make(order: Order, task_id: str, place: int, inputs: Path, target: Path) -> None:
    """Write the video, or the image of that place (from 1), to `target`. Raises OSError where there
    is no room.
    """
    scene = Scene(order, task_id, place, inputs)
    if order.seconds:
        given = wiring(order).sound
        encode(order, scene, inputs / given.digest if given else None, target)
    else:
        scene.still().save(target, "PNG", compress_level=3)
