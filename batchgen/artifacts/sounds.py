"""Reading WAV and MP3: how long a sound lasts, by the bytes that are there.

Nothing is believed that can be counted: the length of a WAV is that of the data in the file, the
length of an MP3 the sum of its frames. A tag that announces a length may be wrong, or absent.

Sources: Multimedia Programming Interface and Data Specifications 1.0 (RIFF, WAVE), 1991;
ISO/IEC 11172-3 (MPEG-1 audio), 1993, section 2.4, and 13818-3 (its lower rates), 1998;
ID3 tag version 2.4.0 (id3.org), 2000, section 3.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from batchgen.artifacts.measured import Measured, NotMedia, Source

_CHUNKS = 10_000
"""That one WAV may have."""
_PIECE = 1 << 18
_STEPS = 4_000_000
"""Frames and wrong tracks of one MP3: a day of sound, or some seconds of reading."""
_TAGS = 16
"""ID3 tags that may stand before the first frame; real files have one."""


def measure_wav(source: Source) -> Measured:
    """Walk the chunks to the data; its bytes by the bytes a second are the length."""
    rate = data = None
    at = 12
    for _ in range(_CHUNKS):
        if at + 8 > source.size:
            break
        kind, length = struct.unpack("<4sI", source.read(at, 8))
        if kind == b"fmt ":
            rate = _bytes_a_second(source.read(at + 8, 16))
        elif kind == b"data" and data is None:
            # A writer that could not go back to fill in the length has left zeros or ones.
            there = source.size - at - 8
            data = min(length, there) if length else there
        at += 8 + length + length % 2
    if not rate or not data:
        raise NotMedia("a WAV without sound data")
    return _sound("audio/wav", ".wav", source, data / rate)


_UNCOMPRESSED = {1, 3, 0xFFFE}


def _bytes_a_second(form: bytes) -> int:
    tag, _, samples, rate, block, _ = struct.unpack("<2H2I2H", form)
    return samples * block if tag in _UNCOMPRESSED else int(rate)


class _Frame(NamedTuple):
    """What the header of an MPEG audio frame says: bytes to the next one, samples, their rate."""

    length: int
    samples: int
    rate: int


def _frames_by_header() -> Iterator[tuple[int, _Frame]]:
    """Every header of layer III, by its second and third byte."""
    versions = {
        0b11: (1152, 144_000, (44_100, 48_000, 32_000), _RATES_OF_MPEG_1),
        0b10: (576, 72_000, (22_050, 24_000, 16_000), _RATES_OF_MPEG_2),
        0b00: (576, 72_000, (11_025, 12_000, 8_000), _RATES_OF_MPEG_2),
    }
    for version, (samples, factor, rates, kilobits) in versions.items():
        for code, kilobit in enumerate(kilobits, 1):
            for number, rate in enumerate(rates):
                for rest in range(8):  # padding, a private bit, and whether there is a check sum
                    padding, private, bare = rest >> 2, rest >> 1 & 1, rest & 1
                    second = 0b111_00_01_0 | version << 3 | bare
                    third = code << 4 | number << 2 | padding << 1 | private
                    length = factor * kilobit // rate + padding
                    yield second << 8 | third, _Frame(length, samples, rate)


_RATES_OF_MPEG_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES_OF_MPEG_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_FRAMES: Mapping[int, _Frame] = dict(_frames_by_header())


def begins_like_mp3(head: bytes) -> bool:
    """Whether the first bytes are an ID3 tag or a frame of layer III."""
    return head.startswith(b"ID3") or (head[:1] == b"\xff" and _frame(head, 0) is not None)


def _frame(data: bytes, at: int) -> _Frame | None:
    return _FRAMES.get(int.from_bytes(data[at + 1 : at + 3]))


def measure_mp3(source: Source) -> Measured:
    """Walk all frames; what stands between them, or after the last one, must be the lesser part."""
    start = _after_tags(source)
    lengths: Counter[int] = Counter()
    framed = 0
    for frame in _frames(source, start):
        lengths[frame.rate] += frame.samples
        framed += frame.length
    if framed * 2 <= source.size - start:
        raise NotMedia("a damaged MP3: most of it is no sound")
    seconds = sum(samples / rate for rate, samples in lengths.items())
    return _sound("audio/mpeg", ".mp3", source, seconds)


def _after_tags(source: Source) -> int:
    at = 0
    for _ in range(_TAGS):
        if at + 10 > source.size or source.read(at, 3) != b"ID3":
            break
        length = 0
        for byte in source.read(at + 6, 4):
            length = length << 7 | byte & 0x7F
        at += 10 + length
    return min(at, source.size)


def _frames(source: Source, at: int) -> Iterator[_Frame]:
    """Yield the frames that are there to their end; between them, look for the next."""
    piece, begin = b"", at
    for _ in range(_STEPS):
        if at + 4 > source.size:
            return
        if at + 4 > begin + len(piece):
            piece, begin = source.read(at, min(_PIECE, source.size - at)), at
        frame = _frame(piece, at - begin) if piece[at - begin] == 0xFF else None  # noqa: PLR2004
        if frame is None:
            found = piece.find(b"\xff", at - begin + 1)
            at = begin + (found if found >= 0 else len(piece))
        elif at + frame.length > source.size:
            return
        else:
            yield frame
            at += frame.length
    raise NotMedia("an MP3 of more frames than a day has")


def _sound(media_type: str, suffix: str, source: Source, seconds: float) -> Measured:
    return Measured(
        media_type=media_type, suffix=suffix, bytes=source.size, duration=round(seconds, 3)
    )
