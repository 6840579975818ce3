"""The mistakes found in a manifest: gathered, told once each, raised together; and the warnings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from batchgen.catalog.complaint import nearest
from batchgen.errors import ManifestError, Problem

MAX_PROBLEMS = 1_000
"""A file that is wrong in more places is wrong as a whole; the rest is only counted."""


_LONGEST_SHOWN = 60


class Place(NamedTuple):
    """A place in a file, lines and columns from 1 (0: not known)."""

    file: str
    line: int = 0
    column: int = 0

    def seen_from(self, file: str) -> str:
        """Name the place for a reader who is looking at ``file``."""
        return f"line {self.line}" if file == self.file else f"{self.file}:{self.line}"


class Refused(Exception):
    """A file or a line that cannot be read any further."""

    def __init__(self, line: int, column: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.message = message
        self.hint = hint


class Problems:
    """Gathers the problems of one manifest and of the files it names, and warnings apart from them.

    The same words at the same place are told once: a default that does not suit 10,000 jobs is
    one mistake.
    """

    def __init__(self) -> None:
        self._mistakes = _Told()
        self._warnings = _Told()

    def add(self, place: Place, message: str, hint: str | None = None) -> None:
        self._mistakes.add(Problem(*place, message, hint))

    def warn(self, place: Place, message: str, hint: str | None = None) -> None:
        """Add what a person should know, and what stops nothing."""
        self._warnings.add(Problem(*place, message, hint))

    def add_refused(self, file: str, refused: Refused) -> None:
        self.add(Place(file, refused.line, refused.column), refused.message, refused.hint)

    def __bool__(self) -> bool:
        return bool(self._mistakes.found)

    def error(self, manifest: str) -> ManifestError:
        """All problems in the order of their places, as the error to raise; with the warnings."""
        problems = self._mistakes.in_order(manifest, "problems")
        return ManifestError(problems, warnings=self.warnings(manifest))

    def warnings(self, manifest: str) -> tuple[Problem, ...]:
        """All warnings in the order of their places."""
        return tuple(self._warnings.in_order(manifest, "warnings"))


class _Told:
    def __init__(self) -> None:
        self.found: set[Problem] = set()
        self._untold = 0

    def add(self, problem: Problem) -> None:
        if problem in self.found:
            return
        if len(self.found) < MAX_PROBLEMS:
            self.found.add(problem)
        else:
            self._untold += 1

    def in_order(self, manifest: str, what: str) -> list[Problem]:
        told = sorted(self.found, key=lambda p: (p.file, p.line, p.column, p.message))
        if self._untold:
            told.append(Problem(manifest, 0, 0, f"{self._untold:,} more {what} are not shown"))
        return told


def quoted(word: object) -> str:
    """Show what somebody wrote in one line of a message, cut where it is long."""
    text = " ".join(str(word).split())
    return f"`{text[:_LONGEST_SHOWN]}...`" if len(text) > _LONGEST_SHOWN else f"`{text}`"


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return the hint for a misspelt word, None where nothing is near."""
    meant = nearest(word, tuple(sorted(known)))
    return f"did you mean {quoted(meant)}?" if meant else None
