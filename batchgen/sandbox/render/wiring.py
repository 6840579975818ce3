"""Which inputs a video starts from, ends with and sounds of: what was not fetched can do none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from batchgen.sandbox.orders import Input, InputKind, Order

STARTS = ("first_frame", "first_clip", "video", "image")
"""Roles from whose picture a video starts, the first that is there: an edit starts from its video,
a talking portrait from its image.
"""

ENDS = ("last_frame", "last_clip")
SOUNDS = ("driving_audio", "audio")
"""Roles that are heard; a reference voice or a reference sound is only shown."""

_SEEN = (InputKind.IMAGE, InputKind.VIDEO)


@dataclass(frozen=True, slots=True)
class Wiring:
    start: Input | None
    end: Input | None
    sound: Input | None


def wiring(order: Order) -> Wiring:
    """An image has no time to start from anything: its inputs only show as tiles, as all do."""
    fetched = [one for one in order.inputs if one.digest and order.seconds]
    seen = [one for one in fetched if one.kind in _SEEN]
    heard = [one for one in fetched if one.kind is InputKind.AUDIO and order.sound]
    return Wiring(_first(STARTS, seen), _first(ENDS, seen), _first(SOUNDS, heard))


def _first(roles: Iterable[str], inputs: list[Input]) -> Input | None:
    return next((one for role in roles for one in inputs if one.role == role), None)
