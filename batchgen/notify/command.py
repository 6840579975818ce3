"""A command line of the owner's, run once and bounded in every way.

Rules of this file:

* The line is given to ``sh``: people write pipes, and cron does the same with theirs.
* The command is a process group of its own, which is killed at the limit, and by whatever else ends
  the wait. What a command that has ended left in the background is its own affair.
* What it prints beyond some KiB is read and dropped, so that it never blocks.
* The API key is not in its environment, neither under its own name nor under another.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process

LIMIT = 60.0
"""Seconds that the command may take."""
SHOWN = 4_096
"""Bytes of its output that are kept."""

_LINGERING = 0.5
"""Seconds in which the output of a command that has ended is read to its end; something that it
left in the background may hold it open for ever."""
_KEY_NAMES = "DASHSCOPE_API_KEY"
"""How the names of the variables begin that hold the key, or lead to it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command came to its end."""

    output: str
    """The beginning of what it printed, on either stream."""
    trouble: str | None
    """What went wrong, in words; None where it ended with 0."""
    dropped: int = 0
    """Bytes that it printed beyond what is kept."""


@dataclass(slots=True)
class _Output:
    """What a command has printed so far."""

    kept: bytearray = field(default_factory=bytearray)
    dropped: int = 0

    def take(self, chunk: bytes) -> None:
        room = SHOWN - len(self.kept)
        self.kept += chunk[:room]
        self.dropped += max(len(chunk) - room, 0)

    def ended(self, trouble: str | None) -> Ended:
        # Bytes that a terminal might obey are made harmless where they are shown.
        return Ended(self.kept.decode("utf-8", "replace"), trouble, self.dropped)


async def run_command(
    line: str, document: bytes, *, environ: Mapping[str, str], limit: float = LIMIT
) -> Ended:
    """Run the line with the document on its standard input, for ``limit`` seconds at most.

    ``environ`` is what the command sees, but for the key. A cancelled wait leaves nothing behind.
    """
    try:
        with anyio.CancelScope(shield=True):  # what was started must be known, to be ended
            process = await anyio.open_process(
                ["/bin/sh", "-c", line],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=without_key(environ),
                start_new_session=True,
            )
    except OSError as error:
        return Ended("", f"could not be started: {error.strerror}")
    output = _Output()
    with anyio.move_on_after(limit) as waiting:
        async with process, _group(process):
            await _attend(process, document, output)
    if waiting.cancelled_caught:
        return output.ended(f"was stopped after {limit:g} seconds")
    return output.ended(_trouble(process.returncode or 0))


def without_key(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the API key, by whatever name it is there a second time."""
    keys = {environ.get(_KEY_NAMES, "").strip()} - {""}
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_KEY_NAMES) and not any(key in value for key in keys)
    }


def _trouble(code: int) -> str | None:
    if code < 0:
        return f"was ended by signal {-code}"
    return f"ended with exit code {code}" if code else None


@asynccontextmanager
async def _group(process: Process) -> AsyncIterator[None]:
    """A block that is not left in its own time takes the whole group of the command with it."""
    try:
        yield
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # asyncio has a thread that waits for the end of the process. Who looks after it sooner, as
        # closing the process does, takes the end away from that thread, which then logs a warning.
        with anyio.CancelScope(shield=True):
            await process.wait()
        raise


async def _attend(process: Process, document: bytes, output: _Output) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    drained = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_feed, process.stdin, document)
        tasks.start_soon(_keep, process.stdout, output, drained)
        await process.wait()
        with anyio.move_on_after(_LINGERING):
            await drained.wait()
        tasks.cancel_scope.cancel()


async def _feed(stdin: ByteSendStream, document: bytes) -> None:
    """A command that does not care for the document is no trouble."""
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        async with stdin:
            await stdin.send(document)


async def _keep(stdout: ByteReceiveStream, output: _Output, drained: anyio.Event) -> None:
    async for chunk in stdout:
        output.take(chunk)
    drained.set()
