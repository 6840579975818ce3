"""Finds the records of a SQLite file without SQLite: what a damaged journal still holds.

Rules of this file:

* Every leaf page is looked at for itself, wherever it lies and whatever leads there: in the file,
  and in each frame of the -wal file, valid or not. A broken header, schema or tree hides nothing.
* Nothing that is found is believed: whoever asks holds each record against its checksum. A log that
  is only added to may be read from old images of its pages as well as from new ones.

The format is SQLite's (Database File Format, sections 1.6 and 2.1, 2025).
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from batchgen.journal.wal import HEADER, frames

PAGE = 4096
"""The page size of every journal."""

Value = int | float | str | bytes | None

_TABLE_LEAF, _INDEX_LEAF, _INDEX_INNER = 0x0D, 0x0A, 0x02
_LONGEST_VARINT = 9
_SIZES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)
"""Of numbers and constants, by serial type; beyond, an even one is a blob and an odd one a text."""


class Record(NamedTuple):
    """A row as its page holds it; ``rowid`` is None in a table without."""

    rowid: int | None
    values: tuple[Value, ...]


class _Malformed(Exception):
    pass


def records(path: Path, wal: Path) -> Iterator[Record]:
    """Yield every record of a database and of its -wal file, in no order, most of them often."""
    images = _images(path, wal)
    for versions in images.values():
        for page in versions:
            for newest in (True, False):
                overflow = _Overflow(images, newest=newest)
                yield from _records_of(page, overflow)
                if not overflow.asked:
                    break


def _images(path: Path, wal: Path) -> dict[int, list[bytes]]:
    """Each page as it stands in the file, then as the -wal file has it, oldest first."""
    images: defaultdict[int, list[bytes]] = defaultdict(list)
    content = path.read_bytes() if path.exists() else b""
    for start in range(0, len(content) - PAGE + 1, PAGE):
        images[start // PAGE + 1].append(content[start : start + PAGE])
    log = wal.read_bytes() if wal.exists() else b""
    if len(log) > HEADER:
        # The page size is known, so a damaged header need not be believed.
        for frame in frames(log[:8] + PAGE.to_bytes(4, "big") + log[12:]):
            images[frame.page].append(frame.image)
    return images


class _Overflow:
    """What did not fit on a record's own page, by the newest or by the oldest images."""

    def __init__(self, images: dict[int, list[bytes]], *, newest: bool) -> None:
        self._images = images
        self._place = -1 if newest else 0
        self.asked = False

    def read(self, page: int, size: int) -> bytes:
        """Raises _Malformed where the chain of pages breaks off."""
        self.asked = True
        if size > PAGE * len(self._images):
            raise _Malformed
        pieces = []
        while size > 0:
            if not self._images.get(page):
                raise _Malformed
            image = self._images[page][self._place]
            pieces.append(image[4 : 4 + size])
            size -= len(pieces[-1])
            page = int.from_bytes(image[:4], "big")
        return b"".join(pieces)


def _records_of(page: bytes, overflow: _Overflow) -> Iterator[Record]:
    kind = page[0]
    if kind not in {_TABLE_LEAF, _INDEX_LEAF, _INDEX_INNER}:
        return
    cells = int.from_bytes(page[3:5], "big")
    array = 12 if kind == _INDEX_INNER else 8
    for place in range(array, min(array + 2 * cells, PAGE - 1), 2):
        start = int.from_bytes(page[place : place + 2], "big")
        try:
            yield _cell(page, kind, start, overflow.read)
        except (_Malformed, IndexError):
            continue


def _cell(page: bytes, kind: int, start: int, more: Callable[[int, int], bytes]) -> Record:
    place = start + 4 if kind == _INDEX_INNER else start
    size, place = _varint(page, place)
    rowid = None
    if kind == _TABLE_LEAF:
        rowid, place = _varint(page, place)
    here = _local(size, table=kind == _TABLE_LEAF)
    payload = page[place : place + here]
    if len(payload) < here:
        raise _Malformed
    if here < size:
        next_page = int.from_bytes(page[place + here : place + here + 4], "big")
        payload += more(next_page, size - here)
    return Record(rowid, tuple(_values(payload)))


def _local(size: int, *, table: bool) -> int:
    """How much of a payload its own page holds."""
    most = PAGE - 35 if table else (PAGE - 12) * 64 // 255 - 23
    if size <= most:
        return size
    least = (PAGE - 12) * 32 // 255 - 23
    fit = least + (size - least) % (PAGE - 4)
    return fit if fit <= most else least


def _values(payload: bytes) -> Iterator[Value]:
    size, place = _varint(payload, 0)
    body = size
    while place < size:
        serial, place = _varint(payload, place)
        value, body = _value(payload, serial, body)
        yield value


def _value(payload: bytes, serial: int, start: int) -> tuple[Value, int]:
    """Raises _Malformed for serial types that SQLite keeps to itself."""
    size = _SIZES[serial] if serial < len(_SIZES) else (serial - len(_SIZES)) // 2
    content = payload[start : start + size]
    if len(content) < size:
        raise _Malformed
    match serial:
        case 0:
            return None, start
        case 7:
            (value,) = struct.unpack(">d", content)
            return float(value), start + size
        case 8 | 9:
            return serial - 8, start
        case 10 | 11:
            raise _Malformed
    if serial < len(_SIZES):
        return int.from_bytes(content, "big", signed=True), start + size
    # A broken text is none that was written, but the columns beside it may be whole.
    return content.decode(errors="replace") if serial % 2 else content, start + size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for count in range(1, _LONGEST_VARINT + 1):
        byte = data[place]
        place += 1
        if count == _LONGEST_VARINT:
            return value << 8 | byte, place
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004
            break
    return value, place
