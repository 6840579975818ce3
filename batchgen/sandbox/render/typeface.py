"""Text that can be read: Latin and Chinese in one font, wrapped, and honest about characters the
font lacks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import groupby

from PIL import Image, ImageDraw, ImageFont

FONT_PACKAGE = "noto_cjk_sans_otc"
SIMPLIFIED_CHINESE = 2
"""The face's index in the collection of Noto Sans CJK."""

NEVER_FIRST = frozenset("，。、；：！？）》」』】…")  # noqa: RUF001 - Chinese is meant
"""Chinese punctuation that may not begin a line; it hangs into the margin."""

MISSING = "\N{WHITE SQUARE}"

NOWHERE = "\U0010fffe"
"""No character, in any font: drawn as whatever the font has for those that it lacks."""


class Typeface:
    """The font of an installed package, else the one Pillow brings, which knows little beyond
    Latin.
    """

    def __init__(self, package: str = FONT_PACKAGE) -> None:
        self._path = _font_path(package)
        self._sizes: dict[int, ImageFont.FreeTypeFont] = {}
        self._known: dict[str, bool] = {}
        # Shaping seats a mark that the font lacks on a circle: characters are looked up bare.
        self._bare = self._load(20, ImageFont.Layout.BASIC)
        self.name = " ".join(part for part in self.at(20).getname() if part)

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        if size not in self._sizes:
            self._sizes[size] = self._load(size, None)
        return self._sizes[size]

    def has(self, character: str) -> bool:
        """Whether the font draws it as something of its own; a blank is fine where one is meant."""
        if character not in self._known:
            drawn = self._drawn(character)
            self._known[character] = character.isspace() or drawn != self._drawn(NOWHERE)
        return self._known[character]

    def readable(self, text: str) -> tuple[str, list[str]]:
        """`text` on one line with a square for each character the font lacks, and those characters,
        once each.
        """
        plain = " ".join("".join(c for c in text if not _invisible(c)).split())
        lacking = list(dict.fromkeys(c for c in plain if not self.has(c)))
        square = MISSING if self.has(MISSING) else "?"
        return "".join(square if c in lacking else c for c in plain), lacking

    def wrap(self, text: str, size: int, width: float) -> list[str]:
        """Lines no wider than `width`: broken between words, and anywhere in Chinese."""
        font = self.at(size)
        lines, line, used = [], "", 0.0
        for token in _tokens(text):
            for piece in [token] if font.getlength(token) <= width else token:
                length = font.getlength(piece)
                if line and used + length > width and piece not in NEVER_FIRST:
                    lines.append(line.rstrip())
                    line, used = "", 0.0
                if line or not piece.isspace():
                    line += piece
                    used += length
        return [*lines, line.rstrip()] if line.strip() else lines

    def cut(self, text: str, size: int, width: float) -> str:
        """`text`, or as much of it as fits the width before an ellipsis."""
        font = self.at(size)
        if font.getlength(text) <= width:
            return text
        while text and font.getlength(text + "…") > width:
            text = text[:-1]
        return text.rstrip() + "…"

    def _load(self, size: int, layout: ImageFont.Layout | None) -> ImageFont.FreeTypeFont:
        if self._path is not None:
            return ImageFont.truetype(
                self._path, size, index=SIMPLIFIED_CHINESE, layout_engine=layout
            )
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont)
        return font

    def _drawn(self, character: str) -> bytes:
        image = Image.new("L", (48, 48))
        ImageDraw.Draw(image).text((8, 4), character, fill=255, font=self._bare)
        return image.tobytes()


@cache
def typeface() -> Typeface:
    return Typeface()


def described(lacking: list[str]) -> str:
    """`font lacks: U+1F98A FOX FACE`, three by name at most; "" when it lacks nothing."""
    if not lacking:
        return ""
    names = [f"U+{ord(c):04X} {unicodedata.name(c, '')}".strip() for c in lacking[:3]]
    rest = [f"and {len(lacking) - 3} more"] if len(lacking) > 3 else []  # noqa: PLR2004
    return "font lacks: " + ", ".join(names + rest)


def _font_path(package: str) -> str | None:
    try:
        return str(import_module(package).FONT_PATH)
    except ImportError:
        return None


def _invisible(character: str) -> bool:
    """Joiners, variation selectors and controls; white space is kept for splitting."""
    if character.isspace():
        return False
    selector = 0xFE00 <= ord(character) <= 0xFE0F  # noqa: PLR2004 - the block of variation selectors
    return selector or unicodedata.category(character) in ("Cc", "Cf", "Cs")


def _tokens(text: str) -> Iterator[str]:
    """Words with the space after them, and wide characters one by one."""
    for word in text.split():
        for wide, run in groupby(word, lambda c: unicodedata.east_asian_width(c) in "WF"):
            characters = "".join(run)
            yield from characters if wide else [characters]
        yield " "
