"""The owner's morning: an end that was set, a summary file, a command at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from batchgen.cli import main
from batchgen.errors import ExitCode
from batchgen.journal import Journal
from batchgen.runner.fetcher import Fetcher

RUN = ["run", "--sandbox", "--speed", "600", "--quiet"]


def told(path) -> dict:
    return json.loads(path.read_text(encoding="ascii"))


def test_the_summary_is_what_json_prints(night, capsys):
    """One object, with a batch for each manifest, as `--json` has it."""
    twin = night.with_name("twin.yaml")
    twin.write_text(night.read_text())
    asked = [*RUN, "night.yaml", "twin.yaml", "--only", "moon", "--json"]
    assert main([*asked, "--summary", "summary.json"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    document = told(night.with_name("summary.json"))
    assert document["batches"] == printed
    assert (document["command"], document["exit_code"]) == ("run", 0)
    assert document["began_at"] <= document["ended_at"]
    assert (document["not_started"], document["error"], document["problems"]) == ([], None, [])


def test_a_mistake_is_told_to_the_owner_too(night, capsys):
    """A manifest that somebody broke in the evening is known in the morning."""
    night.write_text("jobs:\n  - {id: a, model: nonsense, prompt: x}\n")
    finish = "cat > told.json"
    assert main([*RUN, "night.yaml", "--summary", "summary.json", "--on-finish", finish]) == 2
    document = told(night.with_name("summary.json"))
    assert document == told(night.with_name("told.json"))
    assert document["exit_code"] == 2
    assert document["problems"][0]["line"] == 2
    assert "1 problem in the manifest" in document["error"]["message"]


def test_a_batch_that_another_run_holds(night, tmp_path, capsys):
    """The owner is told of it like of anything else."""
    with Journal.open(tmp_path / "output/sandbox/night", kind="sandbox", manifest="night"):
        assert main([*RUN, "night.yaml", "--summary", "summary.json"]) == 4
    assert told(night.with_name("summary.json"))["batches"][0]["exit_code"] == 4
    assert "another run holds this batch" in capsys.readouterr().err


@pytest.mark.fault(136)
def test_if_idle_is_quiet_and_leaves_the_other_runs_summary_alone(night, tmp_path, capsys):
    """Cron starts while yesterday's run goes on: exit code 4, not a word, nobody is called."""
    night.with_name("summary.json").write_text("{}")
    owner = ["--summary", "summary.json", "--on-finish", "touch called", "--if-idle"]
    with Journal.open(tmp_path / "output/sandbox/night", kind="sandbox", manifest="night"):
        assert main([*RUN, "night.yaml", "--json", *owner]) == 4
    assert capsys.readouterr() == ("", "")
    assert night.with_name("summary.json").read_text() == "{}"
    assert not night.with_name("called").exists()


@pytest.mark.parametrize("line", ["exit 7", "no-such-command", "kill $$", "cat nowhere"])
@pytest.mark.fault(139)
def test_a_command_that_fails_changes_nothing(night, capsys, line):
    """It is said on standard error, and the exit code stays that of the batch."""
    assert main([*RUN, "night.yaml", "--only", "moon", "--on-finish", line]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "batchgen: the command of --on-finish " in err


def test_what_the_command_prints_is_shown_without_harm(night, capsys):
    """A line at a time, marked, and with no control character."""
    line = r"printf 'sent\n\033[2Jby %s' $BATCHGEN_EXIT_CODE"
    assert main([*RUN, "night.yaml", "--only", "moon", "--on-finish", line]) == 0
    assert capsys.readouterr().err == "on finish: sent\non finish: \\x1b[2Jby 0\n"


def test_a_command_that_prints_without_end_is_cut(night, capsys):
    """Some lines are enough for a mail; that there were more is said."""
    line = "head -c 100000 /dev/zero | tr '\\0' '\\n'"
    assert main([*RUN, "night.yaml", "--only", "moon", "--on-finish", line]) == 0
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 21
    assert told[-1] == "on finish: ... (the rest of what it printed is not shown)"


def test_a_summary_on_a_full_disk_costs_nothing_but_itself(night, capsys, monkeypatch):
    """The results are there, the exit code is theirs, and the trouble is said."""
    real = os.fsync

    def fsync(descriptor):
        if "/.summary.json." in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    assert main([*RUN, "night.yaml", "--only", "moon", "--summary", "summary.json"]) == 0
    assert "the summary could not be written" in capsys.readouterr().err
    assert not night.with_name("summary.json").exists()


@pytest.mark.parametrize("path", ["/dev/null", "nowhere/summary.json"])
def test_an_impossible_summary_is_a_mistake_of_the_evening(night, capsys, path):
    """Nothing is sent before it is known that its outcome can be told."""
    assert main([*RUN, "night.yaml", "--summary", path]) == 2
    assert "summary" in capsys.readouterr().err
    assert not night.with_name("output").exists()


def test_a_link_to_the_summary_stays_a_link(night):
    """What it leads to is written."""
    night.with_name("latest.json").symlink_to("today.json")
    assert main([*RUN, "night.yaml", "--only", "moon", "--summary", "latest.json"]) == 0
    assert night.with_name("latest.json").is_symlink()
    assert told(night.with_name("today.json"))["exit_code"] == 0


def test_an_end_that_was_set(night, start, tmp_path):
    """It is said in the beginning, the run ends in good order with 7, and another continues."""
    night.with_name("twin.yaml").write_text(night.read_text())
    slow = ["run", "--sandbox", "--speed", "1", "night.yaml", "twin.yaml"]
    process = start(*slow, "--max-duration", "2s", "--summary", "summary.json")
    out, err = process.communicate()
    assert process.returncode == 7
    assert err.startswith("batchgen: until ")
    assert "batchgen collect fetches it" in err
    assert "batchgen: not started: twin" in err
    assert "2 jobs to go on with: run the same command again" in out
    document = told(night.with_name("summary.json"))
    assert (document["exit_code"], document["not_started"]) == (7, ["twin"])
    assert document["batches"][0]["unfetched"] == ["fox", "moon"]
    assert main([*RUN, "night.yaml"]) == 0


def test_an_end_that_is_not_reached(night, capsys):
    """A batch that is finished before the hour is finished."""
    assert main([*RUN, "night.yaml", "--only", "moon", "--max-duration", "1d"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("signal", ["INT", "TERM", "HUP"])
@pytest.mark.fault(139)
def test_a_signal_while_the_command_runs_ends_the_command_alone(night, signal):
    """Whoever has sent it, the command itself among them: it is said, and the batch is done."""
    line = f"kill -{signal} $PPID; exec sleep 600"
    program = [sys.executable, "-m", "batchgen", *RUN, "night.yaml", "--only", "moon"]
    ended = subprocess.run(
        [*program, "--on-finish", line], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr == f"batchgen: the command of --on-finish was ended when SIG{signal} came\n"


def test_a_bug_is_told_to_the_owner_with_what_the_batch_came_to(night, capsys, monkeypatch):
    """One job met it: the other is on disk, the next batch is run, and the summary names both."""

    async def struck(self, job, *rest):
        raise KeyError("sk-canary")

    night.with_name("twin.yaml").write_text(night.read_text())
    real = Fetcher.fetch
    jobs = iter(["fox"])

    async def fetch(self, job, *rest):
        return await (struck if job.id == next(jobs, None) else real)(self, job, *rest)

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    asked = [*RUN, "night.yaml", "twin.yaml", "--only", "fox", "--summary", "summary.json"]
    assert main(asked) == ExitCode.BUG
    document = told(night.with_name("summary.json"))
    assert [one["counts"] for one in document["batches"]] == [{"stuck": 1}, {"done": 1}]
    assert document["batches"][0]["error"]["message"] == "a bug of batchgen: KeyError"
    assert "sk-canary" not in json.dumps(document)
    out, err = capsys.readouterr()
    assert err.count("This is a bug of batchgen") == 1
    assert "Traceback" in err
    assert "1 job sent and not fetched" in out
