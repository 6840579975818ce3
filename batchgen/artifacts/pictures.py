"""Reading PNG, JPEG, WEBP, BMP and TIFF: the sides from the header, and the way to the end.

Sources: PNG Specification (Third Edition), 2025; ITU-T T.81 (JPEG), 1992, annex B; WebP Container
Specification (RFC 9649), 2024; Bitmap Header Types (learn.microsoft.com), 2021; TIFF Revision 6.0,
1992, section 2.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Mapping

from batchgen.artifacts.measured import Measured, NotMedia, Source

_STEPS = 100_000
"""Chunks or segments that one picture may have; real ones have some thousands."""

_PIECE = 1 << 18
_SEARCHED = 1 << 12  # read anew after every segment, so small


def measure_png(source: Source) -> Measured:
    """Walk all chunks, check each one's CRC, and end at IEND, which must be the end of the file."""
    first = source.read(8, 8)
    if first != b"\0\0\0\rIHDR":
        raise NotMedia("a PNG without its header")
    width, height = _u32(source.read(16, 4)), _u32(source.read(20, 4))
    at, kind, kinds = 8, b"", set()
    for _ in range(_STEPS):
        length, kind = _u32(source.read(at, 4)), source.read(at + 4, 4)
        if _crc(source, at + 4, length + 4) != _u32(source.read(at + 8 + length, 4)):
            raise NotMedia(f"a damaged PNG: the check sum at byte {at} does not match")
        at += length + 12
        kinds.add(kind)
        if kind == b"IEND":
            break
    if kind != b"IEND" or b"IDAT" not in kinds:
        raise NotMedia("a PNG without picture data or end")
    _ends_at(at, source)
    alpha = source.read(25, 1)[0] in _PNG_COLOURS_WITH_ALPHA or b"tRNS" in kinds
    return _picture("image/png", ".png", source, width, height, alpha=alpha)


_PNG_COLOURS_WITH_ALPHA = {4, 6}


def measure_jpeg(source: Source) -> Measured:
    """Walk all segments and scans to the end marker; what cameras append after it is allowed."""
    sides, scanned, at = (0, 0), False, 2
    for _ in range(_STEPS):
        marker, at = _next_marker(source, at)
        if marker == _END_OF_IMAGE:
            if not scanned:
                break
            return _picture("image/jpeg", ".jpg", source, *sides, alpha=False)
        length = int.from_bytes(source.read(at, 2))
        if marker in _FRAMES:
            height, width = source.read(at + 3, 2), source.read(at + 5, 2)
            sides = int.from_bytes(width), int.from_bytes(height)
        scanned = scanned or marker == _START_OF_SCAN
        at += max(length, 2)
    raise NotMedia("a JPEG without picture data")


_END_OF_IMAGE = 0xD9
_START_OF_SCAN = 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# In a scan, FF 00 is a data byte FF, and FF D0 .. FF D7 (restart) stand between its rows; FF 01
# (temporary) has no length either, and neither has a further start of image.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")


def _next_marker(source: Source, at: int) -> tuple[int, int]:
    """Return the next marker with a meaning and the position after it."""
    while at < source.size:
        piece = source.read(at, min(_SEARCHED, source.size - at))
        if found := _MARKER.search(piece):
            return piece[found.end() - 1], at + found.end()
        at += max(len(piece) - 1, 1)  # the last byte may be the first half of a marker
    raise NotMedia(f"cut: a JPEG without its end marker, {source.size} bytes")


def measure_webp(source: Source) -> Measured:
    """Walk the RIFF chunks, whose sizes must add up to the file's; sides are the canvas's."""
    end = 8 + _u32_little(source.read(4, 4))
    if end > source.size:
        raise NotMedia(f"cut: a WEBP of {end} bytes of which {source.size} are there")
    _ends_at(end, source)
    chunks = _riff_chunks(source, end)
    kind, at = chunks[0] if chunks else (b"", 0)
    if kind not in _WEBP_SIDES or not {kind for kind, _ in chunks} & {b"VP8 ", b"VP8L", b"ANMF"}:
        raise NotMedia("a WEBP without picture data")
    head = _head(source, at)
    alpha = _WEBP_ALPHA[kind](head)
    return _picture("image/webp", ".webp", source, *_WEBP_SIDES[kind](head), alpha=alpha)


def _riff_chunks(source: Source, end: int) -> list[tuple[bytes, int]]:
    """Return each chunk's kind and the position of its payload."""
    chunks: list[tuple[bytes, int]] = []
    at = 12
    while at < end and len(chunks) < _STEPS:
        kind, length = source.read(at, 4), _u32_little(source.read(at + 4, 4))
        chunks.append((kind, at + 8))
        at += 8 + length + length % 2
    if at != end:
        raise NotMedia(f"a damaged WEBP: its chunks do not add up to {end} bytes")
    return chunks


def _head(source: Source, at: int) -> bytes:
    return source.read(at, min(10, source.size - at)).ljust(10, b"\0")


def _sides_of_vp8(head: bytes) -> tuple[int, int]:
    if head[3:6] != b"\x9d\x01\x2a":
        raise NotMedia("a damaged WEBP: no key frame")
    width, height = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    return width & 0x3FFF, height & 0x3FFF


def _sides_of_vp8l(head: bytes) -> tuple[int, int]:
    if head[0] != 0x2F:  # noqa: PLR2004 - the signature of lossless WEBP
        raise NotMedia("a damaged WEBP: no signature of lossless data")
    bits = _u32_little(head[1:5])
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _sides_of_vp8x(head: bytes) -> tuple[int, int]:
    return int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1


_WEBP_SIDES = {b"VP8 ": _sides_of_vp8, b"VP8L": _sides_of_vp8l, b"VP8X": _sides_of_vp8x}
_WEBP_ALPHA: Mapping[bytes, Callable[[bytes], bool]] = {
    b"VP8 ": lambda _head: False,
    b"VP8L": lambda head: bool(head[4] & 0x10),
    b"VP8X": lambda head: bool(head[0] & 0x10),
}


def measure_bmp(source: Source) -> Measured:
    """Read the two headers; what is not compressed must have room for all its rows."""
    start, header = _u32_little(source.read(10, 4)), _u32_little(source.read(14, 4))
    if header == _BMP_OLDEST_HEADER:
        width, height, _, bits = struct.unpack("<4H", source.read(18, 8))
        packed = 0
    else:
        width, height, _, bits, packed = struct.unpack("<2i2HI", source.read(18, 16))
    if width < 0:
        raise NotMedia("a damaged BMP: a negative width")
    needed = start + (width * bits + 31) // 32 * 4 * abs(height)  # rows are whole words
    if packed in _BMP_NOT_COMPRESSED and needed > source.size:
        raise NotMedia(f"cut: a BMP of {needed} bytes of which {source.size} are there")
    alpha = header >= _BMP_HEADER_WITH_ALPHA and source.read(66, 4) != bytes(4)
    return _picture("image/bmp", ".bmp", source, width, abs(height), alpha=alpha)


_BMP_OLDEST_HEADER = 12
_BMP_HEADER_WITH_ALPHA = 56
_BMP_NOT_COMPRESSED = {0, 3, 6}


def measure_tiff(source: Source) -> Measured:
    """Read the first directory; where its picture's data are is not looked at."""
    order = "<" if source.read(0, 2) == b"II" else ">"
    (at,) = struct.unpack(f"{order}I", source.read(4, 4))
    (count,) = struct.unpack(f"{order}H", source.read(at, 2))
    values: dict[int, int] = {}
    for tag, kind, _, value in struct.iter_unpack(f"{order}2HI4s", source.read(at + 2, 12 * count)):
        values[tag] = struct.unpack(f"{order}I" if kind == _LONG else f"{order}H2x", value)[0]
    alpha = values.get(_EXTRA_SAMPLES) in _EXTRA_IS_ALPHA
    width, height = values.get(_WIDTH, 0), values.get(_HEIGHT, 0)
    return _picture("image/tiff", ".tiff", source, width, height, alpha=alpha)


_LONG = 4
_WIDTH, _HEIGHT, _EXTRA_SAMPLES = 256, 257, 338
_EXTRA_IS_ALPHA = {1, 2}


def _picture(
    media_type: str, suffix: str, source: Source, width: int, height: int, *, alpha: bool
) -> Measured:
    if not width or not height:
        raise NotMedia("a picture without sides")
    return Measured(
        media_type=media_type,
        suffix=suffix,
        bytes=source.size,
        width=width,
        height=height,
        alpha=alpha,
    )


def _ends_at(end: int, source: Source) -> None:
    if end != source.size:
        raise NotMedia(f"a picture of {end} bytes with {source.size - end} foreign bytes after it")


def _crc(source: Source, at: int, count: int) -> int:
    end, crc = at + count, 0
    while at < end:
        piece = source.read(at, min(_PIECE, end - at))
        crc = zlib.crc32(piece, crc)
        at += len(piece)
    return crc


def _u32(data: bytes) -> int:
    return int.from_bytes(data)


def _u32_little(data: bytes) -> int:
    return int.from_bytes(data, "little")
