"""One run at a time, and the others are told which."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from batchgen.errors import BatchHeld
from batchgen.journal.lock import BatchLock

HOLD = """
import sys
from pathlib import Path
from batchgen.journal.lock import BatchLock
lock = BatchLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def other(path: Path):
    """Another process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_told_who_holds(path: Path, other: subprocess.Popen):
    """The words name process, host and since when; the holder's text stays as it was."""
    lock = BatchLock(path)
    for _ in range(2):
        with pytest.raises(BatchHeld, match=f"process {other.pid} on .* since 20") as held:
            lock.acquire()
    assert socket.gethostname() in str(held.value)


def test_a_killed_holder_is_no_obstacle(path: Path, other: subprocess.Popen):
    """The lock of a process that was killed is free at once, though its text is still there."""
    lock = BatchLock(path)
    other.kill()
    other.wait()
    assert lock.holder() is None
    lock.acquire()
    assert f"process {os.getpid()} on" in lock.holder()
    lock.release()
    assert lock.holder() is None


def test_nobody_holds_a_lock_that_was_never_taken(path: Path):
    """Asking makes no file."""
    assert BatchLock(path).holder() is None
    assert not path.exists()


def test_a_look_does_not_take_the_lock(path: Path):
    """Asking who holds it leaves it free for the next run."""
    first = BatchLock(path)
    first.acquire()
    first.release()
    assert BatchLock(path).holder() is None
    first.acquire()
    first.release()


@pytest.mark.parametrize("text", [b"", b"{", b"{}", b"[]", b"\xff"])
def test_a_text_that_says_nothing_still_refuses(path: Path, text: bytes):
    """The kernel's lock decides; the text only helps."""
    first = BatchLock(path)
    first.acquire()
    path.write_bytes(text)
    with pytest.raises(BatchHeld, match="a process that has not said which"):
        BatchLock(path).acquire()
    first.release()


def test_a_longer_text_of_an_earlier_holder_leaves_no_trace(path: Path):
    """The new holder's text replaces the old one whole."""
    path.write_bytes(b"x" * 500)
    lock = BatchLock(path)
    lock.acquire()
    assert lock.holder().startswith(f"process {os.getpid()} on ")
    lock.release()


def test_only_the_owner_can_read_the_lock(path: Path):
    """The lock file is as private as the journal."""
    lock = BatchLock(path)
    lock.acquire()
    assert path.stat().st_mode & 0o777 == 0o600
    lock.release()
