"""Media that a job names: a URL, a data URI, or a local file, which is looked into once.

A manifest may come from a stranger, and what it names is sent away. So a local file must lie in
the manifest's own folder or below it (links followed), be a regular file, and begin like one of
the formats that the service takes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from batchgen.catalog import Media
from batchgen.manifest.files import NotAFile, open_regular
from batchgen.manifest.problems import quoted

MAX_BYTES = 10_000_000
"""Of a local file. It is sent inside the request, and 10 MB of picture is what every model takes
(Image to video, 2026-05)."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):", re.IGNORECASE)
_DATA_URI = re.compile(r"data:[a-z]+/[a-z0-9.+-]+;base64,[a-z0-9+/]+={0,2}", re.IGNORECASE)

_PICTURES: dict[str, Callable[[bytes], bool]] = {
    "PNG": lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"),
    "JPEG": lambda head: head.startswith(b"\xff\xd8\xff"),
    "WEBP": lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP",
    "BMP": lambda head: head.startswith(b"BM"),
}
_SOUNDS: dict[str, Callable[[bytes], bool]] = {
    "WAV": lambda head: head.startswith(b"RIFF") and head[8:12] == b"WAVE",
    "MP3": lambda head: head.startswith(b"ID3") or _is_mp3_frame(head),
}

_MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "WAV": "audio/wav",
    "MP3": "audio/mpeg",
}


def _is_mp3_frame(head: bytes) -> bool:
    """Whether an MPEG audio frame of layer III begins here (ISO/IEC 11172-3, 2.4.1.3)."""
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2  # noqa: PLR2004


class Unusable(NamedTuple):
    """Why a media input cannot be used, and what would be right."""

    message: str
    hint: str | None = None


class MediaFolder:
    """The media of one manifest. Each local file is read once, however many jobs name it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = folder.resolve()
        self._seen: dict[tuple[str, bool], Media | Unusable] = {}

    def find(self, key: str, source: str) -> Media | Unusable:
        """Return the media that ``key`` names as ``source``."""
        sound = "audio" in key  # the API's keys for sounds, and no others, say so
        found = self._seen.get((source, sound))
        if found is None:
            found = self._seen[source, sound] = self._look(source, _SOUNDS if sound else _PICTURES)
        return found

    def _look(self, source: str, formats: dict[str, Callable[[bytes], bool]]) -> Media | Unusable:
        scheme = _SCHEME.match(source)
        if scheme is None:
            return self._local(source, formats)
        match scheme[1].lower():
            case "http" | "https" | "oss":
                return Media(source) if _has_host(source) else Unusable("this URL names no host")
            case "data" if _DATA_URI.fullmatch(source):
                return Media(source)
            case "data":
                hint = "for example data:image/png;base64,iVBORw0KGgo="
                return Unusable("this data URI is not a media type and base64", hint)
        return Unusable(
            f"`{scheme[1]}:` cannot be used here",
            "give an http(s) URL, a data URI, or a path relative to the manifest",
        )

    def _local(self, source: str, formats: dict[str, Callable[[bytes], bool]]) -> Media | Unusable:
        path = self._folder / source
        if not self._holds(path):
            hint = "only files beside the manifest or below it are sent"
            return Unusable(f"{quoted(source)} lies outside the manifest's folder", hint)
        try:
            with open_regular(path) as stream:
                content = stream.read(MAX_BYTES + 1)
        except NotAFile as reason:
            return Unusable(f"{quoted(source)}: {reason.message}", reason.hint)
        except OSError as error:
            return Unusable(f"{quoted(source)}: it cannot be read: {error.strerror}")
        if len(content) > MAX_BYTES:
            hint = "a local file is sent inside the request; make it smaller or give its URL"
            return Unusable(f"{quoted(source)} has more than {MAX_BYTES // 1_000_000} MB", hint)
        names = [name for name, begins_like in formats.items() if begins_like(content[:16])]
        if not names:
            return Unusable(f"{quoted(source)} is no {' or '.join(formats)} file by its content")
        return Media(source, hashlib.sha256(content).hexdigest(), _MEDIA_TYPES[names[0]])

    def _holds(self, path: Path) -> bool:
        try:
            return path.resolve().is_relative_to(self._root)
        except (OSError, RuntimeError, ValueError):
            return False  # a loop of links leads nowhere


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname) and not re.search(r"\s", url)
    except ValueError:
        return False
