"""Words for people: what others wrote, made harmless; durations, sizes and counts.

``clean`` is the one way from a manifest, a file name or the service to a terminal. Escape
sequences in a prompt can retitle a window or clear a screen, bidirectional overrides can make one
name look like another, and lone surrogates cannot be encoded at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

_BREAKS = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # controls, C0 and C1: ESC and CSI are among them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks, overrides and isolates of direction
    "\ud800-\udfff]"  # surrogates: in a str they are always alone
)
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_STEP = 1_024


def clean(text: str) -> str:
    """One line that can be shown: line breaks become spaces, harmful characters their escapes."""
    return _HARMFUL.sub(lambda found: ascii(found[0])[1:-1], _BREAKS.sub(" ", text))


def clipped(text: str, longest: int = 400) -> str:
    """``clean``, and cut where it is long: a gateway may answer with a whole web page."""
    shown = clean(text)
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."


def duration(seconds: float) -> str:
    """``45 s``, ``2 min 05 s``, ``25 min``, ``2 h 05 min``, ``3 d 4 h``: two units at most."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < 10 * _MINUTE:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def moment(seconds: float) -> str:
    """``2026-11-22 03:12 UTC``, from Unix seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def size(number: int) -> str:
    """``312 bytes``, ``4.2 MiB``, ``1,830 GiB``."""
    shown, unit = float(number), "bytes"
    for larger in ("KiB", "MiB", "GiB"):
        if shown < _STEP:
            break
        shown, unit = shown / _STEP, larger
    return count(number, "byte") if unit == "bytes" else f"{shown:,.1f} {unit}"


def count(number: int, noun: str) -> str:
    """``1 job``, ``1,200 jobs``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def enumerated(names: Sequence[str], most: int = 20) -> str:
    """``fox, moon and 30 more``: a program gets all of them. The names are clean already."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def counts(numbers: Mapping[str, int]) -> str:
    """``117 done, 2 failed``: what there is none of is left out."""
    return ", ".join(f"{number:,} {word}" for word, number in numbers.items() if number)
