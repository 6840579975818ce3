"""Reading MP4 and MOV: what the index says, and whether the samples it points to are there.

Rules of this file:

- The file is boxes, one after the other, whose sizes must add up to the file's.
- Only the index (`moov`) is read into memory; inside it a box is a slice that cannot reach beyond
  its parent. Every table is as long as its box, so what a file may cost is bounded by `MAX_READ`,
  and a count that a file merely claims is never a loop.
- Sizes alone prove nothing: a file with its index in front (fast start) keeps all its numbers when
  it is cut. Each sample's bytes must lie inside an `mdat` that is inside the file.

Source: ISO/IEC 14496-12 (ISO base media file format), 2022, sections 4.2 and 8.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, repeat
from operator import mul
from typing import Self, TypeAlias

from batchgen.artifacts.measured import Measured, NotMedia, Source

_BOXES = 10_000
"""Boxes that one parent may have; only a film in fragments has some thousands."""

_TRACKS = 64
_MUCH = 1.0
"""Seconds."""
_UNKNOWN_DURATIONS = {0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF}


_Table: TypeAlias = "array[int]"


@dataclass(slots=True)
class _Media:
    """The payloads of the `mdat` boxes, in the order of the file."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def add(self, start: int, end: int) -> None:
        self.starts.append(start)
        self.ends.append(end)

    def room(self, at: int) -> int:
        """Return how many bytes of media data there are from a position on."""
        number = bisect_right(self.starts, at) - 1
        return max(self.ends[number] - at, 0) if number >= 0 else 0


@dataclass(frozen=True, slots=True)
class _Layout:
    """The top boxes of a file: where its media lie, its index, whether it is in fragments."""

    media: _Media
    index: bytes
    fragmented: bool
    missing: int


@dataclass(frozen=True, slots=True)
class _Track:
    """One track of the index. ``samples`` are frames where the track is a picture track."""

    kind: bytes
    codec: str
    width: int
    height: int
    seconds: float
    samples: int
    outside: int


def measure_mp4(source: Source) -> Measured:
    """Walk the boxes and check every sample's place. Raises `NotMedia`."""
    layout = _layout(source)
    tracks = _tracks(layout)
    video = next((track for track in tracks if track.kind == b"vide"), None)
    sound = next((track for track in tracks if track.kind == b"soun"), None)
    _check_whole(layout, video, tracks)
    if video is None or not video.width or not video.height:
        raise NotMedia("an MP4 without a picture track")
    if not video.samples and not layout.fragmented:
        raise NotMedia("an MP4 without a single frame")
    movie = source.read(8, 4) == b"qt  "
    return Measured(
        media_type="video/quicktime" if movie else "video/mp4",
        suffix=".mov" if movie else ".mp4",
        bytes=source.size,
        width=video.width,
        height=video.height,
        duration=_duration(layout.index, tracks),
        frames=video.samples or None,
        fps=round(video.samples / video.seconds, 3) if video.samples and video.seconds else None,
        video_codec=video.codec,
        audio_codec=sound.codec if sound else None,
    )


def _check_whole(layout: _Layout, video: _Track | None, tracks: list[_Track]) -> None:
    if video and video.outside:
        raise NotMedia(
            f"cut: {video.outside} of {video.samples} frames lie beyond the end of the media data"
        )
    if any(track.outside for track in tracks):
        raise NotMedia("cut: a part of the sound track lies beyond the end of the media data")
    if layout.missing:
        raise NotMedia(f"cut: the last {layout.missing} bytes are missing")
    if not layout.media.starts:
        raise NotMedia("an MP4 without media data (no 'mdat')")


def _layout(source: Source) -> _Layout:
    media, index, fragmented, at = _Media(), None, False, 0
    for _ in range(_BOXES):
        if at >= source.size:
            break
        kind, start, end = _top_box(source, at)
        if kind == b"mdat":
            media.add(start, min(end, source.size))
        elif kind == b"moov" and end <= source.size:
            index = source.read(start, end - start)
        fragmented = fragmented or kind == b"moof"
        at = end
    if at < source.size:
        raise NotMedia(f"an MP4 of more than {_BOXES} boxes")
    if index is None:
        raise NotMedia(f"cut: an MP4 of {source.size} bytes without its index (no 'moov')")
    return _Layout(media, index, fragmented, at - source.size)


def _top_box(source: Source, at: int) -> tuple[bytes, int, int]:
    """Return a top box's kind, the start of its payload, and its end, which may lie too far."""
    size, kind = struct.unpack(">I4s", source.read(at, 8))
    start = at + 8
    if size == 1:
        size, start = int.from_bytes(source.read(start, 8)), start + 8
    elif size == 0:
        size = source.size - at
    if at + size < start:
        raise NotMedia(f"a damaged MP4: the box at byte {at} is {size} bytes long")
    return kind, start, at + size


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and payload of each box in a parent's payload."""
    at = 0
    for _ in range(_BOXES):
        if at + 8 > len(data):
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1:
            size, start = int.from_bytes(data[start : start + 8]), start + 8
        elif size == 0:
            size = len(data) - at
        if at + size < start or at + size > len(data):
            raise NotMedia(f"a damaged MP4: the box {kind!r} does not fit into its parent")
        yield kind, data[start : at + size]
        at += size
    raise NotMedia(f"an MP4 with more than {_BOXES} boxes in one")


def _find(data: bytes, *path: bytes) -> bytes | None:
    """Return the payload of the first box under a path of kinds."""
    for wanted in path:
        found = next((payload for kind, payload in _boxes(data) if kind == wanted), None)
        if found is None:
            return None
        data = found
    return data


def _table(
    stbl: bytes, kind: bytes, *, columns: int = 1, wide: bool = False, at: int = 4
) -> _Table:
    """Return a table's numbers, row after row; empty if there is no such table.

    ``at`` is the offset of the count of rows. An array, because a tuple a row would take twenty
    times the room of the file's own bytes.
    """
    data = _find(stbl, kind)
    table = array("Q" if wide else "I")
    if data is None:
        return table
    size = _field(data, at, 4) * columns * table.itemsize
    if size > len(data) - at - 4:
        raise NotMedia(f"a damaged MP4: the table {kind.decode()!r} is shorter than it says")
    table.frombytes(data[at + 4 : at + 4 + size])
    if sys.byteorder == "little":
        table.byteswap()
    return table


def _field(data: bytes, at: int, count: int) -> int:
    if at + count > len(data):
        raise NotMedia("a damaged MP4: a box of its index is too short")
    return int.from_bytes(data[at : at + count])


def _seconds(header: bytes) -> float | None:
    """Return the duration of an `mvhd` or `mdhd` box, in both their versions."""
    long = header[:1] == b"\1"
    scale = _field(header, 20 if long else 12, 4)
    duration = _field(header, 24 if long else 16, 8 if long else 4)
    return duration / scale if scale and duration not in _UNKNOWN_DURATIONS else None


def _duration(index: bytes, tracks: list[_Track]) -> float | None:
    header = _find(index, b"mvhd")
    if header is None:
        raise NotMedia("a damaged MP4: its index has no header (no 'mvhd')")
    claimed = _seconds(header) or 0.0
    tracks_last = max(track.seconds for track in tracks)
    # The header knows of silence that encoders put in front, which the tracks still have; one that
    # contradicts them by more than that is wrong.
    believed = not tracks_last or abs(claimed - tracks_last) <= _MUCH
    return round(claimed if claimed and believed else tracks_last, 3) or None


def _tracks(layout: _Layout) -> list[_Track]:
    tracks = [payload for kind, payload in _boxes(layout.index) if kind == b"trak"]
    if len(tracks) > _TRACKS:
        raise NotMedia(f"an MP4 of {len(tracks)} tracks")
    return [_track(track, layout.media) for track in tracks]


def _track(trak: bytes, media: _Media) -> _Track:
    stbl = _find(trak, b"mdia", b"minf", b"stbl")
    handler = _find(trak, b"mdia", b"hdlr")
    header = _find(trak, b"mdia", b"mdhd")
    if stbl is None or handler is None or header is None:
        raise NotMedia("a damaged MP4: a track without its tables")
    scale = _field(header, 20 if header[:1] == b"\1" else 12, 4)
    times = _table(stbl, b"stts", columns=2)
    ticks = sum(map(mul, times[::2], times[1::2]))
    codec, width, height = _description(stbl, handler[8:12])
    samples = _Samples.of(stbl)
    return _Track(
        kind=handler[8:12],
        codec=codec,
        width=width,
        height=height,
        seconds=ticks / scale if scale else 0.0,
        samples=samples.count,
        outside=_outside(stbl, samples, media),
    )


def _description(stbl: bytes, kind: bytes) -> tuple[str, int, int]:
    """Return the codec's four characters and, of a picture track, the sides."""
    stsd = _find(stbl, b"stsd")
    entry = next(_boxes(stsd[8:]), None) if stsd is not None else None
    if entry is None:
        raise NotMedia("a damaged MP4: a track without a description")
    codec, data = entry
    sides = (_field(data, 24, 2), _field(data, 26, 2)) if kind == b"vide" else (0, 0)
    return codec.decode("latin-1"), *sides


@dataclass(frozen=True, slots=True)
class _Samples:
    """The sizes of a track's samples: one for all (``each``), or one by one."""

    count: int
    each: int
    sizes: _Table

    @classmethod
    def of(cls, stbl: bytes) -> Self:
        data = _find(stbl, b"stsz")
        if data is None:
            raise NotMedia("a damaged MP4: a track without sample sizes")
        if each := _field(data, 4, 4):
            return cls(_field(data, 8, 4), each, array("I"))
        sizes = _table(stbl, b"stsz", at=8)
        return cls(len(sizes), 0, sizes)

    def outside(self, first: int, count: int, room: int) -> int:
        """Count the samples of a chunk that do not fit into the room at its place."""
        if self.each:
            return max(count - room // self.each, 0)
        sizes = self.sizes[first : first + count]
        return 0 if sum(sizes) <= room else sum(end > room for end in accumulate(sizes))


def _outside(stbl: bytes, samples: _Samples, media: _Media) -> int:
    """Count the samples that lie outside the media data; all of them must have a place."""
    chunks = _table(stbl, b"stco") or _table(stbl, b"co64", wide=True)
    per_chunk = _samples_per_chunk(_table(stbl, b"stsc", columns=3))
    first = outside = 0
    for at, announced in zip(chunks, per_chunk, strict=False):
        count = min(announced, samples.count - first)
        outside += samples.outside(first, count, media.room(at))
        first += count
    if first < samples.count:
        raise NotMedia(f"a damaged MP4: {samples.count - first} samples have no place in the file")
    return outside


def _samples_per_chunk(runs: _Table) -> Iterator[int]:
    """Yield the number of samples of each chunk, without end: the last run goes on."""
    firsts, counts = runs[::3], runs[1::3]
    for number, count in enumerate(counts):
        last = number + 1 == len(counts)
        yield from repeat(count) if last else repeat(count, firsts[number + 1] - firsts[number])
