"""The sandbox and a disk that refuses: full, read-only, broken.

Rules.
1. What SQLite says of the disk becomes an OSError at the store's edge; nothing else knows SQLite.
2. A request that needs the disk and does not get it is answered with 503 before anything has come
   of it. For the client that is throttling: it waits, and is in doubt about nothing.
3. A file is under its name when it is whole, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, EIO, ENOSPC, EROFS
from pathlib import Path

import apsw

_NUMBERS: dict[type[apsw.Error], int] = {
    apsw.FullError: ENOSPC,
    apsw.ReadOnlyError: EROFS,
    apsw.CantOpenError: EIO,
    apsw.IOError: EIO,
}


@contextmanager
def disk_errors() -> Iterator[None]:
    """What the disk refuses, as an OSError with SQLite's words."""
    try:
        yield
    except tuple(_NUMBERS) as error:
        raise OSError(_NUMBERS[type(error)], str(error)) from None


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write what shall be `path`: it takes that name at the end, and goes if it fails."""
    part = path.with_suffix(".part")
    try:
        yield part
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def in_words(error: OSError) -> str:
    """What the disk refuses, for the person whose disk it is."""
    if error.errno in {ENOSPC, EDQUOT}:
        return "The sandbox's disk is full. Nothing has come of this request."
    refusal = f"The sandbox's disk cannot be used: {error.strerror or error}."
    return f"{refusal} Nothing has come of this request."
