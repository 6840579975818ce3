"""What a fetched file is: its size in pixels, its length, and whether it is what it should be.

Rules.
1. A picture is decoded completely, a video or sound up to its first frame: enough to find what is
   damaged, cheap enough for a hundred megabytes.
2. The container is recognised by its first bytes and opened as that and nothing else: some formats
   that FFmpeg guesses are lists of other files, which it would go and open.

The one module of this room that needs Pillow and PyAV; it is imported on demand.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import av
from PIL import Image

from batchgen.sandbox.models import PADDING, Flaw, InputKind, MediaRule, invalid

MOST_PIXELS = 8000 * 8000
"""The largest sides of any model; a picture above is refused before it is decoded."""

_BAD_PICTURE = (
    OSError,
    SyntaxError,
    ValueError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class Measured(NamedTuple):
    width: int = 0
    height: int = 0
    seconds: float = 0.0


def measure(path: Path, rule: MediaRule) -> Measured:
    """Raises Flaw (`InvalidParameter`) when the file is damaged or the rule does not allow it."""
    match rule.kind:
        case InputKind.IMAGE:
            measured = _picture(path, rule.formats, alpha=rule.alpha)
        case InputKind.VIDEO | InputKind.AUDIO:
            measured = _stream(path, rule.kind, rule.formats)
        case _:
            return Measured()
    _check_sides(measured, rule)
    _check_seconds(measured, rule)
    return measured


@lru_cache(maxsize=4096)
def _picture(path: Path, formats: tuple[str, ...], *, alpha: bool) -> Measured:
    # The name of a file is the digest of its bytes, so that a measure stays true.
    try:
        with Image.open(path, formats=formats or None) as image:
            if image.width * image.height <= MOST_PIXELS:
                image.load()
            transparent = image.has_transparency_data
            measured = Measured(image.width, image.height)
    except _BAD_PICTURE:
        raise invalid("the image is damaged or of an unsupported format") from None
    if transparent and not alpha:
        raise invalid("the image must not have an alpha channel")
    return measured


@lru_cache(maxsize=4096)
def _stream(path: Path, kind: InputKind, formats: tuple[str, ...]) -> Measured:
    try:
        container = _container(path)
        if container is None or container not in formats:
            raise _unreadable(kind)
        with av.open(str(path), format=container, metadata_errors="replace") as opened:
            frame = next(opened.decode(**{kind.value: 0}))
            seconds = _length(opened, kind)
    except (av.FFmpegError, StopIteration, IndexError, ValueError):
        raise _unreadable(kind) from None
    if isinstance(frame, av.VideoFrame):
        return Measured(frame.width, frame.height, seconds)
    return Measured(seconds=seconds)


def _unreadable(kind: InputKind) -> Flaw:
    return invalid(f"the {kind} is damaged or of an unsupported format")


def _length(opened: av.container.InputContainer, kind: InputKind) -> float:
    (stream, *_) = opened.streams.video if kind is InputKind.VIDEO else opened.streams.audio
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return (opened.duration or 0) / av.time_base


def _container(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(12)
    match head[:4], head[4:8], head[8:12]:
        case b"RIFF", _, b"WAVE":
            return "wav"
        case b"RIFF", _, b"AVI ":
            return "avi"
        case _, b"ftyp", b"qt  ":
            return "mov"
        case _, b"ftyp" | b"moov" | b"mdat" | b"wide" | b"free", _:
            return "mp4"
    if head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] >= b"\xe0"):
        return "mp3"
    return None


def _check_sides(measured: Measured, rule: MediaRule) -> None:
    if rule.kind is InputKind.AUDIO:
        return
    short, long = sorted((measured.width, measured.height))
    least, most = rule.sides
    if not least <= short <= long <= most:
        raise invalid(
            f"the sides of the {rule.kind} must be in [{least}, {most}] pixels, "
            f"not {measured.width}*{measured.height}"
        )
    if long > short * rule.ratio:
        raise invalid(f"the ratio of the {rule.kind}'s sides must not exceed {rule.ratio:g}:1")


def _check_seconds(measured: Measured, rule: MediaRule) -> None:
    if rule.kind is InputKind.IMAGE:
        return
    least, most = rule.seconds
    if measured.seconds >= rule.below:
        raise invalid(
            f"the duration of the {rule.kind} must be below {rule.below:g} seconds, "
            f"not {measured.seconds:.2f}"
        )
    if not least - PADDING <= measured.seconds <= most + PADDING:
        raise invalid(
            f"the duration of the {rule.kind} must be in [{least:g}, {most:g}] seconds, "
            f"not {measured.seconds:.2f}"
        )
