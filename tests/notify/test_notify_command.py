"""The owner's command is bounded in time and output, and does not see the key."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from functools import partial

import anyio
import pytest

from batchgen.notify import run_command

KEY = "sk-canary-0123456789abcdef"
PATH = {"PATH": os.environ["PATH"]}


async def test_the_document_is_on_its_standard_input():
    """A pipe works, and both streams are kept in their order."""
    ended = await run_command("tr a-z A-Z | cat; echo done >&2", b"fox\n", environ=PATH)
    assert ended.output == "FOX\ndone\n"
    assert ended.trouble is None


async def test_a_document_that_nobody_reads():
    """A command need not care for what it is told, however long that is."""
    ended = await run_command("true", b"x" * 10_000_000, environ=PATH)
    assert ended.trouble is None


@pytest.mark.parametrize(
    ("line", "trouble"),
    [
        ("exit 3", "ended with exit code 3"),
        ("kill -9 $$", "was ended by signal 9"),
        ("no-such-command-at-all", "ended with exit code 127"),
        ("(", "ended with exit code 2"),
    ],
)
async def test_a_command_that_fails(line, trouble):
    """What went wrong is told in words."""
    assert (await run_command(line, b"", environ=PATH)).trouble == trouble


@pytest.mark.fault(139)
async def test_a_command_that_hangs_is_stopped_with_all_that_it_started(tmp_path):
    """Nobody waits for ever, and no process of it is left."""
    line = f"sleep 1000 & echo $! > {tmp_path}/pid; sleep 1000"
    ended = await run_command(line, b"", environ=PATH, limit=0.5)
    assert ended.trouble == "was stopped after 0.5 seconds"
    await gone(int((tmp_path / "pid").read_text()))


async def test_a_wait_that_is_cancelled_leaves_no_process(tmp_path):
    """A signal to batchgen ends the command as well."""
    line = f"echo $$ > {tmp_path}/pid; sleep 1000"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(run_command, line, b"", environ=PATH))
        pid = tmp_path / "pid"
        while not (pid.exists() and pid.read_text()):  # noqa: ASYNC110 - a child has no event
            await asyncio.sleep(0)
        tasks.cancel_scope.cancel()
    await gone(int((tmp_path / "pid").read_text()))


@pytest.mark.fault(139)
async def test_a_command_that_floods():
    """A gigabyte is read, so that nothing blocks, and dropped but for its beginning."""
    ended = await run_command("head -c 1000000000 /dev/zero | tr '\\0' x", b"", environ=PATH)
    assert ended.trouble is None
    assert ended.output == "x" * 4_096


async def test_what_is_left_in_the_background_holds_nobody_up():
    """A player that goes on after the command is not waited for."""
    began = time.monotonic()
    ended = await run_command("sleep 20 & echo $!", b"", environ=PATH)
    assert time.monotonic() - began < 15
    assert ended.trouble is None
    os.kill(int(ended.output), signal.SIGKILL)


@pytest.mark.fault(125)
async def test_the_key_is_not_in_its_environment():
    """Neither under its name, nor under another, nor the way to it; all else is there."""
    environ = {
        **PATH,
        "DASHSCOPE_API_KEY": KEY,
        "DASHSCOPE_API_KEY_FILE_PATH": "/etc/key",
        "ALIBABA_KEY": KEY,
        "HEADER": f"Bearer {KEY}",
        "MAIL": "owner@example.org",
    }
    ended = await run_command("env; tr '\\0' '\\n' < /proc/$$/cmdline", b"", environ=environ)
    assert KEY not in ended.output
    assert "/etc/key" not in ended.output
    assert "MAIL=owner@example.org" in ended.output


async def test_a_command_that_cannot_be_started():
    """A line that is too long for the system is told as such."""
    ended = await run_command("x" * 1_000_000, b"", environ=PATH)
    assert ended.trouble == "could not be started: Argument list too long"


async def gone(pid: int) -> None:
    """A process that was killed vanishes when whoever inherits it has taken note."""
    for _ in range(1_000):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:  # noqa: ASYNC230, PTH123
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except FileNotFoundError:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"process {pid} is still there")
