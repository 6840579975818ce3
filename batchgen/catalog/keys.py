"""What one key of a job takes: its type, its bounds, its default and its place in the request.

A key's class is chosen by ``type:`` in the data. ``fault(value)`` says what is wrong with a value
in words that follow "<key> of <model>"; the model makes a ``Complaint`` of them. A value is plain
Python as a manifest gives it; nothing is converted, because a silent conversion is a guess about
what somebody pays for.
"""

from __future__ import annotations

import re
import reprlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from batchgen.catalog.data import Data

_WIDTH_HEIGHT = re.compile(r"([1-9][0-9]{0,4})\*([1-9][0-9]{0,4})")
_LONGEST_WORD = 40
"""In characters: nothing longer is a spelling of a size or a choice, or worth being shown whole."""


class Place(StrEnum):
    """Where in the request's body a key goes."""

    INPUT = "input"
    PARAMETERS = "parameters"
    MESSAGE = "message"
    """A part of the content of the one message in ``input.messages``."""


class Fault(NamedTuple):
    """What is wrong with a value, and what would be right."""

    message: str
    hint: str | None = None


class Key(Data):
    """One key of a job, as one model takes it."""

    raw_text: ClassVar[bool]
    """Whether a manifest's scalar is taken as it is written, even where it looks like a number."""

    at: Place
    required: bool = False
    needs: Mapping[str, bool] = {}
    """Switches that the service must find so, or it ignores this key."""
    overrules: tuple[str, ...] = ()
    """Keys that the service ignores when this one is given."""

    @abstractmethod
    def fault(self, value: object) -> Fault | None:
        """What is wrong with the value; None: nothing."""

    def tier(self, value: object) -> str | None:  # noqa: ARG002  # for keys that set no price
        """The price tier that the value chooses; None where the key has nothing to do with it."""
        return None


class Text(Key):
    """Words for the model. The service cuts what is too long without a word, and bills it."""

    raw_text = True
    type: Literal["text"]
    at: Place = Place.INPUT
    max_length: int | None = None
    """In characters (Unicode code points)."""

    def fault(self, value: object) -> Fault | None:
        if not isinstance(value, str):
            return Fault(f"must be text, not {_shown(value)}", "put it in quotes")
        if not value or value.isspace():
            return Fault("is empty", None if self.required else "leave the key out")
        if self.max_length is not None and len(value) > self.max_length:
            excess = len(value) - self.max_length
            return Fault(
                f"has {len(value):,} characters, {excess:,} more than its limit of "
                f"{self.max_length:,}",
                "the service would cut it silently",
            )
        return _not_encodable(value)


class MediaFile(Key):
    """A picture, a sound or a video: a local path, a URL or a data URI."""

    raw_text = True
    type: Literal["media"]
    at: Place = Place.INPUT

    def fault(self, value: object) -> Fault | None:
        if not isinstance(value, str):
            return Fault(f"must be a path or a URL, not {_shown(value)}")
        if not value or value.isspace():
            return Fault("is empty", "name a file or a URL")
        return _not_encodable(value)


class Integer(Key):
    """A whole number within bounds, both included."""

    raw_text = False
    type: Literal["integer"]
    at: Place = Place.PARAMETERS
    minimum: int
    maximum: int
    default: int | None = None

    def fault(self, value: object) -> Fault | None:
        if type(value) is not int:
            return _not_whole(value)
        if not self.minimum <= value <= self.maximum:
            return Fault(f"must be from {self.minimum} to {self.maximum}, not {_shown(value)}")
        return None


class Steps(Key):
    """One of a few whole numbers."""

    raw_text = False
    type: Literal["steps"]
    at: Place = Place.PARAMETERS
    one_of: tuple[int, ...]
    default: int | None = None

    def fault(self, value: object) -> Fault | None:
        if type(value) is not int:
            return _not_whole(value)
        if value not in self.one_of:
            return Fault(f"must be {_either(self.one_of)}, not {_shown(value)}")
        return None


class Switch(Key):
    """True or false."""

    raw_text = False
    type: Literal["switch"]
    at: Place = Place.PARAMETERS
    default: bool | None = None

    def fault(self, value: object) -> Fault | None:
        if isinstance(value, bool):
            return None
        return Fault(
            f"must be true or false, not {_shown(value)}",
            "write it without quotes" if value in ("true", "false") else None,
        )


class Word(Key):
    """One of a few words."""

    raw_text = True
    at: Place = Place.PARAMETERS
    one_of: tuple[str, ...]
    default: str | None = None

    def fault(self, value: object) -> Fault | None:
        return _not_among(self.one_of, value)


class Choice(Word):
    """A word that has nothing to do with the price."""

    type: Literal["choice"]


class Resolution(Word):
    """A word that names the price tier itself (``720P``)."""

    type: Literal["resolution"]

    def tier(self, value: object) -> str | None:
        return str(value)


class Size(Key):
    """Width and height in pixels (``1280*720``), one of a list; each belongs to a price tier."""

    raw_text = True
    type: Literal["size"]
    at: Place = Place.PARAMETERS
    tiers: Mapping[str, tuple[str, ...]]
    default: str | None = None

    @cached_property
    def _tier_of(self) -> Mapping[object, str]:
        return {size: tier for tier, sizes in self.tiers.items() for size in sizes}

    def fault(self, value: object) -> Fault | None:
        if isinstance(value, str) and value in self._tier_of:
            return None
        return _not_among([size for sizes in self.tiers.values() for size in sizes], value)

    def tier(self, value: object) -> str | None:
        return self._tier_of[value]


class Pixels(Key):
    """Width and height in pixels (``1280*1280``), free within bounds of area, side and ratio."""

    raw_text = True
    type: Literal["pixels"]
    at: Place = Place.PARAMETERS
    min_side: int = 1
    max_side: int | None = None
    min_area: int = 1
    max_area: int | None = None
    max_ratio: float | None = None
    """Of the long side to the short one."""
    besides: tuple[str, ...] = ()
    """Sizes that the reference recommends although they break the bounds it states."""
    default: str

    def fault(self, value: object) -> Fault | None:
        if value in self.besides:
            return None
        hint = f"for example {', '.join((self.default, *self.besides))}"
        sides = _WIDTH_HEIGHT.fullmatch(value) if isinstance(value, str) else None
        if sides is None:
            respelled = _respelled(value)
            if _WIDTH_HEIGHT.fullmatch(respelled):
                hint = f"write {respelled}"
            return Fault(f"must be WIDTH*HEIGHT in pixels, not {_shown(value)}", hint)
        broken = self._broken_bound(*map(int, sides.groups()))
        return Fault(f"{broken}, not {value}", hint) if broken else None

    def _broken_bound(self, width: int, height: int) -> str | None:
        short, long = sorted((width, height))
        area = width * height
        if short < self.min_side or (self.max_side is not None and long > self.max_side):
            return f"must have sides from {self.min_side} to {self.max_side} pixels"
        if area < self.min_area or (self.max_area is not None and area > self.max_area):
            return f"must have from {self.min_area:,} to {self.max_area:,} pixels in all"
        if self.max_ratio is not None and long > self.max_ratio * short:
            return f"must be at most {self.max_ratio:g} times as long as it is wide or high"
        return None


Parameter = Integer | Steps | Switch | Choice | Resolution | Size | Pixels
"""The keys that are settings, and may have a default."""

AnyKey = Annotated[Text | MediaFile | Parameter, Field(discriminator="type")]


def _shown(value: object) -> str:
    """The value for a sentence: what is long or deep is cut."""
    text = reprlib.repr(value)
    return text if len(text) <= _LONGEST_WORD else f"{text[: _LONGEST_WORD - 3]}..."


def _not_encodable(text: str) -> Fault | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return Fault(f"has half a character (a lone surrogate) at position {error.start + 1}")
    return None


def _not_whole(value: object) -> Fault:
    hint = None
    if isinstance(value, float) and value.is_integer():
        hint = f"write {value:.0f}"
    elif isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}", value):
        hint = f"write {value} without quotes"
    return Fault(f"must be a whole number, not {_shown(value)}", hint)


def _not_among(words: Sequence[str], value: object) -> Fault | None:
    if value in words:
        return None
    meant = _respelled(value)
    for word in words:
        if meant == _respelled(word):
            return Fault(f"must be {word}, not {_shown(value)}", f"write {word}")
    return Fault(f"must be {_either(words)}, not {_shown(value)}")


def _respelled(value: object) -> str:
    """What two spellings of one size or word have in common: ``1280 x 720``, ``1280*720``."""
    text = value[:_LONGEST_WORD] if isinstance(value, str) else ""
    return re.sub(r"\s*[x×*]\s*", "*", text.strip().casefold())  # noqa: RUF001


def _either(options: Sequence[object]) -> str:
    """``5``, ``5 or 10``, ``3, 4 or 5``."""
    *others, last = map(str, options)
    return f"{', '.join(others)} or {last}" if others else last
