"""A request: what one paid task asks for, apart from how it is sent.

A request's identity is the manifest entry resolved with its defaults, with local media named by
their content (SHA-256) instead of their path: reordering the manifest, moving keys between
``defaults`` and a job, or renaming a picture changes nothing; changing a word or a pixel does.
The wire body is built from it at submit (``Model.body``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Media:
    """One media input: where the manifest says it is, and for a local file what is in it."""

    source: str
    """As the manifest writes it: a path relative to the manifest, a URL, or a data URI."""
    sha256: str | None = None
    """Of a local file's bytes; None where batchgen does not read the bytes itself."""
    media_type: str | None = None
    """Of a local file, by its content."""

    @property
    def identity(self) -> str:
        """What makes two inputs the same input."""
        return f"sha256:{self.sha256}" if self.sha256 else self.source


@dataclass(frozen=True, slots=True)
class Request:
    """One paid request, complete: nothing that costs is left to the service's defaults.

    ``inputs`` holds the text inputs (``prompt``, ``negative_prompt``, ``template`` ...) under the
    API's names, ``media`` the media inputs (one item for ``img_url``, several for ``images``).
    """

    model: str
    inputs: Mapping[str, str]
    media: Mapping[str, tuple[Media, ...]]
    parameters: Mapping[str, Any]
    extra_input: Mapping[str, Any] = field(default_factory=dict)
    extra_parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prompt(self) -> str | None:
        return self.inputs.get("prompt")

    @property
    def results(self) -> int:
        """How many files the request asks for."""
        return int(self.parameters.get("n", 1))

    def document(self) -> dict[str, Any]:
        """The request as JSON data, sources included; ``from_document`` reads it back."""
        return {
            "model": self.model,
            "inputs": dict(self.inputs),
            "media": {
                key: [
                    {"source": item.source, "sha256": item.sha256, "media_type": item.media_type}
                    for item in items
                ]
                for key, items in self.media.items()
            },
            "parameters": dict(self.parameters),
            "extra_input": dict(self.extra_input),
            "extra_parameters": dict(self.extra_parameters),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Request:
        media = {
            key: tuple(Media(**item) for item in items) for key, items in document["media"].items()
        }
        return cls(**{**document, "media": media})

    def identity(self) -> str:
        """The SHA-256 of what is asked for, in hexadecimal: equal for equal requests."""
        document = self.document()
        document["media"] = {
            key: [item.identity for item in items] for key, items in self.media.items()
        }
        canonical = json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()
