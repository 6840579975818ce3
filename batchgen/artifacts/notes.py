"""Small notes beside unfinished downloads: what must outlive the program about bytes on the disk.

A note is whole or not there, and durable when it was written: it is put in place by a rename. One
that cannot be read is none, since what it would say can be found out again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from batchgen.artifacts.disk import open_file, reading, unlink_if_there, write_all

_MAX_BYTES = 1 << 16


def write_note(name: str, folder: int, note: Mapping[str, Any]) -> None:
    """Put a JSON object under a name in an open folder, in place of an older one."""
    write_whole(f"{name}.tmp", folder, json.dumps(note).encode())
    os.rename(f"{name}.tmp", name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def read_note(name: str, folder: int) -> dict[str, Any] | None:
    """Return what the note says; None if there is none, or none that can be read."""
    try:
        with reading(name, folder) as fd:
            note = json.loads(os.pread(fd, _MAX_BYTES, 0))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return note if isinstance(note, dict) else None


def write_whole(temporary: str, folder: int, content: bytes) -> None:
    """Put durable bytes under a name of our own, over what a crash has left there."""
    unlink_if_there(temporary, folder)
    fd = open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, folder)
    try:
        write_all(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)
