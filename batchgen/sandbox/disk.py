"""The sandbox and its disk, which may refuse: full, read-only, broken.

Rules.
1. What SQLite says of the disk becomes an OSError at the store's edge; nothing else knows SQLite.
2. A request that needs the disk and does not get it is answered with 503 before anything has come
   of it. For the client that is throttling: it waits, and is in doubt about nothing.
3. A file is under its name when it is whole, or not at all. What a kill has left half written is
   removed at the next start.
4. A folder of files that can be had again is bounded: the least recently used make room.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from errno import EBADF, EDQUOT, EIO, ENOSPC, EROFS
from pathlib import Path

import apsw

_NUMBERS: dict[type[apsw.Error], int] = {
    apsw.FullError: ENOSPC,
    apsw.ReadOnlyError: EROFS,
    apsw.CantOpenError: EIO,
    apsw.IOError: EIO,
    apsw.CorruptError: EIO,
    apsw.NotADBError: EIO,
    # A handler may outlive the sandbox by a moment: for it the disk is gone.
    apsw.ConnectionClosedError: EBADF,
}


@contextmanager
def disk_errors() -> Iterator[None]:
    """What the disk refuses, as an OSError with SQLite's words."""
    try:
        yield
    except tuple(_NUMBERS) as error:
        raise OSError(_NUMBERS[type(error)], str(error)) from None


def sweep(folder: Path) -> None:
    """Remove what is half written in a folder that nobody writes to."""
    for part in folder.glob("*.part"):
        part.unlink(missing_ok=True)


class Shelf:
    """A folder of at most so many bytes. `spared` names the files that have to stay. Its methods
    may be called by any thread.
    """

    def __init__(
        self, folder: Path, most_bytes: int, spared: Callable[[], Container[str]] = tuple
    ) -> None:
        self._folder = folder
        self._most = most_bytes
        self._spared = spared
        self._lock = threading.Lock()
        self._total = sum(size for _, size, _ in self._files())

    def put(self, part: Path, name: str) -> Path:
        """A file of the folder takes its name, the place of an older one too; others may have to
        make room for it.
        """
        path = self._folder / name
        with self._lock:
            self._total += part.stat().st_size - (path.stat().st_size if path.exists() else 0)
            part.replace(path)
            if self._total > self._most:
                self._make_room(path)
        return path

    def _make_room(self, newest: Path) -> None:
        """Down to nine tenths, so that the next files need no look at the whole folder."""
        files, spared = sorted(self._files()), self._spared()
        self._total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if self._total <= self._most * 9 // 10:
                break
            if path != newest and path.name not in spared:
                path.unlink(missing_ok=True)
                self._total -= size

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """When each was used last, in Unix seconds of the disk, and its bytes; none that is still
        being written.
        """
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                if path.suffix != ".part":
                    status = path.stat()
                    yield status.st_mtime, status.st_size, path


def in_words(error: OSError) -> str:
    """What the disk refuses, for the person whose disk it is."""
    if error.errno in {ENOSPC, EDQUOT}:
        return "The sandbox's disk is full. Nothing has come of this request."
    refusal = f"The sandbox's disk cannot be used: {error.strerror or error}."
    return f"{refusal} Nothing has come of this request."
