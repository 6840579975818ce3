"""How far a log must go, told beside it.

A journal whose -wal file is lost, or that was replaced by an older copy, is whole in itself: only
its newest facts are gone, and requests that were sent with them. So every commit, once it is
durable, leaves its number in a small file beside the journal. That file is never synced: after a
power cut it may say less than the log has, never more.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_WIDTH = 20


def extent_of(path: Path) -> Path:
    """The file that says how far the journal at ``path`` goes.

    Not named like the files of SQLite: who deletes those leaves the witness.
    """
    return path.with_suffix(".extent")


def read_extent(path: Path, origin: str | None) -> int:
    """The number of the last fact that was written; 0 where nobody said, or of another journal.

    ``origin`` is the id of the journal's stamp, None where that is lost.
    """
    try:
        owner, number = extent_of(path).read_text("ascii").split(" ")
        return int(number) if origin in {None, owner} else 0
    except (OSError, ValueError):
        return 0


class Extent:
    """Writes down how far the journal at ``path`` goes. It stays open from one commit to the next.

    A disk that refuses takes a witness, no fact.
    """

    def __init__(self, path: Path, origin: str) -> None:
        self._path = extent_of(path)
        self._origin = origin
        self._descriptor: int | None = None

    def note(self, seq: int) -> None:
        """The facts up to this number are durable."""
        # Of one width, so that it is overwritten in place, which needs no space.
        text = f"{self._origin} {seq:0{_WIDTH}d}".encode()
        with suppress(OSError):
            if self._descriptor is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
                self._descriptor = os.open(self._path, flags, 0o600)
                os.ftruncate(self._descriptor, len(text))
            os.pwrite(self._descriptor, text, 0)

    def close(self) -> None:
        """Nothing more is written."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
