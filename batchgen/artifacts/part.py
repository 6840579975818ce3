"""A download on its way: bytes appended to a `.part` file and hashed as they come.

Rules of this file:

- What is on disk is a beginning of the result at any moment: a part survives every kind of end and
  can be resumed, and resuming hashes again what is there (a name proves nothing).
- A note beside the part says whose bytes it holds. It is durable before the first of them, and the
  bytes of another are gone before it is written: so bytes never stand under a note that is not
  theirs, and bytes without a note are nobody's.
- Up to `HELD` bytes are kept in memory, so that a thread is asked once for much, and a result that
  is smaller is published in one go, without a note: its receipt comes first (`publishing`).
- A part is finished, and can be published, only after its bytes are on the disk.
- A part whose fsync failed is thrown away: the kernel may have dropped its pages and would report
  success the next time.
- A part with a second name is published, whatever else went wrong: it may be finished again but
  never written to.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from aiofiles.threadpool import wrap
from aiofiles.threadpool.binary import AsyncBufferedReader

from batchgen.artifacts.checksums import Digest
from batchgen.artifacts.disk import (
    in_thread,
    open_file,
    reading,
    size_of,
    translated,
    unlink_if_there,
    write_all,
)
from batchgen.artifacts.growing import Growing
from batchgen.artifacts.measured import Measured, NotMedia
from batchgen.artifacts.media import measure, measure_bytes
from batchgen.artifacts.notes import read_note, write_note
from batchgen.errors import MachineError

_T = TypeVar("_T")

HELD = 1 << 20
"""Bytes of a part that wait in memory for the disk."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is not on the disk yet of a part: its next bytes; its note, if it ``begins`` anew."""

    chunks: list[bytes]
    note: Mapping[str, Any] | None
    begins: bool


class Part:
    """One unfinished result. Made by `Tree.part`; used as an asynchronous context manager.

    ``sha256`` (hexadecimal) is None until `finish` has succeeded. Every method raises
    `MachineError` when the disk refuses.
    """

    def __init__(self, path: Path, folder: int, executor: Executor, lying: set[str]) -> None:
        """``lying`` are the names in the folder; it is kept up to date."""
        self.path = path
        self.note_name = path.with_suffix(".note").name
        self.sha256: str | None = None
        self._folder = folder
        self._executor = executor
        self._lying = lying
        self._is_open = False
        self._file: Growing | None = None
        self._writer: AsyncBufferedReader | None = None
        self._chunks: list[bytes] = []
        self._held = 0
        self._begins = False
        """What lies there goes before the next byte does to the disk."""
        self._note: Mapping[str, Any] | None = None
        self._checks: dict[str, Any] = {}
        self._wrong: str | None = None
        self._bytes = 0
        self._published = False

    def __repr__(self) -> str:
        state = "finished" if self.sha256 else "open" if self._is_open else "closed"
        return f"<Part {self.path.name} {state}>"

    @property
    def is_new(self) -> bool:
        """Nothing lies under its name."""
        return self._lying.isdisjoint((self.path.name, self.note_name))

    async def size(self) -> int:
        """Return the bytes that are there already; 0 if there is nothing to resume."""
        if self._is_open:
            return self._bytes
        if self.is_new:
            return 0
        with translated("look at", self.path):
            return await self._run(size_of, self.path.name, self._folder) or 0

    async def note(self) -> dict[str, Any] | None:
        """Return what `restart` was told of the bytes that are there; None if nothing is known."""
        if self.is_new:
            return None
        with translated("read the note of", self.path):
            return await self._run(read_note, self.note_name, self._folder)

    def expect(self, *, md5: str | None = None, crc64: int | None = None) -> None:
        """Hold the bytes against the checksums that are known. Before the part is opened."""
        self._checks = {"md5": md5, "crc64": crc64}

    async def __aenter__(self) -> Self:
        """Open for appending, and hash what is there."""
        self.sha256, self._bytes = None, 0
        if not self.is_new:
            await self._open()
        self._is_open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close, keeping what came; an error that is on its way already is not replaced."""
        if not self._is_open:
            return
        # In one go and shielded, because a cancelled task is cancelled again at its next await:
        # what came would be lost, and a download that is cut often would never get on.
        file, held = self._file, self._taken()
        self._is_open, self._file = False, None
        if file is None and not held.begins and not held.chunks:
            return
        left = asyncio.shield(self._run(self._leave, file, held))
        if error is None:
            with translated("write", self.path):
                await left
        else:
            with suppress(OSError, MachineError):
                await left

    async def write(self, chunk: bytes) -> None:
        """Append the bytes that came next."""
        if self._published:
            raise RuntimeError(f"{self!r} is published already: discard it before writing")
        self._refuse_closed()
        self._chunks.append(chunk)
        self._held += len(chunk)
        self._bytes += len(chunk)
        if self._held >= HELD:
            await self._put()

    async def finish(self) -> None:
        """Put every byte on the disk and close; from here on the part can be published. For a part
        that could not be `taken_whole`.
        """
        assert self._file is not None
        await self._put()
        with translated("write", self.path):
            self._check_size(self._file.fileno())
            try:
                await self._run(os.fsync, self._file.fileno())
            except OSError:
                await self.discard()
                raise
        self.sha256, self._wrong = self._file.digest.sha256, self._file.digest.difference()
        await self.__aexit__(None, None, None)

    def taken_whole(self) -> Held | None:
        """Take the bytes out of memory and close, if all are there and none is on the disk."""
        self._refuse_closed()
        if self._file is not None:
            return None
        self._is_open = False
        return self._taken()

    def measure_whole(self, content: bytes) -> tuple[Measured, str]:
        """In a thread of the disk: `measure` what was taken whole, and its SHA-256."""
        digest = Digest(**self._checks)
        digest.update(content)
        if (wrong := digest.difference()) is not None:
            raise NotMedia(wrong)
        return measure_bytes(content), digest.sha256

    def write_whole(self, held: Held) -> None:
        """In a thread of the disk: put there what was taken whole, and its note. It can be begun
        again.
        """
        self._begin(held.note)
        self.write_bytes(b"".join(held.chunks))

    def write_bytes(self, content: bytes) -> None:
        """In a thread of the disk: put all of a part there, durably, where nothing is."""
        with translated("write", self.path):
            self._lying.add(self.path.name)
            fd = open_file(self.path.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self._folder)
            try:
                write_all(fd, content)
                self._sync(fd)
            finally:
                os.close(fd)

    async def discard(self) -> None:
        """Throw away what is there; the part can be opened again and starts from nothing."""
        self._taken()
        await self._close()
        self._is_open = False
        self.sha256 = None
        with translated("remove", self.path):
            await self._run(self.forget)

    async def restart(
        self,
        note: Mapping[str, Any] | None = None,
        *,
        md5: str | None = None,
        crc64: int | None = None,
    ) -> None:
        """Go on writing from nothing; ``note`` is JSON data about the bytes that come, the
        checksums are theirs. What lies there goes when they go to the disk.
        """
        self._taken()
        await self._close()
        self._is_open, self._begins, self._note = True, True, note
        self._bytes, self._published = 0, False
        self.expect(md5=md5, crc64=crc64)

    def measure(self) -> Measured:
        """In a thread of the disk: measure what was finished.

        Raises `NotMedia` when it is no whole picture or video, or has not the checksums that were
        to be expected.
        """
        if self._wrong is not None:
            raise NotMedia(self._wrong)
        with translated("read", self.path), reading(self.path.name, self._folder) as fd:
            return measure(fd)

    def forget(self) -> None:
        """In a thread of the disk: take the part and its note away, if they are there.

        Listed or not: a file system may list them under another Unicode form of their names.
        """
        for name in (self.path.name, self.note_name):
            unlink_if_there(name, self._folder)
            self._lying.discard(name)

    async def _put(self) -> None:
        """Write what is held."""
        if self._file is None:
            await self._open()
        assert self._writer is not None
        chunks, self._chunks, self._held = self._chunks, [], 0
        with translated("write", self.path):
            await self._writer.writelines(chunks)

    async def _open(self) -> None:
        with translated("open", self.path):
            held = Held([], self._note, self._begins)
            self._file = await self._run(self._opened, held)
        self._begins = False
        self._writer = wrap(self._file, executor=self._executor)
        self._bytes = self._file.bytes + self._held
        self._published = os.fstat(self._file.fileno()).st_nlink > 1

    def _opened(self, held: Held) -> Growing:
        if held.begins:
            self._begin(held.note)
        self._lying.add(self.path.name)
        return Growing.open(self.path.name, self._folder, Digest(**self._checks))

    def _leave(self, file: Growing | None, held: Held) -> None:
        with file or self._opened(held) as leaving:
            leaving.writelines(held.chunks)

    def _taken(self) -> Held:
        held = Held(self._chunks, self._note, self._begins)
        self._chunks, self._held, self._begins = [], 0, False
        return held

    async def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                await asyncio.shield(self._run(file.close))

    def _begin(self, note: Mapping[str, Any] | None) -> None:
        self.forget()
        if note is not None:
            self._lying.add(self.note_name)
            with translated("write the note of", self.path):
                write_note(self.note_name, self._folder, note)

    def _sync(self, fd: int) -> None:
        try:
            os.fsync(fd)
        except OSError:
            self.forget()
            raise

    def _check_size(self, fd: int) -> None:
        """A write that failed or was cancelled half-way leaves bytes that were not hashed."""
        size = os.fstat(fd).st_size
        if size != self._bytes:
            raise MachineError(
                f"{self.path} holds {size} bytes where {self._bytes} were written.",
                hint="Run again: the download goes on from what is there.",
            )

    def _refuse_closed(self) -> None:
        if not self._is_open:
            raise RuntimeError(f"{self!r} is not open")

    async def _run(self, function: Callable[..., _T], *arguments: object) -> _T:
        return await in_thread(self._executor, function, *arguments)
