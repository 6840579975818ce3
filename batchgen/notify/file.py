"""A document in a file that other programs may read at any moment."""

from __future__ import annotations

import glob
import os
from contextlib import suppress
from pathlib import Path

from batchgen.errors import Mistake


def refuse_unfit(path: Path) -> None:
    """Raises Mistake where nothing could be written in the end: better said in the evening.

    What is no regular file is refused, for it would be replaced: ``/dev/null``, a pipe, a folder.
    """
    if path.exists() and not path.is_file():
        raise Mistake(f"{path} is no file, and a summary would take its place.")
    if not path.parent.is_dir():
        raise Mistake(f"There is no folder {path.parent} for the summary.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise Mistake(f"The folder {path.parent} cannot be written, and the summary belongs there.")


def write_file(path: Path, document: bytes) -> None:
    """Put the document under its name in one step, durably.

    Raises OSError; ``path`` is then as it was. Of two that write at the same moment one may fail.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        left.unlink(missing_ok=True)  # by a process that was killed in here
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """The new name outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
