"""H.264 and AAC in MP4, fast.

One second of distinct frames is encoded as one closed group of pictures, and its packets are
written again and again with shifted times: a clip of 15 seconds costs as much as one of a second.
The same is done with a second of sound. Neither uses frames that depend on later ones, so every
packet's presentation and decoding times are equal and only ever grow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from batchgen.sandbox.orders import Order
from batchgen.sandbox.render.card import Card
from batchgen.sandbox.render.sound import FRAME, LOOP, RATE, chord

_HEAD = 4096
"""Bytes; more than stands in front of the first packet."""

_X264 = {"preset": "superfast", "crf": "28", "bf": "0", "sc_threshold": "0"}


def encode(order: Order, card: Card, target: Path) -> None:
    """Exactly `seconds * fps` frames, the index in front of the media so that a player can start at
    once. Raises OSError where there is no room.
    """
    # PyAV never closes a file whose very head it cannot write, so that is tried before.
    target.write_bytes(bytes(_HEAD))
    options = {"movflags": "+faststart"}
    with av.open(str(target), "w", format="mp4", options=options) as container:
        pictures = _video_stream(container, order)
        sounds = _audio_stream(container) if order.sound else None
        group = _group(pictures, card, order.fps)
        loop = _loop(sounds, order.seed) if sounds else []
        for second in range(order.seconds):
            for place, packet in enumerate(group):
                _mux(container, pictures, packet, second * order.fps + place, 1)
            if sounds:
                _mux_sound(container, sounds, loop, second)


def _video_stream(container: OutputContainer, order: Order) -> VideoStream:
    options = _X264 | {"g": str(order.fps)}
    stream = container.add_stream("libx264", rate=order.fps, options=options)
    stream.width, stream.height, stream.pix_fmt = order.width, order.height, "yuv420p"
    stream.codec_context.thread_count = 1
    return stream


def _audio_stream(container: OutputContainer) -> AudioStream:
    return container.add_stream("aac", rate=RATE, layout="stereo", format="fltp", bit_rate=96_000)


def _group(stream: VideoStream, card: Card, fps: int) -> list[av.Packet[Any]]:
    packets = []
    for place in range(fps):
        frame = av.VideoFrame.from_image(card.frame(place / fps))  # type: ignore[no-untyped-call]
        frame.pts = place
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _loop(stream: AudioStream, seed: int) -> list[av.Packet[Any]]:
    """The packets of the chord's second round: in the first the encoder is still swinging in."""
    packets = []
    rounds = chord(seed)
    for place, channels in enumerate([*rounds, *rounds, rounds[0]]):
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=FRAME)
        frame.sample_rate, frame.pts = RATE, place * FRAME
        for plane, samples in zip(frame.planes, channels, strict=True):
            plane.update(samples.tobytes())
        packets += stream.encode(frame)
    return packets[LOOP : 2 * LOOP]


def _mux_sound(
    container: OutputContainer, stream: AudioStream, loop: list[av.Packet[Any]], second: int
) -> None:
    """The frames that end within this second: the sound is never longer than the picture."""
    for place in range(second * RATE // FRAME, (second + 1) * RATE // FRAME):
        _mux(container, stream, loop[place % LOOP], place * FRAME, FRAME)


def _mux(
    container: OutputContainer,
    stream: VideoStream | AudioStream,
    packet: av.Packet[Any],
    time: int,
    duration: int,
) -> None:
    """Write a copy of the packet at `time`, in the codec's own time base."""
    copy = av.Packet(bytes(packet))
    copy.stream = stream
    copy.time_base = stream.codec_context.time_base
    copy.pts = copy.dts = time
    copy.duration = duration
    copy.is_keyframe = packet.is_keyframe
    container.mux(copy)
