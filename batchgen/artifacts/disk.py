"""The edge to the file system: folders opened without following links, and errors in words.

Every function takes names relative to an open folder: a path could be led elsewhere between two
calls by a symbolic link swapped in, an open folder cannot.
"""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from batchgen.errors import MachineError

_T = TypeVar("_T")

PIECE = 1 << 20
"""Bytes that one disk operation moves; small pieces cost more in thread switches than in disk."""

_WORDS = {
    errno.ENOSPC: "the disk is full (no space or no inodes left)",
    errno.EDQUOT: "your disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "the disk reports an input/output error",
    errno.EACCES: "permission denied",
    errno.EPERM: "the operation is not permitted here",
    errno.ELOOP: "it is a symbolic link, and results are never written through one",
    errno.ENOTDIR: "a file or a symbolic link stands where a folder should be",
    errno.EISDIR: "a folder stands where a file should be",
    errno.EEXIST: "something that is no folder stands in its place",
    errno.ENOENT: "it is gone, or the folder it stood in",
    errno.ESTALE: "the network file system has lost it",
    errno.EXDEV: "it lies on another file system than its folder",
    errno.ENAMETOOLONG: "the name is too long for this file system",
}
_HINTS = {
    errno.ENOSPC: "Free some space and run again; what is paid stays collectable for 24 hours.",
    errno.EDQUOT: "Free some space and run again; what is paid stays collectable for 24 hours.",
    errno.EIO: "Check the disk, or choose another one with --output.",
}


@contextmanager
def translated(doing: str, path: Path) -> Iterator[None]:
    """Turn what the system says about a file into a `MachineError` that names it.

    Out of file handles (EMFILE, ENFILE) passes as it is: that is a moment to wait, no fault of
    the disk. So does everything else that this table does not know.
    """
    try:
        yield
    except OSError as error:
        words = _limit_in_words() if error.errno == errno.EFBIG else _WORDS.get(error.errno or 0)
        if words is None:
            raise
        raise MachineError(
            f"Cannot {doing} {path}: {words}.", hint=_HINTS.get(error.errno or 0)
        ) from error


def _limit_in_words() -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit == resource.RLIM_INFINITY:
        return "the file is larger than this file system allows"
    return f"the file is larger than this process may write ({limit} bytes, see ulimit -f)"


def make_folders(path: Path) -> None:
    """Create a folder and its parents, each entry durable before anything is put below it."""
    with translated("look for the folder", path):
        missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
    for folder in reversed(missing):
        with translated("create the folder", folder):
            folder.mkdir(exist_ok=True)
            parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(parent)
            finally:
                os.close(parent)


def open_root(path: Path) -> int:
    """Open the folder that the user named; a symbolic link is followed, for it was the user's."""
    with translated("open the folder", path):
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def open_subfolder(parent: int, name: str, path: Path) -> int:
    """Open a folder inside an open one, creating it if need be; a symbolic link is refused."""
    with translated("open the folder", path):
        try:
            os.mkdir(name, dir_fd=parent)
        except FileExistsError:
            if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
        else:
            os.fsync(parent)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, dir_fd=parent)


def open_file(name: str, flags: int, folder: int) -> int:
    """Open a regular file inside an open folder.

    Raises OSError: ELOOP for a symbolic link, EPERM for a device, a pipe or the like.
    """
    # O_NONBLOCK keeps a pipe planted under the name from blocking the thread for ever.
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(name, flags, 0o666, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EPERM, f"{name} is no regular file")
    return fd


@contextmanager
def reading(name: str, folder: int) -> Iterator[int]:
    """Open a regular file inside an open folder for the time of a block; see `open_file`."""
    fd = open_file(name, os.O_RDONLY, folder)
    try:
        yield fd
    finally:
        os.close(fd)


def pieces(fd: int) -> Iterator[bytes]:
    """Yield the whole file in order, in pieces of bounded size."""
    at = 0
    while piece := os.pread(fd, PIECE, at):
        yield piece
        at += len(piece)


def write_all(fd: int, content: bytes) -> None:
    """Write every byte, however many calls the system makes of it."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]


def size_of(name: str, folder: int) -> int | None:
    """Return the size of a regular file in bytes; None if there is no such file."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def is_taken(name: str, folder: int) -> bool:
    """Say whether anything stands under a name, of whatever kind."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def unlink_if_there(name: str, folder: int) -> None:
    """Remove a name; it may be gone already."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return


async def in_thread(executor: Executor, function: Callable[..., _T], *arguments: object) -> _T:
    """Wait for a blocking call in one of the threads kept for the disk."""
    return await asyncio.get_running_loop().run_in_executor(executor, function, *arguments)
