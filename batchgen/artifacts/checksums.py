"""Bytes as they come, held against the checksums that their store gives.

Object storage gives the MD5 of an object's content, or its CRC-64/XZ (Check data integrity by using
CRC-64, 2025-10-11), or both.
"""

from __future__ import annotations

import hashlib

from fastcrc import crc64 as crc64_of


class Digest:
    """The SHA-256 of bytes as they come, and whether they have the checksums to be expected.

    ``md5`` is hexadecimal; a checksum that is None was not given, and costs nothing.
    """

    def __init__(self, *, md5: str | None = None, crc64: int | None = None) -> None:
        self._sha256 = hashlib.sha256()
        self._expected_md5, self._expected_crc64 = md5, crc64
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._crc64 = 0

    def update(self, data: bytes) -> None:
        self._sha256.update(data)
        if self._expected_md5 is not None:
            self._md5.update(data)
        if self._expected_crc64 is not None:
            self._crc64 = crc64_of.xz(data, self._crc64)

    @property
    def sha256(self) -> str:
        """Hexadecimal."""
        return self._sha256.hexdigest()

    def difference(self) -> str | None:
        """Say which checksum the bytes do not have; None: they have all that are given."""
        if self._expected_md5 not in {None, self._md5.hexdigest()}:
            return "its bytes do not match their MD5"
        if self._expected_crc64 not in {None, self._crc64}:
            return "its bytes do not match their CRC-64"
        return None
