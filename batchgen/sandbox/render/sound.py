"""A soft chord, its notes derived from the seed, as a loop of whole AAC frames."""

from __future__ import annotations

from array import array
from math import pi, sin
from random import Random

RATE = 48_000
FRAME = 1024
"""Samples in an AAC frame."""

LOOP = 48
"""Frames in the loop: 1.024 s. Every note makes a whole number of waves in it, so that no seam can
be heard.
"""

_SAMPLES = FRAME * LOOP


def chord(seed: int) -> list[list[array[float]]]:
    """The loop's frames, a left and a right channel each: one chord, a third of the loop apart."""
    rng = Random(seed)  # noqa: S311 - a tune, not a secret
    root = rng.choice((220.0, 247.0, 261.6, 293.7, 329.6))
    left = _voice(root, root * rng.choice((9 / 8, 5 / 4, 3 / 2, 5 / 3)))
    right = left[_SAMPLES // 3 :] + left[: _SAMPLES // 3]
    return [
        [channel[start : start + FRAME] for channel in (left, right)]
        for start in range(0, _SAMPLES, FRAME)
    ]


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
