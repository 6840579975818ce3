"""Lines of a view."""

from __future__ import annotations

from rich.padding import Padding
from rich.text import Text


def indented(line: str, *, style: str = "", deeper: int = 0) -> Padding:
    """What belongs to the line above it. ``line`` is clean already."""
    return Padding(Text(line, style=style), (0, 0, 0, 2 + deeper), expand=False)
