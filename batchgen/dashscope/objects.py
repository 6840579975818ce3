"""What object storage says of a file: which version it is, how long, and with which checksums.

Rules of this file:

- Only a strong ETag tells one version from another; what came under a weak one, or none, is not
  continued.
- Length and checksums are those of the whole object, also in an answer that holds a part of it
  (Check data integrity by using CRC-64, 2025-10-11).
- One checksum is enough, and the CRC-64 costs least: an MD5 counts only where there is none.
- The ETag of an object that was put in one piece is the MD5 of its content; of others it is not
  (GetObject, Response headers). So it counts as a checksum only where the store sends no other.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

_MD5_BYTES = 16
_MD5_ETAG = re.compile(r'"([0-9A-Fa-f]{32})"')
_CRC64 = re.compile(r"[0-9]{1,20}")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-[0-9]+/([0-9]+|\*)")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object. None: the store does not say."""

    etag: str | None = None
    """As sent, with its quotes; strong."""
    bytes: int | None = None
    md5: str | None = None
    """Hexadecimal."""
    crc64: int | None = None
    """CRC-64/XZ."""

    @classmethod
    def of(cls, headers: Mapping[str, str], length: int | None) -> Self:
        """What the headers of an answer with the whole object say; ``length`` is its body's."""
        etag = headers.get("ETag", "")
        crc64 = _crc64(headers.get("x-oss-hash-crc64ecma", ""))
        md5 = _md5(headers.get("Content-MD5", "")) if crc64 is None else None
        if md5 is None and crc64 is None and headers.get("x-oss-object-type") == "Normal":
            named = _MD5_ETAG.fullmatch(etag)
            md5 = named[1].lower() if named else None
        return cls(etag if etag.startswith('"') else None, length, md5, crc64)

    def as_note(self) -> dict[str, Any]:
        """JSON data; ``of_note`` reads it back."""
        return asdict(self)

    @classmethod
    def of_note(cls, note: Mapping[str, Any] | None) -> Version | None:
        """None where there is no note, or one that nobody here wrote."""
        try:
            return _NOTES.validate_python(note)
        except ValidationError:
            return None

    def continues(self, offset: int, headers: Mapping[str, str]) -> bool:
        """Whether an answer holds this version from ``offset`` on."""
        span = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        return (
            span is not None
            and int(span[1]) == offset
            and span[2] in {"*", str(self.bytes or "*")}
            and headers.get("ETag", self.etag) == self.etag
        )


_NOTES = TypeAdapter(Version)


def _md5(header: str) -> str | None:
    try:
        digest = base64.b64decode(header, validate=True)
    except binascii.Error:
        return None
    return digest.hex() if len(digest) == _MD5_BYTES else None


def _crc64(header: str) -> int | None:
    value = int(header) if _CRC64.fullmatch(header) else None
    return None if value is None or value >> 64 else value
