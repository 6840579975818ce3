"""What an unquoted word means, in YAML and in a CSV cell alike.

Rules:

- ``true``, ``false``, ``null``, ``~`` and nothing at all are themselves (YAML 1.2, core schema).
- A number is what JSON calls a number. Where readers of YAML disagree (``010``, ``0x1F``,
  ``1_000``, ``.inf``), and where YAML 1.1 guesses (``NO``, ``on``, ``12:30``), a word is text.
- Keys that the API declares as text never come here: their words are text as written.
"""

from __future__ import annotations

import math
import re

MAX_DIGITS = 40
"""Longer numbers are text: no key takes them, and converting them takes quadratic time."""

NULLS = frozenset(("", "~", "null", "Null", "NULL"))
"""Unquoted words that stand for nothing, whatever their key."""

_WORDS = {
    **dict.fromkeys(NULLS),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def typed(word: str) -> str | int | float | bool | None:
    """Return what an unquoted word stands for; text where it is no other thing."""
    if word in _WORDS:
        return _WORDS[word]
    number = _NUMBER.fullmatch(word) if len(word) <= MAX_DIGITS else None
    if number is None:
        return word
    if number.group(1) is None and number.group(2) is None:
        return int(word)
    value = float(word)
    return value if math.isfinite(value) else word


def control_in(text: str) -> int | None:
    """Return the index of the first character that no text here may hold; None if it is clean.

    Control characters other than tab and line breaks, and halves of surrogate pairs: they break
    terminals, JSON and file names further down.
    """
    found = _CONTROL.search(text)
    return found.start() if found else None


def control_words(character: str) -> str:
    """Say that a character was found which no text here may hold."""
    return f"the control character U+{ord(character):04X} is not allowed here"
