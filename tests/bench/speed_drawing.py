"""Draws the figures of ``speed.py``: a panel of bars for each, one SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, ROW, LABEL, BAR = 720, 22, 250, 360
COLOURS = {"batchgen": "#2a6f97", "sdk": "#bc6c25", "bare": "#6c757d"}


@dataclass(frozen=True)
class Panel:
    """Bars by their labels; ``best`` is what there can be at best, drawn as a line."""

    title: str
    bars: Mapping[str, float]
    best: float = 0.0


def draw(path: Path, panels: Iterable[Panel]) -> None:
    """Write the panels below each other."""
    parts, top = [], 10
    for panel in panels:
        parts += _panel(panel, top)
        top += ROW * (len(panel.bars) + 2)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}"'
        ' font-family="sans-serif" font-size="13">'
    )
    ground = f'<rect width="{WIDTH}" height="{top}" fill="white"/>'
    path.write_text("\n".join([head, ground, *parts, "</svg>\n"]), encoding="utf-8")


def _panel(panel: Panel, top: int) -> Iterable[str]:
    scale = BAR / max(*panel.bars.values(), panel.best, 1e-9)
    yield f'<text x="10" y="{top + 16}" font-weight="bold">{escape(panel.title)}</text>'
    for place, (label, value) in enumerate(panel.bars.items(), start=1):
        y = top + ROW * place
        colour = next((COLOURS[name] for name in COLOURS if name in label), "black")
        yield f'<text x="20" y="{y + 15}">{escape(label)}</text>'
        yield (
            f'<rect x="{LABEL}" y="{y + 3}" width="{value * scale:.1f}" height="{ROW - 6}"'
            f' fill="{colour}"/>'
        )
        yield f'<text x="{LABEL + value * scale + 6:.1f}" y="{y + 15}">{value:.3g}</text>'
    if panel.best:
        x, bottom = LABEL + panel.best * scale, top + ROW * (len(panel.bars) + 1)
        yield (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top + ROW}" y2="{bottom}" stroke="black"'
            ' stroke-dasharray="3 3"/>'
        )
