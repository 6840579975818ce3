"""Media that a job names: a URL, a data URI, or a local file, which is looked into once.

A manifest may come from a stranger, and what it names is sent away. So a local file must lie in
the manifest's own folder or below it (links followed), be a regular file, and be of a kind that the
place takes, by its content. It is hashed and measured piece by piece, however large it is.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from batchgen.catalog import Measured, Media, MediaKind
from batchgen.catalog.request import kind_of
from batchgen.manifest.files import NotAFile, open_regular
from batchgen.manifest.problems import quoted

MAX_BYTES = 1_000_000_000
"""Of a local file: ten times what any model takes (100 MB, Reference to video, 2026-05)."""
MAX_URI = 40_000_000
"""Characters of a data URI: those of 30 MB, more than any picture may have."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):", re.IGNORECASE)
_DATA_URI = re.compile(r"data:([a-z]+/[a-z0-9.+-]+);base64,", re.IGNORECASE)

_WANTED: Mapping[MediaKind, str] = {
    MediaKind.IMAGE: "a picture such as PNG or JPEG",
    MediaKind.AUDIO: "a sound such as WAV or MP3",
    MediaKind.VIDEO: "a video such as MP4 or MOV",
    MediaKind.DOCUMENT: "a document such as a PDF or a text",
}
_NAMES: Mapping[str, str] = {
    "image/png": "a PNG picture",
    "image/jpeg": "a JPEG picture",
    "image/webp": "a WEBP picture",
    "image/bmp": "a BMP picture",
    "image/tiff": "a TIFF picture",
    "audio/wav": "a WAV sound",
    "audio/mpeg": "an MP3 sound",
    "video/mp4": "an MP4 video",
    "video/quicktime": "a MOV video",
    "video/x-msvideo": "an AVI video",
}

_HEAD = 4_096
_OPEN_XML = "application/vnd.openxmlformats-officedocument"
_DOCUMENTS: Mapping[bytes, Mapping[str, str]] = {
    b"%PDF-": {"": "application/pdf"},
    b"PK\x03\x04": {
        ".docx": f"{_OPEN_XML}.wordprocessingml.document",
        ".pptx": f"{_OPEN_XML}.presentationml.presentation",
        ".xlsx": f"{_OPEN_XML}.spreadsheetml.sheet",
    },
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": {
        ".doc": "application/msword",
        ".ppt": "application/vnd.ms-powerpoint",
        ".xls": "application/vnd.ms-excel",
    },
}
"""Media types by a file's first bytes and, where they only tell the wrapping, by its suffix."""


class Unusable(NamedTuple):
    """Why a media input cannot be used, and what would be right."""

    message: str
    hint: str | None = None


class _File(NamedTuple):
    """What a local file is, whatever it is wanted for."""

    medium: Media
    """Without a media type where it is no picture, sound or video."""
    looks: str
    """``a PNG picture``, ``an HTML page``."""
    document: str | None
    """Its media type if it is taken for a document."""


class MediaFolder:
    """The media of one manifest. Each local file is read once, however many jobs name it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = folder.resolve()
        self._files: dict[str, _File | Unusable] = {}

    def find(self, source: str, kinds: Collection[MediaKind]) -> Media | Unusable:
        """Return the medium that a job names as ``source`` where one of ``kinds`` belongs."""
        match = _SCHEME.match(source)
        scheme = match[1].lower() if match else None
        if scheme not in (None, "data"):
            return _remote(source, scheme)
        if MediaKind.LINK in kinds:
            return Media(source)  # no local file, which the model's check tells
        if scheme and (wrong := _says_another_kind(source, kinds)):
            return wrong
        file = self._files.get(source)
        if file is None:
            file = self._files[source] = _decoded(source) if scheme else self._look(source)
        return file if isinstance(file, Unusable) else _fitting(source, file, kinds)

    def _look(self, source: str) -> _File | Unusable:
        path = self._folder / source
        if not self._holds(path):
            hint = "only files beside the manifest or below it are sent"
            return Unusable(f"{quoted(source)} lies outside the manifest's folder", hint)
        try:
            with open_regular(path) as stream:
                return _read(source, stream)
        except NotAFile as reason:
            return Unusable(f"{quoted(source)}: {reason.message}", reason.hint)
        except OSError as error:
            return Unusable(f"{quoted(source)}: it cannot be read: {error.strerror}")

    def _holds(self, path: Path) -> bool:
        try:
            return path.resolve().is_relative_to(self._root)
        except (OSError, RuntimeError, ValueError):
            return False  # a loop of links leads nowhere


def _remote(source: str, scheme: str | None) -> Media | Unusable:
    if scheme in ("http", "https", "oss"):
        return Media(source) if _has_host(source) else Unusable("this URL names no host")
    return Unusable(
        f"`{scheme}:` cannot be used here",
        "give an http(s) URL, a data URI, or a path relative to the manifest",
    )


def _says_another_kind(uri: str, kinds: Collection[MediaKind]) -> Unusable | None:
    said = _DATA_URI.match(uri)
    if said is None or kind_of(said[1].lower()) in kinds:
        return None
    return Unusable(f"this data URI says {quoted(said[1].lower())}", _takes(kinds))


def _decoded(source: str) -> _File | Unusable:
    """Look into a data URI as into a file; on the wire it stays what it is."""
    if len(source) > MAX_URI:
        hint = "name a file, which is uploaded"
        return Unusable(f"this data URI has more than {MAX_URI:,} characters", hint)
    try:
        said = _DATA_URI.match(source)
        content = base64.b64decode(source[said.end() :], validate=True) if said else b""
    except ValueError:
        content = b""
    if not content:
        hint = "for example data:image/png;base64,iVBORw0KGgo="
        return Unusable("this data URI is not a media type and base64", hint)
    with tempfile.TemporaryFile() as stream:
        stream.write(content)
        stream.flush()
        file = _read(source, stream)
    if isinstance(file, Unusable):
        return file
    return file._replace(medium=replace(file.medium, sha256=None))


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname) and not re.search(r"\s", url)
    except ValueError:
        return False


def _read(source: str, stream: io.BufferedReader | io.BufferedRandom) -> _File | Unusable:
    # Most manifests name no file of their own, and are to be planned at once.
    from batchgen.artifacts import NotMedia, measure_input  # noqa: PLC0415

    size = stream.seek(0, 2)
    if size > MAX_BYTES:
        return Unusable(f"{quoted(source)} has more than {MAX_BYTES // 1_000_000:,} MB")
    stream.seek(0)
    sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    stream.seek(0)
    document = _document_type(Path(source).suffix.lower(), stream.read(_HEAD))
    try:
        found = measure_input(stream.fileno())
    except NotMedia as reason:
        return _File(Media(source, sha256, measured=Measured(size)), reason.reason, document)
    measured = Measured(found.bytes, found.width, found.height, found.duration, found.alpha)
    medium = Media(source, sha256, found.media_type, measured=measured)
    return _File(medium, _NAMES[found.media_type], document)


def _document_type(suffix: str, head: bytes) -> str | None:
    for magic, media_types in _DOCUMENTS.items():
        if head.startswith(magic):
            return media_types.get("") or media_types.get(suffix)
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # else a character that the reading has cut
            return None
        text = head[: error.start].decode()
    if not text or "\0" in text:
        return None
    return "text/markdown" if suffix == ".md" else "text/plain"


def _fitting(source: str, file: _File, kinds: Collection[MediaKind]) -> Media | Unusable:
    medium = file.medium
    if medium.kind in kinds:
        return medium
    if MediaKind.DOCUMENT in kinds and file.document and medium.kind is None:
        return Media(source, medium.sha256, file.document, measured=medium.measured)
    return Unusable(f"{quoted(source)} is {file.looks}", _takes(kinds))


def _takes(kinds: Collection[MediaKind]) -> str:
    return f"it must be {' or '.join(_WANTED[kind] for kind in MediaKind if kind in kinds)}"
