"""Holding a file against the checksums that its store gives for it.

Object storage gives the MD5 of an object's content, or its CRC-64/XZ (Check data integrity by using
CRC-64, 2025-10-11), or both. Python has no function for the latter, and in pure Python it takes
100 s for a gigabyte. But it is the checksum that an .xz file carries, and liblzma checks it in a
fifth of a second: the file's bytes, wrapped unpacked as the one block of an .xz stream that ends
with the checksum to be expected, are unwrapped, and the decoder says whether it is theirs.

Source: The .xz File Format 1.2.1, sections 2.1.1, 3.1 to 3.4 and 5.3.1; an unpacked chunk of LZMA2
is a byte (1 at the start, 2 later), its length less one in two bytes, and its content.
"""

from __future__ import annotations

import hashlib
import lzma
import struct
import zlib

_CHUNK = 1 << 16
_FLAGS = b"\0\4"  # the checksum is a CRC-64
_BLOCK = bytes((2, 0, 0x21, 1, 0, 0, 0, 0))  # of 12 bytes, no sizes, LZMA2, 4 KiB to look back
_HEADER = b"".join(
    (
        b"\xfd7zXZ\0",
        _FLAGS,
        struct.pack("<I", zlib.crc32(_FLAGS)),
        _BLOCK,
        struct.pack("<I", zlib.crc32(_BLOCK)),
    )
)


class Crc64:
    """A CRC-64/XZ in the making, which can be compared but not read."""

    def __init__(self) -> None:
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        self._decoder.decompress(_HEADER)
        self._wrapped = 0

    def update(self, data: bytes) -> None:
        view = memoryview(data)
        for at in range(0, len(view), _CHUNK):
            chunk = view[at : at + _CHUNK]
            head = struct.pack(">BH", 2 if self._wrapped else 1, len(chunk) - 1)
            # In one call: each lets go of the interpreter's lock, and has to wait for it again.
            self._decoder.decompress(b"".join((head, chunk)))
            self._wrapped += len(head) + len(chunk)

    def matches(self, expected: int) -> bool:
        """Whether it is this one; nothing can be asked or added afterwards."""
        end = b"\0" + bytes(-(self._wrapped + 1) % 4)
        try:
            self._decoder.decompress(end + struct.pack("<Q", expected))
        except lzma.LZMAError:
            return False
        return True


class Digest:
    """The SHA-256 of bytes as they come, and whether they have the checksums to be expected.

    ``md5`` is hexadecimal; a checksum that is None was not given, and costs nothing.
    """

    def __init__(self, *, md5: str | None = None, crc64: int | None = None) -> None:
        self._sha256 = hashlib.sha256()
        self._expected_md5, self._expected_crc64 = md5, crc64
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 is not None else None
        self._crc64 = Crc64() if crc64 is not None else None

    def update(self, data: bytes) -> None:
        self._sha256.update(data)
        if self._md5 is not None:
            self._md5.update(data)
        if self._crc64 is not None:
            self._crc64.update(data)

    @property
    def sha256(self) -> str:
        """Hexadecimal."""
        return self._sha256.hexdigest()

    def difference(self) -> str | None:
        """Say which checksum the bytes do not have; None: they have all that are given.

        To be asked once, when all bytes are there.
        """
        if self._md5 is not None and self._md5.hexdigest() != self._expected_md5:
            return "its bytes do not match their MD5"
        crc64, expected = self._crc64, self._expected_crc64
        if crc64 is not None and expected is not None and not crc64.matches(expected):
            return "its bytes do not match their CRC-64"
        return None
