"""A night in the sandbox, as a user runs it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys

import pytest

from batchgen.cli import main
from batchgen.journal import Journal

RUN = ["run", "--sandbox", "--speed", "600"]


@pytest.fixture
def folder(night):
    return night.parent / "output" / "sandbox" / "night"


def test_a_night_from_evening_to_morning(night, folder, capsys):
    """Plan, run, run again, status: each result is on disk, and nothing is bought twice."""
    assert main(["plan", "--sandbox", "night.yaml"]) == 0
    assert "The next run buys 2 jobs" in capsys.readouterr().out

    assert main([*RUN, "night.yaml"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("night: 2 done\n3 results in ")
    assert "night: " in err
    assert "sandbox bill: 2 tasks, 5 seconds of video, 2 images" in err
    assert "not real money), no request was made twice" in err
    names = {path.name for path in folder.iterdir()} - {".batchgen"}
    assert names == {"fox.mp4", "fox.json", "moon-1.png", "moon-2.png", "moon.json"}

    assert main([*RUN, "night.yaml"]) == 0
    out, err = capsys.readouterr()
    assert out == f"night: all 3 results are on disk: {folder}\n"
    assert err == ""

    assert main(["status", "--sandbox", "night.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"done": 2}


def test_json_is_one_object_a_manifest(night, capsys):
    """Several manifests run one after another; a program reads a line for each."""
    twin = night.with_name("twin.yaml")
    twin.write_text(night.read_text())
    assert main([*RUN, "night.yaml", "twin.yaml", "--json", "--quiet", "--only", "moon"]) == 0
    out, err = capsys.readouterr()
    told = [json.loads(line) for line in out.splitlines()]
    assert [one["name"] for one in told] == ["night", "twin"]
    assert [one["exit_code"] for one in told] == [0, 0]
    assert told[0]["jobs"][0]["files"] == ["moon-1.png", "moon-2.png"]
    assert err == ""


def test_quiet_is_for_cron(night, capsys):
    """A run that went well says nothing at all."""
    assert main([*RUN, "--quiet", "night.yaml", "--only", "moon"]) == 0
    assert capsys.readouterr() == ("", "")


def test_output_goes_where_it_is_told(night, tmp_path):
    """`--output` counts from the current folder."""
    assert main([*RUN, "--quiet", "--output", "there", "night.yaml", "--only", "moon"]) == 0
    assert (tmp_path / "there" / "sandbox" / "night" / "moon-1.png").is_file()


def test_a_budget_is_kept(night, folder, capsys):
    """What the budget does not allow is not bought: exit code 5, and it is said."""
    assert main([*RUN, "night.yaml", "--budget", "0.06"]) == 5
    out, _ = capsys.readouterr()
    assert "what is left can cost USD 0.09 more than the budget of USD 0.06 allows" in out
    assert "Raise `budget:` in the manifest, or --budget, then run again." in out
    assert "1 done, 1 unfinished" in out
    assert main([*RUN, "night.yaml", "--budget", "25"]) == 0


def test_a_second_run_is_held_off(night, folder, capsys):
    """A batch that another run holds is left alone, and the other is named; so with several."""
    twin = night.with_name("twin.yaml")
    twin.write_text(night.read_text())
    with Journal.open(folder, kind="sandbox", manifest="night"):
        assert main([*RUN, "--only", "moon", "night.yaml", "twin.yaml", "--json"]) == 4
    out, err = capsys.readouterr()
    assert "another run holds this batch: process " in err
    first, second = map(json.loads, out.splitlines())
    assert first["exit_code"] == 4
    assert second["exit_code"] == 0


def test_a_sandbox_that_is_not_installed(night):
    """Without the extra a rehearsal says how to install it, and no task is made."""
    code = (
        "import sys\nsys.modules['av'] = None\nfrom batchgen.cli import main\n"
        "sys.exit(main(['run', '--sandbox', 'night.yaml']))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "pip install 'batchgen[sandbox]'" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_full_disk_behind_standard_output(night, folder):
    """Results that cannot be written to the terminal's place harm none of those that were paid."""
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        run = subprocess.run(
            [sys.executable, "-m", "batchgen", *RUN, "night.yaml", "--only", "moon"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert run.returncode == 6
    assert "standard output could not be written" in run.stderr
    assert (folder / "moon-2.png").is_file()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_in_good_order(night, start, capsys, number):
    """The first signal says how to go on and exits with its code; the next run continues."""
    night.with_name("twin.yaml").write_text(night.read_text())
    process = start("run", "--sandbox", "--speed", "1", "night.yaml", "twin.yaml")
    assert "at the service" in process.stderr.readline()
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == 128 + number
    assert "run the same command again to collect them" in err
    assert "jobs to go on with: run the same command again" in out
    assert "batchgen: not started: twin" in err
    assert "Traceback" not in err

    assert main([*RUN, "night.yaml"]) == 0
    assert "3 results" in capsys.readouterr().out


@pytest.mark.fault(128)
def test_the_second_signal_leaves_at_once(night, start, monkeypatch, capsys):
    """Nobody waits for an answer that does not come, and the job it was for is told as in doubt."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-canary-0123456789abcdef")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api/v1"
        process = start("run", "--base-url", url, "--only", "fox", "night.yaml")
        question, _ = silent.accept()
        with question:
            assert question.recv(4) == b"GET ", "what time it is there, before anything is sent"
            question.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        limits, post = silent.accept()[0], silent.accept()[0]
        with limits, post:
            assert {limits.recv(4), post.recv(4)} == {b"GET ", b"POST"}
            process.send_signal(signal.SIGINT)
            while "stopping" not in process.stderr.readline():
                pass
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate()
    assert process.returncode == 130
    assert out == ""
    assert main(["status", "night.yaml"]) == 0
    assert "1 job in doubt" in capsys.readouterr().out
