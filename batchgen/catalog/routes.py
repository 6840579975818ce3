"""How a request travels: to which path, with which headers, and its media in which way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import field_validator

from batchgen.catalog.complaint import Path
from batchgen.catalog.data import Data
from batchgen.catalog.request import MediaKind

INLINE_LIMIT = 2_000_000
"""In bytes: a local file of more is uploaded, even where the field takes data URIs. A body with
a handful of such files stays below what gateways take."""

_HEADER = "x-dashscope-"


class Way(StrEnum):
    """How a medium gets to the service."""

    AS_IS = "as is"
    """It is a URL or a data URI already."""
    INLINE = "inline"
    """The file's bytes go into the body, as a data URI."""
    UPLOAD = "upload"
    """The file goes to the service's temporary storage, and its ``oss://`` URL into the body."""


@dataclass(frozen=True, slots=True)
class MediaSlot:
    """One place where a job names a medium."""

    path: Path
    """``("img_url",)``, ``("images", 0)``, ``("media", 1, "url")``."""
    source: str
    kinds: frozenset[MediaKind]
    """What the medium may be."""
    role: str | None = None
    """The ``type`` of an item of ``media:``; ``reference_voice`` for the voice of one."""


class Route(Data):
    """Where one kind of answer is asked for."""

    path: str
    """Below the base URL."""
    headers: Mapping[str, str] = {}
    """Besides those of every request."""
    parameters: Mapping[str, Any] = {}
    """That the body needs besides the job's own."""

    @field_validator("path")
    @classmethod
    def _stays_below(cls, path: str) -> str:
        """A file from a stranger must not lead a request, and the key in it, elsewhere."""
        if not all(_is_plain(name) for name in path.split("/")):
            raise ValueError("must be plain names joined by `/`, relative to the base URL")
        return path

    @field_validator("headers")
    @classmethod
    def _are_of_the_service(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        for name, value in headers.items():
            if not (name.lower().startswith(_HEADER) and _is_plain(name) and _is_plain(value)):
                raise ValueError("only plain X-DashScope-* headers can be set")
        return headers


def _is_plain(name: str) -> bool:
    """Whether it holds nothing that means something in a URL or a header, nor is `.` or `..`."""
    return name.isascii() and name.replace("-", "").replace("_", "").replace(".", "").isalnum()
