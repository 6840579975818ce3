"""The process and its surroundings: signals, cron, clocks, two runs, the owner's command."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from batchgen.api import Run
from batchgen.cli import main
from batchgen.errors import ExitCode
from batchgen.journal import Journal
from batchgen.version import VERSION
from tests.runner.rehearsal import KEY

HERE = Path(__file__).parent
DAY = 86_400.0
NIGHT = """\
jobs:
  - {id: fox, model: wan2.2-t2v-plus, size: 832*480, prompt: A fox reads a case file, duration: 5}
  - {id: moon, model: wan2.2-t2i-flash, size: 1024*1024, prompt: A kitten and the moon, n: 2}
"""
FILES = {"fox.mp4", "fox.json", "moon-1.png", "moon-2.png", "moon.json"}
RUN = ["run", "night.yaml", "--sandbox", "--speed", "600"]


@pytest.fixture
def night(tmp_path, monkeypatch):
    """The folder of the results of a manifest of two jobs in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "night.yaml").write_text(NIGHT)
    return tmp_path / "output" / "sandbox" / "night"


def interrupted(number, times, event, marker, *arguments) -> subprocess.CompletedProcess:
    """A run that gets signals when it touches something."""
    driver = [sys.executable, HERE / "interrupted.py", number, times, event, marker]
    command = [str(word) for word in (*driver, *RUN, *arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def results(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".batchgen"}


THE_OWNERS = ("subprocess.Popen", "/bin/sh")
"""The owner's command runs."""
AT_THE_END = [
    ("open", ".summary.json."),  # all is done but for the telling
    THE_OWNERS,
]
MOMENTS = [
    ("open", "night.yaml"),  # the manifest is read, no loop runs
    ("open", ".batchgen/lock"),  # the journal is opened
    ("import", "batchgen.runner.loop"),  # the batch is open, its loop does not run yet
    ("open", "fox.mp4"),  # a result is on its way
    *AT_THE_END,
]


@pytest.mark.fault(128, 129, 130, 131)
@pytest.mark.parametrize(
    ("number", "times"),
    [(signal.SIGINT, 1), (signal.SIGINT, 3), (signal.SIGTERM, 1), (signal.SIGHUP, 1)],
)
@pytest.mark.parametrize("moment", MOMENTS)
def test_signals_at_any_moment(night, number, times, moment, capsys):
    """The code of the signal while anything is to do, and the next run buys nothing twice."""
    owner = ("--summary", "summary.json", "--on-finish", "cat >/dev/null")
    ended = interrupted(int(number), times, *moment, *owner)
    told = 0 if moment == THE_OWNERS else 128 + number  # the batch had come to its end by then
    assert ended.returncode == told, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    if times == 1 and moment not in AT_THE_END:
        assert json.loads(Path("summary.json").read_text())["exit_code"] == 128 + number
    assert main([*RUN, *owner]) == 0
    assert results(night) == FILES
    assert json.loads(Path("summary.json").read_text())["exit_code"] == 0
    bill = [line for line in capsys.readouterr().err.splitlines() if "sandbox bill" in line]
    assert all("sandbox bill: 2 tasks" in line for line in bill)


@pytest.mark.fault(131)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_python_reads_its_files(night, number):
    """Before anything is begun a signal ends the process without a word of Python's."""
    ended = interrupted(int(number), 1, "import", "batchgen.cli.commands")
    assert ended.returncode in {128 + number, -number}
    assert "Traceback" not in ended.stderr
    assert not night.exists()


@pytest.mark.fault(128)
def test_the_first_signal_waits_for_the_answer_that_names_a_task(night, start, monkeypatch):
    """A POST under way is the one thing worth waiting for: what it buys is not left in doubt."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    made = {"output": {"task_id": "0385dc79", "task_status": "PENDING"}, "request_id": "4909"}
    body = json.dumps(made)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    with socket.create_server(("127.0.0.1", 0)) as service:
        url = f"http://127.0.0.1:{service.getsockname()[1]}/api/v1"
        process = start("run", "--base-url", url, "--only", "fox", "night.yaml")
        while True:
            connection, _ = service.accept()
            with connection:
                if not connection.recv(65_536).startswith(b"POST"):
                    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                    continue
                process.send_signal(signal.SIGINT)
                while "stopping" not in process.stderr.readline():
                    pass
                connection.sendall(f"{head}\r\n\r\n{body}".encode())
                break
        out, err = process.communicate()
    assert process.returncode == 130
    assert "0385dc79" in out
    assert "batchgen collect" in out
    assert "in doubt" not in err + out.replace("or in doubt", "")


@pytest.mark.fault(130)
def test_nohup_outlives_its_terminal(night):
    """A SIGHUP that was ignored at the start is ignored to the end."""
    code = "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    driver = (HERE / "interrupted.py").read_text()
    script = night.parents[2] / "nohup.py"
    script.write_text(driver.replace("import sys\n", f"import sys\n{code}", 1))
    words = [sys.executable, script, int(signal.SIGHUP), 1, "open", "fox.mp4", *RUN]
    ended = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert results(night) == FILES


@pytest.mark.fault(18)
@pytest.mark.parametrize("event", ["open", "os.rename"])
def test_killed_while_the_summary_is_written(night, event):
    """The old summary is whole until the new one is, and no part of one stays."""
    summary = night.parents[2] / "summary.json"
    summary.write_text('{"exit_code": 7}')
    owner = ("--only", "moon", "--summary", "summary.json")
    killed = interrupted(int(signal.SIGKILL), 1, event, ".summary.json.", *owner)
    assert killed.returncode == -signal.SIGKILL
    assert json.loads(summary.read_text()) == {"exit_code": 7}
    assert interrupted(0, 0, event, "", *owner).returncode == 0
    assert json.loads(summary.read_text())["batches"][0]["counts"] == {"done": 1}
    assert not list(summary.parent.glob(".summary*"))


@pytest.mark.fault(125)
def test_the_owners_command_does_not_see_the_key(night, start, monkeypatch):
    """Neither the key nor where it lies is in its environment, its arguments or its input."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    monkeypatch.setenv("SPARE", f"Bearer {KEY}")
    look = "(env; cat; tr '\\0' ' ' < /proc/$$/cmdline) > seen"
    process = start(*RUN, "--only", "moon", "--on-finish", look)
    out, err = process.communicate()
    assert process.returncode == 0
    seen = Path("seen").read_text()
    assert '"exit_code": 0' in seen
    assert KEY not in seen + out + err


@pytest.mark.fault(139)
@pytest.mark.parametrize("line", ["exit 9", "head -c 1000000000 /dev/zero", "sleep 600 &"])
def test_the_owners_command_cannot_harm_the_run(night, start, line):
    """Failing, flooding or staying behind, it changes neither the results nor the exit code."""
    process = start(*RUN, "--only", "moon", "--quiet", "--on-finish", f"{line}\necho $! >&2")
    out, err = process.communicate()
    assert (process.returncode, out) == (0, "")
    assert len(err) < 20_000
    assert results(night) == {"moon-1.png", "moon-2.png", "moon.json"}
    if "sleep" in line:
        os.kill(int(err.split()[-1]), signal.SIGKILL)


@pytest.mark.looptime
@pytest.mark.fault(134)
@pytest.mark.parametrize("off", [-10 * 365 * DAY, -DAY, DAY, 10 * 365 * DAY])
async def test_a_wall_clock_that_is_wrong(rehearsal, off):
    """A clock that is a day or ten years off buys nothing twice and loses nothing."""
    loop = asyncio.get_running_loop()
    run = rehearsal.start(NIGHT)
    run._wall = lambda: 1_790_000_000.0 + off + loop.time()
    summary = await run.run()
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2


@pytest.mark.looptime
@pytest.mark.fault(134)
@pytest.mark.parametrize("jump", [-10 * 365 * DAY, -DAY, DAY, 10 * 365 * DAY])
async def test_a_wall_clock_that_jumps_between_two_runs(rehearsal, jump):
    """What was sent before the jump is not taken for expired: it is collected, or looked at again
    when the clock is right, and nothing is bought twice.
    """
    loop = asyncio.get_running_loop()
    run: Run = rehearsal.start(NIGHT)
    stop = lambda progress: run.stop() if progress.at_service == 2 else None  # noqa: E731
    run._on_progress = stop
    assert (await run.run()).exit_code is ExitCode.MORE_TO_DO
    later = rehearsal.start()
    later._wall = lambda: 1_790_000_000.0 + jump + loop.time()
    assert (await later.run()).exit_code in {ExitCode.DONE, ExitCode.NEEDS_A_PERSON}
    assert (await rehearsal.run()).exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2


@pytest.mark.looptime
@pytest.mark.fault(134)
@pytest.mark.parametrize("jump", [-10 * 365 * DAY, -3_600.0, 3_600.0, 10 * 365 * DAY])
async def test_a_wall_clock_that_jumps_during_the_run(rehearsal, monkeypatch, jump):
    """The loop is the clock: one that is set, or a change to summer time, moves nothing."""
    real = time.time
    run = rehearsal.start(NIGHT)

    def set_the_clock(progress):
        if progress.at_service:
            monkeypatch.setattr(time, "time", lambda: real() + jump)

    run._on_progress = set_the_clock
    summary = await run.run()
    assert summary.exit_code is ExitCode.DONE
    assert summary.seconds < 1_000
    assert rehearsal.bill.tasks_created == 2


@pytest.mark.fault(136)
def test_cron_starts_while_yesterdays_run_goes_on(night, capsys):
    """It does not wait for the other, but names it, exit code 4; nothing is touched."""
    with Journal.open(night, kind="sandbox", manifest="night"):
        assert main([*RUN, "--quiet"]) == 4
        assert not results(night)
    assert f"another run holds this batch: process {os.getpid()}" in capsys.readouterr().err


@pytest.mark.fault(138)
def test_a_disk_that_blocks(night, monkeypatch, capsys):
    """While the disk is silent about one result the other is rendered, fetched and sealed."""
    real, released = os.fsync, threading.Event()

    def fsync(descriptor):
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if "fox" in name:
            assert released.wait(60), "nothing else went on meanwhile"
        real(descriptor)
        if name.endswith("/night") and (night / "moon.json").exists():
            released.set()

    monkeypatch.setattr(os, "fsync", fsync)
    assert main([*RUN, "--quiet"]) == 0
    assert released.is_set()
    assert results(night) == FILES


@pytest.mark.fault(140)
def test_results_of_another_version_stay_as_they_are(night, capsys):
    """Each sidecar names the version that wrote it; another one's is left alone, byte by byte."""
    assert main([*RUN, "--quiet"]) == 0
    path = night / "moon.json"
    sidecar = json.loads(path.read_text())
    assert sidecar["batchgen"]["version"] == VERSION
    made_by = {"sidecar": 99, "version": "99.0"}
    newer = {**sidecar, "batchgen": made_by, "what_is_not_invented_yet": [1]}
    path.write_text(json.dumps(newer))
    before = {one: one.read_bytes() for one in night.iterdir() if one.is_file()}
    assert main([*RUN, "--quiet"]) == 0
    assert {one: one.read_bytes() for one in night.iterdir() if one.is_file()} == before
    assert capsys.readouterr() == ("", "")


@pytest.mark.fault(142)
def test_a_rehearsal_is_never_taken_for_the_service(night, monkeypatch, capsys):
    """A journal says which of the two it is of; the other one is refused, and sends nothing."""
    assert main([*RUN, "--quiet"]) == 0
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    with socket.create_server(("127.0.0.1", 0)) as service:
        service.setblocking(False)
        url = f"http://127.0.0.1:{service.getsockname()[1]}/api/v1"
        real = ["run", "night.yaml", "--base-url", url, "--output", str(night.parent)]
        assert main(real) == 2
        with pytest.raises(BlockingIOError):
            service.accept()
    assert "sandbox" in capsys.readouterr().err


CRON = {"PATH": "/usr/bin:/bin"}
"""All that is left of an environment."""


def in_cron(folder: Path, line: str, **environ) -> subprocess.CompletedProcess:
    """A line as cron runs it: no terminal, no HOME, no locale, from the root folder, and a tight
    umask and a closed standard input on top.
    """
    words = ["/bin/sh", "-c", f"umask 077; exec {line} <&-"]
    return subprocess.run(
        words, cwd="/", env={**CRON, **environ}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("locale", [{}, {"LANG": "C"}, {"LC_ALL": "POSIX"}])
def test_the_environment_of_cron(night, locale):
    """With next to nothing it runs to its end, says nothing, and keeps its files to itself."""
    manifest = night.parents[2] / "night.yaml"
    manifest.write_text(NIGHT.replace("id: moon", "id: 月"), encoding="utf-8")
    command = f"{sys.executable} -m batchgen run {manifest} --sandbox --speed 600 --quiet"
    ended = in_cron(manifest.parent, command, **locale)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert results(night) == {name.replace("moon", "月") for name in FILES}
    assert {path.stat().st_mode & 0o077 for path in night.rglob("*")} == {0}


def test_cron_without_a_key(night):
    """It is said in a line what is missing, and nobody is asked."""
    manifest = night.parents[2] / "night.yaml"
    ended = in_cron(manifest.parent, f"{sys.executable} -m batchgen run {manifest} --quiet")
    assert ended.returncode == 2
    assert "There is no API key." in ended.stderr
    assert not (manifest.parent / "output").exists()


def test_all_three_streams_closed(night):
    """Nobody listens at all: the journal is not written over by what would have been said."""
    manifest = night.parents[2] / "night.yaml"
    line = f"{sys.executable} -m batchgen run {manifest} --sandbox --speed 600 >&- 2>&-"
    assert in_cron(manifest.parent, line).returncode == 0
    assert results(night) == FILES
    again = in_cron(manifest.parent, line.replace(">&- 2>&-", "--json"))
    assert json.loads(again.stdout)["counts"] == {"done": 2}
