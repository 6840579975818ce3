"""Local media on their way to the service: read, held against what was planned, sent.

A small file goes into the body as a data URI where the field takes one. Any other goes into the
service's temporary storage first, piece by piece. Either is held against the hash that it had when
the manifest was read, before it is used.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import FileIO
from pathlib import Path

import anyio

from batchgen.catalog import Media, Model, Request, Way
from batchgen.runner.needs import ways

PIECE = 2**18
"""Bytes of a file that are in memory at once while it is uploaded."""


class MediaChanged(Exception):
    """A local file is no longer what the manifest was checked with."""


async def addresses(
    model: Model, request: Request, folder: Path, uploaded: Callable[[str], str]
) -> dict[Media, str]:
    """What stands on the wire for each medium of a request.

    Local paths count from ``folder``, where the manifest lies; ``uploaded`` gives the address of an
    uploaded file by its SHA-256. Raises MediaChanged where a file to be inlined is gone or holds
    other bytes than were planned.
    """
    loop = asyncio.get_running_loop()
    found = {}
    for medium, way in ways(model, request).items():
        match way:
            case Way.AS_IS:
                found[medium] = medium.source
            case Way.UPLOAD:
                found[medium] = uploaded(medium.sha256 or "")
            case Way.INLINE:
                found[medium] = await loop.run_in_executor(None, _inlined, medium, folder)
    return found


def _inlined(medium: Media, folder: Path) -> str:
    try:
        file, size = _open(folder / medium.source)
        with file:
            content = file.read(size)
    except OSError as error:
        raise _unreadable(medium, error) from None
    if hashlib.sha256(content).hexdigest() != medium.sha256:
        raise _other(medium)
    return f"data:{medium.media_type};base64,{base64.b64encode(content).decode()}"


class LocalFile:
    """One pass over a local file that is to be uploaded; ``changed`` says what stood against it."""

    def __init__(self, medium: Media, file: FileIO, size: int) -> None:
        self._medium = medium
        self._file = file
        self.size = size
        self.changed: MediaChanged | None = None
        self.is_whole = False
        """All of it has been read, and it is what was planned."""

    async def pieces(self) -> AsyncIterator[bytes]:
        """The bytes, piece by piece; raises MediaChanged before the end of another file."""
        loop = asyncio.get_running_loop()
        digest, self.is_whole = hashlib.sha256(), False
        try:
            await loop.run_in_executor(None, self._file.seek, 0)
            while piece := await loop.run_in_executor(None, self._file.read, PIECE):
                digest.update(piece)
                yield piece
        except OSError as error:
            self.changed = _unreadable(self._medium, error)
            raise self.changed from None
        if digest.hexdigest() != self._medium.sha256:
            self.changed = _other(self._medium)
            raise self.changed
        self.is_whole = True


@asynccontextmanager
async def local_file(medium: Media, folder: Path) -> AsyncIterator[LocalFile]:
    """A local file, open for an upload. Raises MediaChanged where it cannot be read any more."""
    loop = asyncio.get_running_loop()
    try:
        with anyio.CancelScope(shield=True):  # else nobody would close what is opened by then
            file, size = await loop.run_in_executor(None, _open, folder / medium.source)
    except OSError as error:
        raise _unreadable(medium, error) from None
    with file:
        yield LocalFile(medium, file, size)


def _open(path: Path) -> tuple[FileIO, int]:
    """Whatever has taken the file's place since, a pipe would be waited for without end."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        file.close()
        raise OSError(0, "it is no file")
    return file, found.st_size


def _unreadable(medium: Media, error: OSError) -> MediaChanged:
    return MediaChanged(f"{medium.source} cannot be read any more: {error.strerror}")


def _other(medium: Media) -> MediaChanged:
    return MediaChanged(f"{medium.source} has changed since the manifest was read")
