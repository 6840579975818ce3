"""The stand-in as a service of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
from dataclasses import replace

import aiohttp
import pytest

from batchgen.api import Settings, load
from batchgen.cli import main
from batchgen.cli.rehearsal import Rehearsal
from batchgen.cli.stand_in import bill_lines
from batchgen.sandbox import Bill, BillLine, Sandbox, read_models


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
    yield folder, lambda: mounted("remount,size=200m")
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder):
    with pytest.raises(OSError, match="No space left"):
        (folder / "ballast").write_bytes(bytes(1 << 20))


async def test_a_bill_that_a_full_disk_forbids(night, disk):
    """The rehearsal ends as it ended, without a bill and without an error in its place."""
    folder, _ = disk
    settings = Settings(output=folder, sandbox=True, service_speed=1e6)
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
    assert "stopped: the results of the jobs left may need " in out
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


SCRIPT = """\
faults:
  - at: task
    prompt: moon
    do: fail
"""


def test_a_rehearsal_with_faults(night, tmp_path, capsys):
    """A job whose prompt holds the word is refused, and what fired is free."""
    script = tmp_path / "faults.yaml"
    script.write_text(SCRIPT)
    command = ["run", "night.yaml", "--sandbox", "--speed", "1000000", "--faults", str(script)]
    assert main([*command, "--only", "moon"]) == 1
    out, err = capsys.readouterr()
    assert "DataInspectionFailed" in out + err
    assert "0 images, USD 0.00" in err


def test_a_rehearsal_of_beijing_is_billed_in_yuan(night, capsys):
    """The sandbox's bill is what the summary comes to."""
    night.write_text(f"region: beijing\n{night.read_text()}")
    assert main(["run", "night.yaml", "--sandbox", "--speed", "6000", "--json"]) == 0
    out, err = capsys.readouterr()
    spent = json.loads(out.splitlines()[-1])["spent"]
    assert spent["currency"] == "CNY"
    assert f"CNY {spent['amount']:.2f} (not real money)" in err


@pytest.mark.parametrize(
    ("command", "end"),
    [
        (["run", "night.yaml", "--sandbox"], "2 problems in the faults; nothing was sent."),
        (["sandbox", "--port", "0"], "The sandbox was not started: 2 problems in the faults."),
    ],
)
def test_faults_that_are_no_faults(night, tmp_path, capsys, command, end):
    """Exit code 2, each mistake at its place, and what came of it: a sandbox sends nothing ever."""
    script = tmp_path / "faults.yaml"
    script.write_text("faults:\n  - at: sumbit\n    do: reset\n  - at: query\n    do: explode\n")
    assert main([*command, "--faults", str(script)]) == 2
    err = capsys.readouterr().err
    assert "faults.yaml:2:9: " in err
    assert "submit" in err
    assert "faults.yaml:5:9: " in err
    assert err.splitlines()[-1].removeprefix("batchgen: ") == end


def test_faults_belong_to_the_sandbox(night, tmp_path, capsys):
    """The service has its own."""
    script = tmp_path / "faults.yaml"
    script.write_text(SCRIPT)
    assert main(["run", "night.yaml", "--faults", str(script)]) == 2
    assert "--faults needs --sandbox" in capsys.readouterr().err


def test_models_that_are_no_models(tmp_path, capsys):
    """Exit code 2, with the file and the place."""
    models = tmp_path / "models.yaml"
    models.write_text("models: {mine: {like: wan2.6-t2v, per_second: often}}")
    assert main(["sandbox", "--port", "0", "--models", str(models)]) == 2
    err = capsys.readouterr().err
    assert "models.yaml: models.mine.per_second: " in err
    assert err.splitlines()[-1] == "batchgen: The sandbox was not started: 1 problem in the models."


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("--events", "http://example.com/", "this machine alone"),
        ("--events", "ftp://127.0.0.1/", "a URL that begins with http://"),
        ("--speed", "inf", "the speed must be above 0 and at most 1,000,000, not inf"),
        ("--speed", "nan", "the speed must be"),
        ("--speed", "1e300", "the speed must be"),
        ("--speed", "0", "the speed must be"),
        ("--failures", "2", "not in the range"),
        ("--faults", "missing.yaml", "does not exist"),
        ("--key", "=studio", "a key needs at least a character"),
    ],
)
def test_a_sandbox_that_cannot_be(capsys, option, value, part):
    """Each wrong choice is told at the start."""
    assert main(["sandbox", "--port", "0", option, value]) == 2
    assert part in capsys.readouterr().err


@pytest.mark.parametrize("speed", ["inf", "1e300"])
def test_a_rehearsal_at_no_speed(night, capsys, speed):
    """Exit code 2, in words about the speed."""
    assert main(["run", "night.yaml", "--sandbox", "--speed", speed]) == 2
    assert "There is no such sandbox: the speed must be above 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", [b"no database at all" * 99, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_folder_with_a_file_that_is_no_database(tmp_path, capsys, content):
    """Exit code 2 in words; the file is left as it is."""
    (tmp_path / "sandbox.sqlite").write_bytes(content)
    assert main(["sandbox", "--port", "0", "--folder", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert "cannot use this folder: its file is no sandbox's, or broken" in err
    assert (tmp_path / "sandbox.sqlite").read_bytes() == content


async def test_models_that_are_not_given_again(tmp_path, capsys):
    """A folder with tasks of a person's own models says how to go on with it."""
    models = tmp_path / "models.yaml"
    models.write_text("models: {mine: {like: wan2.6-t2v}}")
    async with (
        Sandbox(tmp_path / "night", models=read_models(models)) as sandbox,
        aiohttp.ClientSession() as session,
    ):
        answer = await session.post(
            f"{sandbox.base_url}/services/aigc/video-generation/video-synthesis",
            json={"model": "mine", "input": {"prompt": "fox"}},
            headers={"Authorization": "Bearer sk-sandbox", "X-DashScope-Async": "enable"},
        )
        assert answer.status == 200
    command = ["sandbox", "--port", "0", "--folder", str(tmp_path / "night")]
    assert await asyncio.to_thread(main, command) == 2
    err = capsys.readouterr().err
    assert "models that are not known: mine" in err
    assert "--models" in err


def test_the_bill_has_a_line_for_each_model():
    """Aligned, with the accounts where there are several; one model needs no table."""
    fox = BillLine("studio", "wan2.6-t2v", 12, 10, 2, 0, 50.0, 0, 5_000_000)
    still = BillLine("shop", "wan2.5-t2i-preview", 1, 1, 0, 0, 0, 4, 120_000)
    totals = {"succeeded": 11, "failed": 2, "canceled": 0, "images": 4, "amount": 5_120_000}
    bill = Bill(
        tasks_created=13,
        video_seconds=50.25,
        equal_requests=0,
        models=(fox, still),
        equal=(),
        currency="USD",
        **totals,
    )
    first, *lines = bill_lines(bill)
    assert first.startswith("sandbox bill: 13 tasks, 50 seconds of video, 4 images, USD 5.12 (not")
    assert lines == [
        "  studio  wan2.6-t2v          12 tasks  50 seconds  USD 5.00",
        "  shop    wan2.5-t2i-preview  1 task    4 images    USD 0.12",
    ]
    assert len(bill_lines(replace(bill, models=(fox,)))) == 1


async def test_every_choice_reaches_the_sandbox(start, tmp_path):
    """What the command line says of the sandbox's ways is how it answers."""
    process = start(
        "sandbox",
        "--port",
        "0",
        "--speed",
        "60",
        "--strict",
        "--shared-queries",
        "--region",
        "moon",
    )
    url = process.stdout.readline().partition("=")[2].strip()
    headers = {"Authorization": "Bearer sk-sandbox", "X-DashScope-Async": "enable"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(f"{url}/tasks") as answer:
            assert answer.status == 403
        body = {"model": "wan2.6-t2v", "input": {"prompt": "fox"}}
        path = "/services/aigc/video-generation/video-synthesis"
        async with session.post(url + path, json=body) as answer:
            assert answer.status == 200
        async with session.get(f"{url}/tasks", headers={"X-DashScope-Async": ""}) as answer:
            (row,) = (await answer.json())["data"]
            assert row["region"] == "moon"
