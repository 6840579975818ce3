"""The stand-in as a service of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess

import aiohttp
import pytest

from batchgen.api import Settings, load
from batchgen.cli import main
from batchgen.cli.rehearsal import Rehearsal


def test_a_run_against_a_sandbox(night, start, monkeypatch, capsys):
    """What it prints is all that a run needs; Ctrl-C ends it well, with its bill."""
    sandbox = start("sandbox", "--port", "0", "--speed", "600", "--key", "sk-alice=studio")
    for _ in range(2):
        name, _, value = sandbox.stdout.readline().removeprefix("export ").strip().partition("=")
        monkeypatch.setenv(name, value)
    assert main(["run", "night.yaml", "--only", "moon"]) == 0
    assert "2 results in" in capsys.readouterr().out
    sandbox.send_signal(signal.SIGINT)
    _, err = sandbox.communicate()
    assert sandbox.returncode == 0
    assert "listens until Ctrl-C" in err
    assert "sandbox bill: 1 task, 0 seconds of video, 2 images" in err


@pytest.fixture
def disk(tmp_path):
    """A file system of 300 KiB, as a folder and a way to give it more room."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()

    def mounted(options):
        mount = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
        return subprocess.run(mount, capture_output=True, text=True, check=False)

    made = mounted("size=300k")
    if made.returncode != 0:
        pytest.skip(f"no small file system here: {made.stderr.strip()}")
    yield folder, lambda: mounted("remount,size=20m")
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder):
    with pytest.raises(OSError, match="No space left"):
        (folder / "ballast").write_bytes(bytes(1 << 20))


async def test_a_bill_that_a_full_disk_forbids(night, disk):
    """The rehearsal ends as it ended, without a bill and without an error in its place."""
    folder, _ = disk
    settings = Settings(output=folder, sandbox=True, service_speed=1e9)
    rehearsal = Rehearsal(load(night), settings)
    async with rehearsal.connect() as endpoint, aiohttp.ClientSession() as session:
        answer = await session.post(
            f"{endpoint.base_url}/services/aigc/video-generation/video-synthesis",
            json={"model": "wan2.6-t2v", "input": {"prompt": "fox"}},
            headers={
                "Authorization": f"Bearer {endpoint.key.reveal()}",
                "X-DashScope-Async": "enable",
            },
        )
        assert answer.status == 200
        fill(folder)
    assert rehearsal.bill is None


def test_a_rehearsal_on_a_disk_that_fills_up(night, disk, capsys):
    """Words and exit code 6; with more room the same command buys nothing twice."""
    folder, grow = disk
    command = ["run", "--sandbox", "--speed", "600", "--output", str(folder), "night.yaml"]
    assert main(command) == 6
    out, err = capsys.readouterr()
    assert "disk is full" in err
    assert "Traceback" not in out + err
    grow()
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert "night: 2 done" in out
    assert "sandbox bill: 2 tasks" in err
    assert "no request was made twice" in err


def test_a_sandbox_without_room(disk, capsys):
    """It cannot start: exit code 6, in words."""
    folder, _ = disk
    fill(folder)
    assert main(["sandbox", "--port", "0", "--folder", str(folder / "stand-in")]) == 6
    err = capsys.readouterr().err
    assert "The sandbox cannot start: " in err
    assert "full" in err
    assert "Traceback" not in err


def test_a_port_that_is_taken(capsys):
    """A second sandbox on the port is told to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["sandbox", "--port", str(taken.getsockname()[1])]) == 2
    err = capsys.readouterr().err
    assert "port is taken" in err
    assert "--port" in err
