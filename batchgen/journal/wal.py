"""Tells damage in a -wal file from what a dying machine leaves there.

Rules of this file:

* SQLite reads a -wal file up to the first frame that is not as it was written, and takes the rest
  for a write that a power cut tore. After a kill that file may hold a whole night: one flipped bit
  in its middle would forget requests that were sent.
* Every commit is synced before the next begins, so a power cut tears the last one alone. A broken
  frame with a later transaction behind it is damage.
* Frames of an earlier generation, which SQLite overwrites from the start, carry other salts.

Damage in the very last commit of a run that died looks like a torn write here; the extent tells.

The format is SQLite's (Database File Format, section 4, "The Write-Ahead Log", 2025).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from batchgen.journal.chain import Broken

HEADER = 32
FRAME_HEADER = 24

_MAGIC = 0x377F0682  # its last bit says that checksums are big-endian


class Frame(NamedTuple):
    """A page as a transaction left it. ``ends`` says that the transaction ends with it."""

    page: int
    ends: bool
    salts: tuple[int, int]
    whole: bool
    image: bytes


def wal_of(path: Path) -> Path:
    """The -wal file of a journal."""
    return path.with_name(path.name + "-wal")


def refuse_damage(path: Path) -> None:
    """Raise Broken where the -wal file of a journal that nobody writes has lost committed facts."""
    wal = wal_of(path)
    if not wal.exists() or not (content := wal.read_bytes()):
        return
    if len(content) < HEADER or not _header_is_whole(content):
        raise Broken("the head of its -wal file is damaged")
    salts = struct.unpack_from(">II", content, 16)
    broken, over = False, False
    for frame in frames(content):
        # Damage hits one of the two salts; a frame of an earlier generation has neither.
        if frame.salts[0] != salts[0] and frame.salts[1] != salts[1]:
            broken = True
            continue
        if over:
            raise Broken("its -wal file is damaged before its last transaction")
        broken = broken or not frame.whole or frame.salts != salts
        over = broken and frame.ends


def frames(content: bytes) -> Iterator[Frame]:
    """Yield what lies behind the header, each held against the checksum that runs through all."""
    order = ">" if content[3] & 1 else "<"
    size = int.from_bytes(content[8:12], "big")
    sums = struct.unpack_from(">II", content, 24)
    if size < 512:  # noqa: PLR2004  (SQLite's smallest page)
        return
    for start in range(HEADER, len(content) - FRAME_HEADER - size + 1, FRAME_HEADER + size):
        page, pages, *salts, first, second = struct.unpack_from(">6I", content, start)
        image = content[start + FRAME_HEADER : start + FRAME_HEADER + size]
        sums = _checksum(content[start : start + 8] + image, sums, order)
        whole = sums == (first, second)
        yield Frame(page, pages != 0, (salts[0], salts[1]), whole, image)


def _header_is_whole(content: bytes) -> bool:
    magic, _, size = struct.unpack_from(">III", content)
    if magic & ~1 != _MAGIC or size & (size - 1) or size < 512:  # noqa: PLR2004
        return False
    order = ">" if magic & 1 else "<"
    return _checksum(content[:24], (0, 0), order) == struct.unpack_from(">II", content, 24)


def _checksum(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
