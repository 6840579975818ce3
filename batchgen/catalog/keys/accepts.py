"""What one place takes as a medium, and what measuring a local file says about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

from pydantic import model_validator

from batchgen.catalog.data import Data
from batchgen.catalog.keys.key import Fault, either
from batchgen.catalog.request import Measured, Media, MediaKind, kind_of

MEDIA_TYPES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "JPEG": frozenset({"image/jpeg"}),
        "PNG": frozenset({"image/png"}),
        "BMP": frozenset({"image/bmp"}),
        "WEBP": frozenset({"image/webp"}),
        "TIFF": frozenset({"image/tiff"}),
        "WAV": frozenset({"audio/wav"}),
        "MP3": frozenset({"audio/mpeg"}),
        "MP4": frozenset({"video/mp4"}),
        "MOV": frozenset({"video/quicktime"}),
        "AVI": frozenset({"video/x-msvideo"}),
        "PDF": frozenset({"application/pdf"}),
        "Office": frozenset(
            {
                "application/msword",
                "application/vnd.ms-excel",
                "application/vnd.ms-powerpoint",
                "application/vnd.openxmlformats-officedocument.presentationml.presentation",
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            }
        ),
        "text": frozenset({"text/plain", "text/markdown"}),
    }
)
"""The formats of the data files, and the media types by which a file's content is told."""

_NOUNS = {
    MediaKind.IMAGE: "a picture",
    MediaKind.AUDIO: "a sound",
    MediaKind.VIDEO: "a video",
    MediaKind.DOCUMENT: "a document",
    MediaKind.LINK: "the address of a public page",
}
_MEGABYTE = 1_000_000
_MOST_DIGITS = 9
PADDING = 0.1
"""Seconds by which a file may be longer than it is called: an encoder's last frames. A clip of five
seconds has 5.02 in the sample of the service's own video-editing reference, 2026."""


class Accepts(Data):
    """What a medium must be. Bounds are both included; what is None is not limited."""

    kind: MediaKind
    formats: tuple[str, ...] = ()
    """Keys of ``MEDIA_TYPES``."""
    max_bytes: int | None = None
    below_bytes: int | None = None
    """A size that is too large already, where the reference says "less than"."""
    min_side: int | None = None
    """In pixels, of width and height; so is ``max_side``."""
    max_side: int | None = None
    max_ratio: float | None = None
    """Of the long side to the short one."""
    alpha: bool = True
    """Whether a picture may have a channel for transparency."""
    min_seconds: float | None = None
    max_seconds: float | None = None
    """``PADDING`` beyond it is taken."""
    below_seconds: float | None = None
    """A length that is too long already, where the reference says "less than"."""
    data_uri: bool = False
    """Whether the reference says that the field takes data URIs."""
    max: int | None = None
    """How many of it a list may hold."""
    total_seconds: float | None = None
    """Of all of it in a list together."""
    with_result: float | None = None
    """Seconds: of all of it in a list and of the result (``duration``) together."""
    begins_result: bool = False
    """Whether the result begins with it, and has to be longer."""
    plays_along: bool = False
    """Whether it is the result's sound: cut where it is longer, silence where it ends."""
    voice: Accepts | None = None
    """What its ``reference_voice`` must be; None: it has none."""

    @model_validator(mode="after")
    def _knows_its_formats(self) -> Self:
        for name in self.formats:
            if name not in MEDIA_TYPES:
                raise ValueError(f"{name} is none of {', '.join(MEDIA_TYPES)}")
        return self

    def takes(self, media_type: str | None) -> bool:
        """Whether content of this media type is taken; where nothing is said, by its kind."""
        if not self.formats:
            return kind_of(media_type) is self.kind
        return any(media_type in MEDIA_TYPES[name] for name in self.formats)

    def faults(self, medium: Media, result: object = None) -> Iterator[Fault]:
        """Yield what the measured medium breaks; ``result`` is the job's duration."""
        measured = medium.measured
        if measured is None:
            return
        yield from self._faults_of_size(measured.size)
        yield from self._faults_of_sides(measured)
        if measured.alpha and not self.alpha:
            yield Fault("must not have an alpha channel", "save it without transparency")
        yield from self._faults_of_length(measured.seconds, result)

    def _faults_of_size(self, size: int) -> Iterator[Fault]:
        too_large = self.max_bytes is not None and size > self.max_bytes
        not_below = self.below_bytes is not None and size >= self.below_bytes
        if too_large or not_below:
            bounds = [one / _MEGABYTE for one in (self.max_bytes, self.below_bytes) if one]
            told = told_apart(size / _MEGABYTE, bounds).rstrip("0").rstrip(".")
            yield Fault(f"must have {self._size()}, not {told}")

    def _faults_of_sides(self, measured: Measured) -> Iterator[Fault]:
        if measured.width is None or measured.height is None:
            return
        short, long = sorted((measured.width, measured.height))
        is_shown = f"{measured.width}*{measured.height}"
        if short < (self.min_side or 0) or (self.max_side is not None and long > self.max_side):
            yield Fault(f"must have {self._sides()}, not {is_shown}")
        if self.max_ratio is not None and long > self.max_ratio * short:
            message = f"must be at most {self.max_ratio:g} times as long as it is wide or high"
            yield Fault(f"{message}, not {is_shown}")

    def _faults_of_length(self, seconds: float | None, result: object) -> Iterator[Fault]:
        if seconds is None:
            return
        too_short = self.min_seconds is not None and seconds < self.min_seconds
        too_long = self.max_seconds is not None and seconds > self.max_seconds + PADDING
        not_below = self.below_seconds is not None and seconds >= self.below_seconds
        if too_short or too_long or not_below:
            bounds = [
                one for one in (self.min_seconds, self.max_seconds, self.below_seconds) if one
            ]
            yield Fault(f"must last {self._length()}, not {told_apart(seconds, bounds)}")
        if self.begins_result and type(result) is int and seconds >= result > 0:
            told = told_apart(seconds, [result])
            message = (
                f"lasts {told} seconds: the result of {result} begins with it, and has no more"
            )
            yield Fault(message, "ask for a longer duration or cut the clip")

    def faults_together(self, media: Sequence[Media], result: object) -> Iterator[Fault]:
        """Yield what measured media that are sound one by one break together."""
        seconds = sum(medium.measured.seconds or 0.0 for medium in media if medium.measured)
        total = self.total_seconds
        # A lone file that has a limit of its own has been held against it.
        adds_up = len(media) > 1 or self.max_seconds is None
        if total is not None and adds_up and seconds > total + PADDING:
            yield Fault(f"may hold {self.kind}s of {total:g} seconds together, not {seconds:.2f}")
        if self.with_result is not None and type(result) is int:
            left = self.with_result - max(result, 0)
            if seconds > left:
                limit = f"{self.with_result:g} seconds together"
                told = told_apart(seconds, [left])
                message = f"and the result may last {limit}, not {told} + {max(result, 0)}"
                yield Fault(message, "ask for a shorter duration or cut the videos")

    def warnings(self, medium: Media, result: object) -> Iterator[Fault]:
        """Yield what is lost between the medium's seconds and the result's."""
        seconds = medium.measured.seconds if medium.measured else None
        if not self.plays_along or seconds is None or type(result) is not int or result <= 0:
            return
        if seconds > result + PADDING:
            yield Fault(f"lasts {seconds:.2f} seconds: the video ends after {result}, and cuts it")
        elif seconds < result - PADDING:
            silent = f"the rest of the video's {result} seconds is silent"
            yield Fault(f"lasts {seconds:.2f} seconds: {silent}")

    # -- in words ------------------------------------------------------------------------------

    def describe(self) -> str:
        words = [_NOUNS[self.kind]]
        if self.formats:
            words.append(either(self.formats))
        if self.max_side is not None:
            words.append(self._sides())
        if self.max_seconds is not None or self.below_seconds is not None:
            words.append(self._length())
        if self.max_bytes is not None or self.below_bytes is not None:
            words.append(self._size())
        if not self.alpha:
            words.append("no alpha channel")
        return ", ".join(words)

    def _sides(self) -> str:
        return f"sides from {self.min_side} to {self.max_side} pixels"

    def _size(self) -> str:
        if self.below_bytes is not None:
            return f"less than {self.below_bytes / _MEGABYTE:g} MB"
        return f"at most {(self.max_bytes or 0) / _MEGABYTE:g} MB"

    def _length(self) -> str:
        if self.below_seconds is not None:
            return f"less than {self.below_seconds:g} seconds"
        if self.min_seconds is None:
            return f"at most {self.max_seconds:g} seconds"
        return f"{self.min_seconds:g} to {self.max_seconds:g} seconds"

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "description": self.describe()}


def told_apart(value: float, bounds: Iterable[float]) -> str:
    """The value with two decimals, or as many as tell it from the bounds that it breaks."""
    others = [bound for bound in bounds if bound != value]
    for digits in range(2, _MOST_DIGITS):
        told = f"{value:.{digits}f}"
        if told not in {f"{bound:.{digits}f}" for bound in others}:
            return told
    return repr(value)
