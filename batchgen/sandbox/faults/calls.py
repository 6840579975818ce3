"""Which of a rule's calls go wrong. Calls are numbered from one, and a choice is anything that
contains numbers: a set, a range, or one of these.

Chance belongs to the number, not to the moment it is asked: the same seed makes the same calls go
wrong in every run, in whatever order they arrive.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from random import Random
from sys import maxsize

_SPAN = re.compile(r"\s*([1-9]\d{0,9})\s*(?:(-)\s*([1-9]\d{0,9})?\s*)?")


@dataclass(frozen=True, slots=True)
class Chance:
    """Each call with this probability, by itself."""

    probability: float
    seed: int | str = 0

    def __contains__(self, number: object) -> bool:
        return Random(f"{self.seed}|{number}").random() < self.probability  # noqa: S311 - no secret


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The calls of any of these choices."""

    choices: tuple[Container[int], ...]

    def __contains__(self, number: object) -> bool:
        return any(number in choice for choice in self.choices)


@dataclass(frozen=True, slots=True)
class AllOf:
    """The calls that all of these choices have in common."""

    choices: tuple[Container[int], ...]

    def __contains__(self, number: object) -> bool:
        return all(number in choice for choice in self.choices)


def every(step: int) -> Container[int]:
    """Every so many calls."""
    return range(step, maxsize, step)


def numbered(words: Iterable[str]) -> Container[int]:
    """The calls that `3`, `3-5` and `7-` (the seventh and all after it) name. Raises ValueError."""
    return AnyOf(tuple(_span(word) for word in words))


def _span(word: str) -> range:
    match = _SPAN.fullmatch(word)
    if match is None:
        raise ValueError(f"{word[:30]!r} names no call: write 3, 3-5 or 7-")
    first, dash, last = match.groups()
    if not dash:
        return range(int(first), int(first) + 1)
    if last and int(last) < int(first):
        raise ValueError(f"{word[:30]!r} ends before it begins")
    return range(int(first), int(last) + 1 if last else maxsize)
