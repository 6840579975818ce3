"""Draws the figures of ``speed.py``: a section for each load, a card for each figure, one SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path
from xml.sax.saxutils import escape

MARGIN, GAP, ACROSS = 28, 18, 3
CARD = 304
WIDTH = 2 * MARGIN + ACROSS * CARD + (ACROSS - 1) * GAP
HEAD, ROW, FOOT, PLOT = 34, 26, 22, 132
"""Heights inside a card: its title, a bar, the place for the target's name, a curve."""
LABEL, VALUE = 98, 66
"""Widths beside a bar."""

INK, SOFT, LINE, GROUND, PAPER = "#1d2733", "#66727f", "#d9dee3", "#ffffff", "#f6f8fa"
COLOURS = {
    "batchgen": "#1f77b4",
    "SDK, asyncio": "#dd8438",
    "SDK, threads": "#e9b27c",
    "SDK, in slots": "#b9602a",
    "aiohttp": "#9aa5b1",
}


@dataclass(frozen=True)
class Bars:
    """A bar for each label; the target is drawn as a line across them. ``form`` words a value."""

    title: str
    form: str
    values: Mapping[str, float]
    target: float | None = None

    @property
    def height(self) -> int:
        return HEAD + ROW * len(self.values) + FOOT

    def draw(self, x: float, y: float) -> Iterator[str]:
        room = CARD - LABEL - VALUE
        unit = room / max(*self.values.values(), self.target or 0.0, 1e-9)
        left, top = x + LABEL, y + HEAD
        if self.target is not None:
            yield from self._line(left + self.target * unit, top)
        for place, (label, value) in enumerate(self.values.items()):
            middle, length = top + ROW * (place + 0.5), max(1.5, value * unit)
            yield _text(left - 8, middle + 4, label, size=12, anchor="end")
            yield (
                f'<rect x="{left:.1f}" y="{middle - 8:.1f}" width="{length:.1f}" height="16" rx="2"'
                f' fill="{COLOURS[label]}"/>'
            )
            yield from _value(left + length + 6, middle + 4, self.form.format(value))

    def _line(self, x: float, top: float) -> Iterator[str]:
        bottom = top + ROW * len(self.values)
        yield (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom + 4:.1f}" stroke="{INK}"'
            ' stroke-width="1.2" stroke-dasharray="3 3"/>'
        )
        words = f"target: {self.form.format(self.target)}"
        yield _text(x, bottom + 16, words, size=11, colour=SOFT, anchor="middle")


@dataclass(frozen=True)
class Curve:
    """Values by the number of jobs, which grows by decades; the ground is zero."""

    title: str
    form: str
    points: Mapping[int, float]

    @property
    def height(self) -> int:
        return HEAD + PLOT

    def draw(self, x: float, y: float) -> Iterator[str]:
        left, right, top, bottom = x + 48, x + CARD - 48, y + HEAD + 20, y + HEAD + PLOT - 26
        first, last = (log10(jobs) for jobs in (min(self.points), max(self.points)))
        most = max(*self.points.values(), 1e-9)
        places = [
            (
                left + (log10(jobs) - first) / ((last - first) or 1) * (right - left),
                bottom - value / most * (bottom - top),
            )
            for jobs, value in self.points.items()
        ]
        yield (
            f'<line x1="{x + 16}" x2="{x + CARD - 16}" y1="{bottom}" y2="{bottom}"'
            f' stroke="{LINE}"/>'
        )
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
        colour = COLOURS["batchgen"]
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for (px, py), (jobs, value) in zip(places, self.points.items(), strict=True):
            yield f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4" fill="{colour}"/>'
            yield from _value(px, py - 10, self.form.format(value), anchor="middle")
            words = f"{jobs:,} jobs"
            yield _text(px, bottom + 17, words, size=11, colour=SOFT, anchor="middle")


@dataclass(frozen=True)
class Section:
    title: str
    note: str
    cards: Sequence[Bars | Curve]


def draw(path: Path, sections: Sequence[Section]) -> None:
    """Write the sections below each other."""
    parts: list[str] = []
    top = float(MARGIN)
    for section in sections:
        parts.append(_text(MARGIN, top + 14, section.title, size=18, weight="700"))
        parts.append(_text(MARGIN, top + 35, section.note, size=13, colour=SOFT))
        top += 52
        for begin in range(0, len(section.cards), ACROSS):
            row = section.cards[begin : begin + ACROSS]
            height = max(card.height for card in row)
            for place, card in enumerate(row):
                parts += _card(card, MARGIN + place * (CARD + GAP), top, height)
            top += height + GAP
        top += 16
    height = top - 16 - GAP + MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}"'
        f' width="{WIDTH}" height="{height:.0f}"'
        ' font-family="system-ui, Segoe UI, Helvetica, Arial, DejaVu Sans, sans-serif">'
    )
    ground = f'<rect width="100%" height="100%" fill="{GROUND}"/>'
    path.write_text("\n".join([head, ground, *parts, "</svg>\n"]), encoding="utf-8")


def _card(card: Bars | Curve, x: float, y: float, height: float) -> Iterator[str]:
    yield (
        f'<rect x="{x}" y="{y}" width="{CARD}" height="{height}" rx="8" fill="{PAPER}"'
        f' stroke="{LINE}"/>'
    )
    yield _text(x + 14, y + 22, card.title, size=12.5, weight="600")
    yield from card.draw(x, y)


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: float,
    weight: str = "400",
    colour: str = INK,
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{colour}"'
        f' text-anchor="{anchor}">{escape(words)}</text>'
    )


def _value(x: float, y: float, words: str, *, anchor: str = "start") -> Iterator[str]:
    """A figure on a ground of its own, as it may stand on a line."""
    width = 7.6 * len(words)
    left = x - width / 2 if anchor == "middle" else x - 2
    yield f'<rect x="{left:.1f}" y="{y - 11:.1f}" width="{width:.1f}" height="14" fill="{PAPER}"/>'
    yield _text(x, y, words, size=12, weight="600", anchor=anchor)
