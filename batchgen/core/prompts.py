"""Prompts held against each other: what was sent, and what the service says it was asked.

The service repeats a task's prompt (``orig_prompt``), but not byte for byte: its own documented
samples show other quotes and other spaces than were sent. So prompts are compared without white
space, quotes and invisible characters, in one Unicode form (NFKC); case counts.

What is not the same may be *near*: the prompt after a change on its way that nobody has seen yet.
There only letters and digits count, without case and accents, and HTML's way of writing is undone.
"""

from __future__ import annotations

import hashlib
import html
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

NEAR = 0.7
"""The part of their trigrams that two prompts have in common from which they may be one prompt that
was changed on its way: a letter changed costs three trigrams."""

EDITS = 3
"""Letters changed, added or left out that make no other prompt, however short it is."""

SHORT = 20
"""Letters of a prompt up to which a third of them may differ."""

_COUNTED = 40
"""Letters of a prompt up to which edits are counted: more of them have room for their trigrams."""

_QUOTES = frozenset("\"'`\u00b4\u201a\u201e\u2032\u2033\u300c\u300d\u300e\u300f\u301d\u301e\u301f")
_LEFT_OUT = frozenset({"Pi", "Pf", "Cc", "Cf"})
"""By general category: quotes that open and close, and what nobody sees."""


@lru_cache(maxsize=1024)
def normalised(prompt: str) -> str:
    """The prompt without what may change on its way to the service and back."""
    if prompt.isascii():  # has one form only, and a manifest may have a million of them
        return prompt.translate(_DROPPED_ASCII)
    return _composed(prompt, _is_kept)


def likeness(prompt: str | None) -> str:
    """A fingerprint that prompts share which the service's list could not tell apart.

    Nothing where there is no prompt to compare: such a request looks like every other.
    """
    text = normalised(prompt or "")
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16] if text else ""


def repeats(told: str, sent: str, limit: int | None = None) -> bool:
    """Whether a task that tells this prompt was made of the one that was sent; neither is empty.

    ``limit`` is how many characters of a prompt the model takes at least: the service may cut what
    is beyond, and tells what it has.
    """
    theirs, ours = normalised(told), normalised(sent)
    if theirs == ours:
        return True
    if limit is None or len(sent) <= limit:
        return False
    return ours.startswith(theirs) and len(theirs) >= len(normalised(sent[:limit]))


def resembles(told: str, sent: str) -> bool:
    """Whether what a task tells may be the prompt that was sent, changed on its way."""
    shorter, longer = sorted((_letters(told), _letters(sent)), key=len)
    if longer.startswith(shorter):
        return True
    if len(longer) <= _COUNTED and _edits(shorter, longer) <= _allowed(longer):
        return True
    return len(shorter) >= NEAR * len(longer) and _in_common(shorter, longer) >= NEAR


@lru_cache(maxsize=1024)
def _letters(prompt: str) -> str:
    """What is left of a prompt when everything is gone that a change on its way may have cost."""
    plain = html.unescape(prompt)
    apart = unicodedata.normalize("NFKD", _composed(plain, _is_kept).casefold())
    return _composed(apart, str.isalnum) or normalised(plain)


def _composed(text: str, is_kept: Callable[[str], bool]) -> str:
    """What is kept, in one form. Twice: some quotes have a compatible form that is a space and an
    accent.
    """
    return "".join(filter(is_kept, unicodedata.normalize("NFKC", "".join(filter(is_kept, text)))))


def _allowed(longer: str) -> int:
    return max(EDITS, len(longer) // 3) if len(longer) <= SHORT else EDITS


def _edits(one: str, other: str) -> int:
    """Letters to change, add or leave out between the two (Levenshtein's distance)."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        above, row[0] = row[0], number
        for place, another in enumerate(other, 1):
            above, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, above + (letter != another)),
            )
    return row[-1]


def _is_kept(character: str) -> bool:
    if character.isspace() or character in _QUOTES:
        return False
    return unicodedata.category(character) not in _LEFT_OUT


_DROPPED_ASCII = {code: None for code in range(128) if not _is_kept(chr(code))}


def _in_common(one: str, other: str) -> float:
    """Which part of the trigrams is common; in time proportional to the lengths."""
    ours, theirs = _trigrams(one), _trigrams(other)
    return (ours & theirs).total() / max(ours.total(), theirs.total())


@lru_cache(maxsize=256)
def _trigrams(text: str) -> Counter[str]:
    padded = f"  {text}  "
    return Counter(padded[at : at + 3] for at in range(len(padded) - 2))
