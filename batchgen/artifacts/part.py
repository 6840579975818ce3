"""A download on its way: bytes appended to a `.part` file and hashed as they come.

Rules of this file:

- What is on disk is a beginning of the result at any moment: a part survives every kind of end and
  can be resumed, and resuming hashes again what is there (a name proves nothing).
- A note beside the part says whose bytes it holds. It is durable before the first of them, and the
  bytes of another are gone before it is written: so bytes never stand under a note that is not
  theirs, and bytes without a note are nobody's.
- Only `finish` makes a part publishable, and it does so after the bytes are on the disk.
- A part whose fsync failed is thrown away: the kernel may have dropped its pages and would report
  success the next time.
- A part with a second name is published, whatever else went wrong: it may be finished again but
  never written to.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiofiles
from aiofiles.threadpool.binary import AsyncBufferedIOBase

from batchgen.artifacts.checksums import difference
from batchgen.artifacts.disk import (
    in_thread,
    open_file,
    pieces,
    reading,
    size_of,
    translated,
    unlink_if_there,
)
from batchgen.artifacts.measured import Measured, NotMedia
from batchgen.artifacts.media import measure
from batchgen.artifacts.notes import read_note, write_note
from batchgen.errors import MachineError

_T = TypeVar("_T")


class Part:
    """One unfinished result. Made by `Tree.part`; used as an asynchronous context manager.

    ``sha256`` (hexadecimal) is None until `finish` has succeeded. Every method raises
    `MachineError` when the disk refuses.
    """

    def __init__(self, path: Path, folder: int, executor: Executor) -> None:
        self.path = path
        self.note_name = path.with_suffix(".note").name
        self.sha256: str | None = None
        self._folder = folder
        self._executor = executor
        self._file: AsyncBufferedIOBase | None = None
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._published = False

    def __repr__(self) -> str:
        state = "finished" if self.sha256 else "open" if self._file else "closed"
        return f"<Part {self.path.name} {state}>"

    async def size(self) -> int:
        """Return the bytes that are there already; 0 if there is nothing to resume."""
        if self._file is not None:
            return self._bytes
        with translated("look at", self.path):
            return await self._run(size_of, self.path.name, self._folder) or 0

    async def note(self) -> dict[str, Any] | None:
        """Return what `restart` was told of the bytes that are there; None if nothing is known."""
        with translated("read the note of", self.path):
            return await self._run(read_note, self.note_name, self._folder)

    async def __aenter__(self) -> Self:
        """Open for appending, creating it if need be, and hash what is there."""
        self.sha256 = None
        with translated("open", self.path):
            self._file = await aiofiles.open(
                self.path.name, "a+b", opener=self._open, executor=self._executor
            )
        try:
            await self._run(self._hash_what_is_there, self._file.fileno())
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close, keeping what came; an error that is on its way already is not replaced."""
        if self._file is None:
            return
        file, self._file = self._file, None
        # Shielded, because a cancelled task is cancelled again at its next await: what came would
        # be lost from the buffer, and a download that is cut often would never get on.
        closed = asyncio.shield(file.close())
        if error is None:
            with translated("write", self.path):
                await closed
        else:
            with suppress(OSError):
                await closed

    async def write(self, chunk: bytes) -> None:
        """Append the bytes that came next."""
        if self._published:
            raise RuntimeError(f"{self!r} is published already: discard it before writing")
        file = self._opened()
        with translated("write", self.path):
            await file.write(chunk)
        await self._run(self._hash.update, chunk)
        self._bytes += len(chunk)

    async def finish(self) -> None:
        """Put every byte on the disk and close; from here on the part can be published."""
        file = self._opened()
        with translated("write", self.path):
            await file.flush()
            self._check_size(file.fileno())
            try:
                await self._run(os.fsync, file.fileno())
            except OSError:
                await self.discard()
                raise
        await self.__aexit__(None, None, None)
        self.sha256 = self._hash.hexdigest()

    async def discard(self) -> None:
        """Throw away what is there; the part can be opened again and starts from nothing."""
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):
                await asyncio.shield(file.close())
        self.sha256 = None
        with translated("remove", self.path):
            await self._run(self._remove)

    async def restart(self, note: Mapping[str, Any] | None = None) -> None:
        """Throw away what is there and go on writing from nothing; ``note`` is JSON data about the
        bytes that come.
        """
        await self.discard()
        if note is not None:
            with translated("write the note of", self.path):
                await self._run(write_note, self.note_name, self._folder, note)
        await self.__aenter__()

    async def measure(self, *, md5: str | None = None, crc64: int | None = None) -> Measured:
        """Measure what is on the disk, after holding it against the checksums that are known.

        Raises `NotMedia` when it is no whole picture or video, or not the right one.
        """
        with translated("read", self.path):
            return await self._run(self._measure, md5, crc64)

    def _measure(self, md5: str | None, crc64: int | None) -> Measured:
        with reading(self.path.name, self._folder) as fd:
            if wrong := difference(fd, md5=md5, crc64=crc64):
                raise NotMedia(wrong)
            return measure(fd)

    def _remove(self) -> None:
        unlink_if_there(self.path.name, self._folder)
        unlink_if_there(self.note_name, self._folder)

    def _open(self, name: str, flags: int) -> int:
        return open_file(name, flags, self._folder)

    def _hash_what_is_there(self, fd: int) -> None:
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._published = os.fstat(fd).st_nlink > 1
        with translated("read", self.path):
            for piece in pieces(fd):
                self._hash.update(piece)
                self._bytes += len(piece)

    def _check_size(self, fd: int) -> None:
        """A write that failed or was cancelled half-way leaves bytes that were not hashed."""
        size = os.fstat(fd).st_size
        if size != self._bytes:
            raise MachineError(
                f"{self.path} holds {size} bytes where {self._bytes} were written.",
                hint="Run again: the download goes on from what is there.",
            )

    def _opened(self) -> AsyncBufferedIOBase:
        if self._file is None:
            raise RuntimeError(f"{self!r} is not open")
        return self._file

    async def _run(self, function: Callable[..., _T], *arguments: object) -> _T:
        return await in_thread(self._executor, function, *arguments)
