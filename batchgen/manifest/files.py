"""Opening what a manifest names: regular files only, and a good word where there is none."""

from __future__ import annotations

import errno
import io
import os
import stat
from itertools import islice
from pathlib import Path

from batchgen.manifest.problems import did_you_mean

_MAX_NEIGHBOURS = 1_000


class NotAFile(Exception):
    """A path that does not lead to a readable regular file; ``hint`` names a near one."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file for reading, following links, without waiting for a pipe's writer.

    Raises `NotAFile`, in words that fit after the path and a colon.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _not_a_file(path, error) from None
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind != stat.S_IFREG:
        os.close(descriptor)
        raise NotAFile("this is a folder" if kind == stat.S_IFDIR else "this is no regular file")
    return os.fdopen(descriptor, "rb")


def _not_a_file(path: Path, error: OSError | ValueError) -> NotAFile:
    if not isinstance(error, OSError):
        return NotAFile("this cannot be a path")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return NotAFile("there is no such file", _near(path))
    return NotAFile(f"it cannot be opened: {error.strerror}")


def _near(path: Path) -> str | None:
    try:
        with os.scandir(path.parent) as entries:
            neighbours = [entry.name for entry in islice(entries, _MAX_NEIGHBOURS)]
    except (OSError, ValueError):
        return f"there is no folder {path.parent} either"
    return did_you_mean(path.name, neighbours)
