"""The one module that is imported on demand: everything below it needs Pillow and PyAV."""

from __future__ import annotations

from pathlib import Path

from batchgen.sandbox.orders import Order
from batchgen.sandbox.render.card import Card
from batchgen.sandbox.render.pictures import measure
from batchgen.sandbox.render.typeface import typeface
from batchgen.sandbox.render.video import encode

__all__ = ["font_name", "make", "measure"]


def font_name() -> str:
    return typeface().name


def make(order: Order, task_id: str, place: int, inputs: Path, target: Path) -> None:
    """Write the video, or the image of that place (from 1), to `target`."""
    card = Card(order, task_id, place, inputs)
    if order.seconds:
        encode(order, card, target)
    else:
        card.still().save(target, "PNG", compress_level=3)
