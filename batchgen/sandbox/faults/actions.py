"""What can go wrong: frozen values, one class a kind of misbehaviour.

Five families: answers in the place of the real one, damage to its way over the wire, changes of
what it says, the fate of a task, and standing conditions. Sizes are bytes, times are seconds. The
bounds are checked where a script is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, NonNegativeInt, PositiveInt

_UNITS = {"s": 1, "m": 60, "h": 3600}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*([smh])")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

HttpStatus = Annotated[int, Field(ge=200, le=599)]


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _TIME.fullmatch(value)
    if match is None:
        raise ValueError("write seconds, or 90s, 10m, 2h")
    return float(match[1]) * _UNITS[match[2]]


def _printable(text: str) -> str:
    if _UNPRINTABLE.search(text):
        raise ValueError("it must be a line without control characters")
    return text


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0)]
"""As a number, or with its unit."""

Line = Annotated[str, AfterValidator(_printable)]
"""A header is not ended by what stands in it, and XML cannot hold every character."""

Word = Annotated[str, Field(coerce_numbers_to_str=True), AfterValidator(_printable)]
"""`retry_after: 3` is what people write."""


class Content(StrEnum):
    """What stands where JSON or a file should be."""

    HTML = "html"
    """The error page of a gateway."""
    XML = "xml"
    """An error as object storage words it."""
    EMPTY = "empty"
    GARBAGE = "garbage"
    """Bytes that are no text in any encoding."""
    NAN = "nan"
    """JSON as Python writes it and nobody may: with `NaN` for a number."""


class Ending(StrEnum):
    """How an answer that was cut short ends."""

    RESET = "reset"
    """The whole length is announced; the connection is reset."""
    CLOSE = "close"
    """No length is announced; the connection is closed politely, so that nothing tells."""
    CHUNK = "chunk"
    """Sent in chunks, of which the last one is missing."""
    WHOLE = "whole"
    """The length announced is what is sent: a proper answer with half a body."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer with an error of the service instead: flat JSON from the API, XML from the object
    store. With status 200 it is the error that some gateways wrap so.
    """

    status: HttpStatus
    code: Word
    message: Line = ""
    retry_after: Word | None = None
    """The header `Retry-After`, as it stands; the real service sends none."""


@dataclass(frozen=True, slots=True)
class Page:
    """Answer with something that is not of the service at all."""

    content: Content
    status: HttpStatus = 200


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer with a redirect to a URL; "" leads back to the same one, for ever."""

    to: Line = ""
    status: HttpStatus = 302


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Send the first `size` bytes of the body (None: nothing at all), then nothing more until the
    client goes.
    """

    size: NonNegativeInt | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """Let seconds pass first: before the work, or between the work and the answer's first byte."""

    seconds: Seconds


@dataclass(frozen=True, slots=True)
class Drip:
    """Send the body slowly, in bytes a second."""

    rate: float

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise ValueError("a rate must be above zero; a body that never comes is a stall")


@dataclass(frozen=True, slots=True)
class CutShort:
    """Send the first `size` bytes of the body (None: half of it)."""

    size: NonNegativeInt | None = None
    ending: Ending = Ending.RESET


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Flip bits of `size` bytes in the middle; length, headers and checksums stay."""

    size: NonNegativeInt = 64


@dataclass(frozen=True, slots=True)
class WrongLength:
    """Announce a length that is wrong by so many bytes, and send the whole body."""

    by: int = -100


@dataclass(frozen=True, slots=True)
class Gzip:
    """Send the body compressed, asked or not."""


@dataclass(frozen=True, slots=True)
class Endless:
    """Announce no length and repeat the body; `size` bytes bound it, for the sake of disks."""

    size: NonNegativeInt = 64 << 20


@dataclass(frozen=True, slots=True)
class Flap:
    """Show a task in another status than its own, with nothing but its id."""

    status: Line = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Omit:
    """Leave out so many rows of a page of the list, the newest first (None: all)."""

    rows: NonNegativeInt | None = None


@dataclass(frozen=True, slots=True)
class Lag:
    """The list does not know tasks yet that are younger, in seconds of the sandbox's clock."""

    seconds: Seconds


@dataclass(frozen=True, slots=True)
class Limits:
    """Other limits of a model than its own (None: its own): submits per second, tasks running at
    once, tasks waiting.
    """

    per_second: NonNegativeInt | None = None
    running: NonNegativeInt | None = None
    queue: NonNegativeInt | None = None

    def over(self, others: InForce) -> InForce:
        """These limits, and the others where these say nothing."""
        mine = (self.per_second, self.running, self.queue)
        return InForce(*(o if m is None else m for m, o in zip(mine, others, strict=True)))


class InForce(NamedTuple):
    """The limits of a model now."""

    per_second: int
    running: int
    queue: int


@dataclass(frozen=True, slots=True)
class Fail:
    """The task fails: at inspection, seconds after the submit, or after `rendering` seconds in a
    slot.
    """

    code: Line = "DataInspectionFailed"
    message: Line = "Input data may contain inappropriate content."
    rendering: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Stuck:
    """The task never ends: RUNNING, in its slot, or PENDING."""

    pending: bool = False


@dataclass(frozen=True, slots=True)
class Slow:
    """The task waits and renders so many times as long; 0 is at once."""

    factor: Annotated[float, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Partial:
    """Images fail, unbilled, while the others of the task succeed; `places` count from one."""

    places: tuple[PositiveInt, ...] = (1,)
    code: Line = "DataInspectionFailed"
    message: Line = "Output data may contain inappropriate content."


Fate = Fail | Stuck | Slow | Partial
Replacement = Answer | Page | Redirect
Damage = Reset | Stall | Delay | Drip | CutShort | WrongLength | Endless
Change = Corrupt | Gzip | Flap | Omit
Condition = Lag | Limits
Action = Replacement | Damage | Change | Fate | Condition

KINDS: Mapping[str, type[Action]] = {
    "answer": Answer,
    "page": Page,
    "redirect": Redirect,
    "reset": Reset,
    "stall": Stall,
    "delay": Delay,
    "drip": Drip,
    "cut": CutShort,
    "corrupt": Corrupt,
    "wrong length": WrongLength,
    "gzip": Gzip,
    "endless": Endless,
    "flap": Flap,
    "omit": Omit,
    "lag": Lag,
    "limits": Limits,
    "fail": Fail,
    "stuck": Stuck,
    "slow": Slow,
    "partial": Partial,
}
"""Each kind under the name that a script and a report have for it."""

_NAMES = {kind: name for name, kind in KINDS.items()}


def in_words(action: Action) -> str:
    """The kind, and what it was given beyond its defaults: `cut (size 100)`."""
    given = [
        f"{each.name.replace('_', ' ')} {getattr(action, each.name)}"
        for each in fields(action)
        if getattr(action, each.name) != each.default
    ]
    name = _NAMES[type(action)]
    return f"{name} ({', '.join(given)})" if given else name
