"""A request: what one paid task asks for, apart from how it is sent.

A request's identity is the manifest entry resolved with its defaults, with local media named by
their content (SHA-256) instead of their path: reordering the manifest, moving keys between
``defaults`` and a job, or renaming a picture changes nothing; changing a word or a pixel does.
The wire body is built from it at submit (``Model.body``).

A document leaves out what is not there, so that what was written before a field existed reads
back as the same request with the same identity.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""Of the many requests that have none of something, each would hold an empty one of its own."""

_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False)


class MediaKind(StrEnum):
    """What a medium is."""

    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"
    LINK = "link"


_KINDS: Mapping[str, MediaKind] = {
    "image": MediaKind.IMAGE,
    "audio": MediaKind.AUDIO,
    "video": MediaKind.VIDEO,
    "text": MediaKind.DOCUMENT,
    "application": MediaKind.DOCUMENT,
}
"""By the first half of a media type."""


def kind_of(media_type: str | None) -> MediaKind | None:
    """What content of this media type is; None where that is not known."""
    return _KINDS.get((media_type or "").partition("/")[0])


class Answer(StrEnum):
    """How a request is answered."""

    TASK = "task"
    """With the id of a task, to be polled."""
    SYNC = "sync"
    """With the results, in one answer."""
    STREAM = "stream"
    """With the results, piece by piece, as server-sent events."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a local file is, measured from its bytes; None where it has no such thing."""

    size: int
    """In bytes."""
    width: int | None = None
    """In pixels, as the file is shown; so is the height."""
    height: int | None = None
    seconds: float | None = None
    alpha: bool | None = None
    """Whether the picture has a channel for transparency."""


@dataclass(frozen=True, slots=True)
class Media:
    """One media input: where the manifest says it is, and for a local file what is in it."""

    source: str
    """As the manifest writes it: a path relative to the manifest, a URL, or a data URI."""
    sha256: str | None = None
    """Of a local file's bytes; None where batchgen does not read the bytes itself."""
    media_type: str | None = None
    """Of a local file, by its content."""
    role: str | None = None
    """The ``type`` of an item of ``media:``; None where the key alone says what it is for."""
    voice: Media | None = None
    """The item's ``reference_voice``."""
    measured: Measured | None = None
    """Of a local file; no part of what is asked for."""

    @property
    def identity(self) -> Any:
        """What makes two inputs the same input."""
        content = f"sha256:{self.sha256}" if self.sha256 else self.source
        if self.role is None:
            return content
        return {"type": self.role, "url": content, "voice": self.voice and self.voice.identity}

    @property
    def kind(self) -> MediaKind | None:
        """By the media type; None where that is not known."""
        return kind_of(self.media_type)

    def with_voice(self) -> Iterator[Media]:
        """Yield the medium itself and, if it has one, its voice."""
        yield self
        if self.voice:
            yield self.voice

    def document(self) -> dict[str, Any]:
        """The medium as JSON data; ``from_document`` reads it back."""
        document: dict[str, Any] = {
            "source": self.source,
            "sha256": self.sha256,
            "media_type": self.media_type,
        }
        if self.role is not None:
            document["role"] = self.role
        if self.voice is not None:
            document["voice"] = self.voice.document()
        if self.measured is not None:
            document["measured"] = asdict(self.measured)
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        voice, measured = document.get("voice"), document.get("measured")
        return cls(
            **{
                **document,
                "voice": voice and cls.from_document(voice),
                "measured": measured and Measured(**measured),
            }
        )


@dataclass(frozen=True, slots=True)
class Request:
    """One paid request, complete: nothing that costs is left to the service's defaults.

    ``inputs`` holds the text inputs (``prompt``, ``negative_prompt``, ``template`` ...) under the
    API's names and as the manifest writes them, ``media`` the media inputs (one item for
    ``img_url``, several, in order, for ``images``).
    """

    model: str
    inputs: Mapping[str, str]
    media: Mapping[str, tuple[Media, ...]]
    parameters: Mapping[str, Any]
    extra_input: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    extra_parameters: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    cut: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Of texts that were too long and may be cut: what is sent of them."""
    answer: Answer = Answer.TASK
    detect: bool = False
    """Whether the picture is to be inspected before the request is sent (``Model.inspection``)."""

    @property
    def prompt(self) -> str | None:
        return self.inputs.get("prompt")

    @property
    def results(self) -> int:
        """How many files the request asks for, at most."""
        return int(self.parameters.get("max_images") or self.parameters.get("n", 1))

    @property
    def files(self) -> tuple[Media, ...]:
        """Every medium of the request, voices included, in the order of keys and items."""
        return tuple(
            medium
            for items in self.media.values()
            for item in items
            for medium in item.with_voice()
        )

    def document(self) -> dict[str, Any]:
        """The request as JSON data, sources included; ``from_document`` reads it back."""
        document = self._document_without_media()
        media = {key: [item.document() for item in items] for key, items in self.media.items()}
        return {**document, "media": media}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        media = {
            key: tuple(Media.from_document(item) for item in items)
            for key, items in document["media"].items()
        }
        answer = Answer(document.get("answer", Answer.TASK))
        return cls(**{**document, "media": media, "answer": answer})

    def identity(self) -> str:
        """The SHA-256 of what is asked for, in hexadecimal: equal for equal requests."""
        document = self._document_without_media()
        document["media"] = {
            key: [item.identity for item in items] for key, items in self.media.items()
        }
        return hashlib.sha256(_CANONICAL.encode(document).encode()).hexdigest()

    def _document_without_media(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "model": self.model,
            "inputs": dict(self.inputs),
            "parameters": dict(self.parameters),
            "extra_input": dict(self.extra_input),
            "extra_parameters": dict(self.extra_parameters),
        }
        if self.cut:
            document["cut"] = dict(self.cut)
        if self.answer is not Answer.TASK:
            document["answer"] = self.answer.value
        if self.detect:
            document["detect"] = True
        return document
