"""Keeps a second run out of a batch.

Rules of this file:

* The kernel's lock (flock) decides, and it ends with its holder however that ends. The text in the
  lock file only says who took it last, so a stale text is no obstacle.
* The file is never deleted: a run that waits on a deleted file would hold a lock on nothing.
* Looking never writes, so it works for ``status`` on a read-only file system.
* The text also holds the file's own inode number: where it is another one, the folder is a copy.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from batchgen.errors import BatchHeld

if TYPE_CHECKING:
    from filelock import FileLock

# ``holder`` takes a shared lock for some microseconds; a run that starts in just these asks again.
_PATIENCE = 0.1
_TEXT_LIMIT = 4096


class BatchLock:
    """The lock of one batch, at ``path``; its folder must be there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.is_copy = False
        """The folder was copied since the last run, or moved to another disk."""
        self._lock: FileLock | None = None

    def acquire(self) -> None:
        """Take the lock; BatchHeld naming the holder where another run has it."""
        from filelock import FileLock, Timeout  # noqa: PLC0415 - who looks needs none of it

        self._lock = self._lock or FileLock(
            self._path,
            mode=0o600,
            timeout=_PATIENCE,
            thread_local=False,
            # A file system without flock gets an error: a lock file that a crash leaves behind
            # would have to be judged by its age, and two runs pay twice.
            fallback_to_soft=False,
            preserve_lock_file=True,
            on_acquired=self._sign,
        )
        try:
            self._lock.acquire()
        except Timeout as error:
            raise BatchHeld(
                f"another run holds this batch: {self.holder() or 'it ended just now'}",
                hint="let it finish, or stop it and run again",
            ) from error

    def release(self) -> None:
        """Give the lock back, if it was taken."""
        if self._lock is not None:
            self._lock.release()

    def holder(self) -> str | None:
        """Say who holds the lock, or None where nobody does."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(os.pread(descriptor, _TEXT_LIMIT, 0))
        else:
            return None
        finally:
            os.close(descriptor)

    def _sign(self, descriptor: int) -> None:
        inode = os.fstat(descriptor).st_ino
        self.is_copy = _inode(os.pread(descriptor, _TEXT_LIMIT, 0)) not in {None, inode}
        since = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
        host = socket.gethostname()
        holder = {"pid": os.getpid(), "host": host, "since": since, "inode": inode}
        text = json.dumps(holder).encode() + b"\n"
        os.pwrite(descriptor, text, 0)
        os.ftruncate(descriptor, len(text))


def _inode(text: bytes) -> int | None:
    """Of the file that the text was written to; None where it does not say."""
    try:
        return int(json.loads(text)["inode"])
    except (ValueError, KeyError, TypeError):
        return None


def _read(text: bytes) -> str:
    try:
        holder = json.loads(text)
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "a process that has not said which"
