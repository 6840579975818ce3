"""What every key of a job has, and the words in which a value is found wanting."""

from __future__ import annotations

import re
import reprlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from batchgen.catalog.complaint import Path
from batchgen.catalog.data import Data

LONGEST_WORD = 40
"""In characters: nothing longer is a spelling of a size or a choice, or worth being shown whole."""


class Place(StrEnum):
    """Where in the request's body a key goes."""

    INPUT = "input"
    PARAMETERS = "parameters"
    MESSAGE = "message"
    """A part of the content of the one message in ``input.messages``."""
    JOB = "job"
    """Nowhere: it says how batchgen is to treat the job."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a value, in words that follow its key, and what would be right."""

    message: str
    hint: str | None = None
    at: Path = ()
    """The place within the value."""


class Key(Data):
    """One key of a job, as one model takes it."""

    raw_text: ClassVar[bool]
    """Whether a manifest's scalar is taken as it is written, even where it looks like a number."""

    at: Place
    required: bool = False

    @abstractmethod
    def faults(self, value: object) -> Iterator[Fault]:
        """Yield all that is wrong with the value."""

    @abstractmethod
    def describe(self) -> str:
        """What the key takes, in a few words (``2 to 15``)."""

    @abstractmethod
    def json_schema(self) -> dict[str, Any]:
        """What the key takes, as a JSON Schema (draft 2020-12)."""

    def tier(self, value: object) -> str | None:  # noqa: ARG002  # for keys that set no price
        """The price tier that the value chooses; None where the key has nothing to do with it."""
        return None


def shown(value: object) -> str:
    """The value for a sentence: what is long or deep is cut."""
    text = reprlib.repr(value)
    return text if len(text) <= LONGEST_WORD else f"{text[: LONGEST_WORD - 3]}..."


def not_encodable(text: str) -> Iterator[Fault]:
    """Yield a fault if the text holds half a character, which no encoding can send."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        yield Fault(f"has half a character (a lone surrogate) at position {error.start + 1}")


def not_among(words: Sequence[str], value: object) -> Iterator[Fault]:
    """Yield a fault if the value is none of the words; it tells a respelling from a stranger."""
    if value in words:
        return
    meant = respelled(value)
    for word in words:
        if meant == respelled(word):
            yield Fault(f"must be {word}, not {shown(value)}", f"write {word}")
            return
    yield Fault(f"must be {either(words)}, not {shown(value)}")


def respelled(value: object) -> str:
    """What two spellings of one size or word have in common: ``1280 x 720``, ``1280*720``."""
    text = value[:LONGEST_WORD] if isinstance(value, str) else ""
    return re.sub(r"\s*[x×*]\s*", "*", text.strip().casefold())  # noqa: RUF001


def either(options: Sequence[object], word: str = "or") -> str:
    """``5``, ``5 or 10``, ``3, 4 or 5``."""
    *others, last = map(str, options)
    return f"{', '.join(others)} {word} {last}" if others else last
