"""H.264 and AAC in MP4, fast.

What costs is encoding pictures, so most of a clip's packets are copies with shifted times.

1. A second that goes round is encoded once, as one closed group of pictures, and written again and
   again: a loop of 15 seconds costs as much as one of a second.
2. A picture that stands still is encoded once, as a key frame, and followed by *holds*: packets
   that say "as before" for every block. A hold tells nothing of the picture, so those of a black
   one serve for all of the same size, at a few bytes each.
3. No frame depends on a later one, so every packet's presentation and decoding times are equal and
   only ever grow.

All packets of a clip must come from encoders with equal settings: they share one description.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from heapq import merge
from itertools import cycle, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.stream import VideoStream
from PIL import Image

from batchgen.sandbox.orders import Order
from batchgen.sandbox.render import sound
from batchgen.sandbox.render.scene import Scene

_HEAD = 4096
"""Bytes; more than stands in front of the first packet."""

_X264 = {
    "preset": "superfast",
    "tune": "zerolatency",
    "crf": "28",
    "weightp": "0",
    "sc_threshold": "0",
}


@dataclass(frozen=True, slots=True)
class _Coded:
    content: bytes
    is_key: bool


_Timed = tuple[Fraction, "av.Packet[Any]"]
"""A packet and the second at which it begins."""


def encode(order: Order, scene: Scene, given: Path | None, target: Path) -> None:
    """Exactly `frames(order)` frames, the index in front of the media so that a player can start at
    once; `given` is a file to be heard instead of the chord. Raises OSError where there is no room.
    """
    # PyAV never closes a file whose very head it cannot write, so that is tried before.
    target.write_bytes(bytes(_HEAD))
    count = frames(order)
    options = {"movflags": "+faststart"}
    with av.open(str(target), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=order.fps)
        _set_up(stream.codec_context, order.width, order.height, order.fps)
        pictures = islice(_pictures(order, scene, _Encoder(stream.codec_context)), count)
        tracks = [_stamped(stream, pictures, Fraction(1, order.fps))]
        if order.sound:
            tracks.append(_sound(container, order, given, count))
        for _, packet in merge(*tracks, key=itemgetter(0)):
            container.mux(packet)


def frames(order: Order) -> int:
    """Of the whole clip: the nearest number to its seconds (18.13 s at 16 fps are 290), one at
    least.
    """
    return max(1, round(order.seconds * order.fps))


class _Encoder:
    def __init__(self, context: VideoCodecContext) -> None:
        self._context = context
        self._count = 0

    def group(self, images: Iterable[Image.Image]) -> Iterator[_Coded]:
        """A key frame and those that depend on it, or on each other."""
        for place, image in enumerate(images):
            frame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
            frame.pts = self._count
            frame.pict_type = PictureType.NONE if place else PictureType.I
            self._count += 1
            for packet in self._context.encode(frame):
                yield _Coded(bytes(packet), packet.is_keyframe)


def _set_up(context: VideoCodecContext, width: int, height: int, fps: int) -> None:
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.framerate, context.time_base = Fraction(fps), Fraction(1, fps)
    context.thread_count = 1
    context.options = _X264 | {"g": str(fps)}


def _pictures(order: Order, scene: Scene, encoder: _Encoder) -> Iterator[_Coded]:
    if scene.travels:
        yield from _held(order, encoder, scene.journey(frames(order), order.fps))
        return
    if scene.opens:
        yield from _held(order, encoder, scene.opening(order.fps))
    yield from cycle(list(encoder.group(scene.second(order.fps))))


def _held(
    order: Order, encoder: _Encoder, moments: Iterable[tuple[Image.Image, int]]
) -> Iterator[_Coded]:
    """Each picture for as many frames as it says, a second's at most."""
    holds = _holds(order.width, order.height, order.fps)
    for image, lasting in moments:
        yield from encoder.group([image])
        yield from holds[: lasting - 1]


@lru_cache(maxsize=64)
def _holds(width: int, height: int, fps: int) -> list[_Coded]:
    context = av.CodecContext.create("libx264", "w")
    _set_up(context, width, height, fps)
    black = Image.new("RGB", (width, height))
    return list(_Encoder(context).group([black] * fps))[1:]


def _sound(
    container: OutputContainer, order: Order, given: Path | None, count: int
) -> Iterator[_Timed]:
    """The frames that end with the pictures at the latest."""
    stream = container.add_stream("aac", rate=sound.RATE)
    sound.set_up(stream.codec_context)
    fitting = count * sound.RATE // (order.fps * sound.FRAME)
    coded = (_Coded(content, is_key=True) for content in sound.packets(order.seed, given, fitting))
    return _stamped(stream, coded, Fraction(sound.FRAME, sound.RATE))


def _stamped(
    stream: VideoStream | AudioStream, coded: Iterable[_Coded], lasting: Fraction
) -> Iterator[_Timed]:
    """Packets one after the other, each `lasting` seconds."""
    for place, one in enumerate(coded):
        packet = av.Packet(one.content)
        packet.stream, packet.time_base = stream, lasting
        packet.pts = packet.dts = place
        packet.duration, packet.is_keyframe = 1, one.is_key
        yield place * lasting, packet
