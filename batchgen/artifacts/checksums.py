"""Holding a file against the checksums that its store gives for it.

Object storage gives the MD5 of an object's content, or its CRC-64/XZ (Check data integrity by using
CRC-64, 2025-10-11), or both. Python has no function for the latter, and in pure Python it takes
100 s for a gigabyte. But it is the checksum that an .xz file carries, and liblzma checks it in a
second: the file's bytes, wrapped unpacked as the one block of an .xz stream that ends with the
checksum to be expected, are unwrapped, and the decoder says whether it is theirs.

Source: The .xz File Format 1.2.1, sections 2.1.1, 3.1 to 3.4 and 5.3.1; an unpacked chunk of LZMA2
is a byte (1 at the start, 2 later), its length less one in two bytes, and its content.
"""

from __future__ import annotations

import hashlib
import lzma
import struct
import zlib

from batchgen.artifacts.disk import pieces

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
            self._decoder.decompress(head)
            self._decoder.decompress(chunk)
            self._wrapped += len(head) + len(chunk)

    def matches(self, expected: int) -> bool:
        """Whether it is this one; nothing can be asked or added afterwards."""
        end = b"\0" + bytes(-(self._wrapped + 1) % 4)
        try:
            self._decoder.decompress(end + struct.pack("<Q", expected))
        except lzma.LZMAError:
            return False
        return True


def difference(fd: int, *, md5: str | None, crc64: int | None) -> str | None:
    """Say which checksum an open file does not have; None: it has all that are given.

    ``md5`` is hexadecimal; a checksum that is None was not given.
    """
    if md5 is None and crc64 is None:
        return None
    digest, check = hashlib.md5(usedforsecurity=False), Crc64()
    for piece in pieces(fd):
        digest.update(piece)
        check.update(piece)
    if md5 is not None and digest.hexdigest() != md5:
        return "its bytes do not match their MD5"
    if crc64 is not None and not check.matches(crc64):
        return "its bytes do not match their CRC-64"
    return None
