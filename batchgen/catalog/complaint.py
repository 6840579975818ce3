"""What is wrong with a job, and what was probably meant."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

Path = tuple[str | int, ...]
"""A place in a job: its key, and below that indexes and names (``("media", 1, "url")``)."""


class Severity(StrEnum):
    """Whether a complaint stops the job."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Complaint:
    """One mistake in a job, and what would be right; or a warning, which stops nothing."""

    path: Path
    """The place at fault; empty: the job as a whole."""
    message: str
    hint: str | None = None
    severity: Severity = Severity.ERROR


# A misspelt key in a manifest's defaults is looked up once for each of its jobs.
@lru_cache(maxsize=256)
def nearest(word: str, words: tuple[str, ...]) -> str | None:
    """The one of ``words`` that ``word`` was probably meant to be; case does not count."""
    spelled = {candidate.casefold(): candidate for candidate in words}
    close = difflib.get_close_matches(word.casefold(), spelled, n=1)
    return spelled[close[0]] if close else None
