"""AAC for a clip: the sound it was given, or a soft chord whose notes derive from the seed.

The chord is a loop of whole AAC frames, encoded once for all clips that have it. A given sound is
cut where the clip ends, or followed by silence. In both the encoder's first packet, which only
tells of the silence before the start, is left out: what is heard at 0 is what was given at 0.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import chain, cycle, islice
from math import pi, sin
from pathlib import Path
from random import Random

import av
from av.audio.codeccontext import AudioCodecContext

from batchgen.sandbox.render.given import opened

RATE = 48_000
FRAME = 1024
"""Samples in an AAC frame."""

LOOP = 48
"""Frames in the chord: 1.024 s. Every note makes a whole number of waves in it, so that no seam can
be heard.
"""

ROOTS = (220.0, 247.0, 261.6, 293.7, 329.6)
INTERVALS = (9 / 8, 5 / 4, 3 / 2, 5 / 3)

BARS = 36
"""Levels that a picture of a sound shows."""

_ROUGH = 8000
"""Hz; enough to see how loud a sound is."""

_SAMPLES = FRAME * LOOP


def packets(seed: int, given: Path | None, count: int) -> Iterator[bytes]:
    """`count` AAC frames, 48 kHz in stereo."""
    if given is None:
        rng = Random(seed)  # noqa: S311 - a tune, not a secret
        return islice(cycle(_chord(rng.choice(ROOTS), rng.choice(INTERVALS))), count)
    return _encoded(islice(chain(_heard(given), _silence()), count))


def levels(path: Path) -> list[float]:
    """How loud the sound is over its time, each 0 to 1, the loudest 1."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_ROUGH)
    samples = array("h")
    for frame in _decoded(path, resampler):
        samples.frombytes(bytes(frame.planes[0])[: 2 * frame.samples])
    stretch = max(1, len(samples) // BARS)
    tops = [
        max(map(abs, samples[start : start + stretch]), default=0)
        for start in range(0, stretch * BARS, stretch)
    ]
    return [top / (max(tops) or 1) for top in tops]


def set_up(context: AudioCodecContext) -> None:
    context.sample_rate, context.layout, context.bit_rate = RATE, "stereo", 96_000
    context.format = av.AudioFormat("fltp")


def _encoded(frames: Iterator[list[bytes]]) -> Iterator[bytes]:
    encoder = av.CodecContext.create("aac", "w")
    set_up(encoder)
    flushed = chain(_timed(frames), [None])
    made = (bytes(packet) for frame in flushed for packet in encoder.encode(frame))
    return islice(made, 1, None)


def _timed(frames: Iterator[list[bytes]]) -> Iterator[av.AudioFrame]:
    for place, channels in enumerate(frames):
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=FRAME)
        frame.sample_rate, frame.pts = RATE, place * FRAME
        for plane, samples in zip(frame.planes, channels, strict=True):
            plane.update(samples)
        yield frame


def _heard(path: Path) -> Iterator[list[bytes]]:
    """The sound's frames, a left and a right channel each, the last filled up with silence."""
    for frame in _decoded(path, av.AudioResampler("fltp", "stereo", RATE, FRAME)):
        used = 4 * frame.samples
        yield [bytes(plane)[:used].ljust(4 * FRAME, b"\0") for plane in frame.planes]


def _decoded(path: Path, resampler: av.AudioResampler) -> Iterator[av.AudioFrame]:
    """Up to where the file is damaged."""
    with opened(path) as container, suppress(av.FFmpegError):
        for frame in chain(container.decode(audio=0), [None]):
            yield from resampler.resample(frame)


def _silence() -> Iterator[list[bytes]]:
    return cycle([[bytes(4 * FRAME)] * 2])


@lru_cache(maxsize=len(ROOTS) * len(INTERVALS))
def _chord(root: float, interval: float) -> list[bytes]:
    """The loop's second round: in the first the encoder is still swinging in."""
    left = _voice(root, root * interval)
    right = left[_SAMPLES // 3 :] + left[: _SAMPLES // 3]
    rounds = [
        [channel[start : start + FRAME].tobytes() for channel in (left, right)]
        for start in range(0, _SAMPLES, FRAME)
    ]
    return list(islice(_encoded(chain(rounds, rounds, rounds[:1])), LOOP, 2 * LOOP))


def _voice(*notes: float) -> array[float]:
    low, high = (2 * pi * round(note * _SAMPLES / RATE) / _SAMPLES for note in notes)
    swell = 2 * pi / _SAMPLES
    return array(
        "f",
        [
            (0.084 - 0.056 * sin(swell * n)) * (sin(low * n) + sin(high * n))
            for n in range(_SAMPLES)
        ],
    )
