"""A mistake has exit code 2, is told whole, and sends nothing."""

from __future__ import annotations

import json

import pytest

from batchgen.cli import main
from batchgen.cli.ending import ending
from batchgen.errors import BatchHeld, ExitCode


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nonsense"], "No such option '--nonsense'"),
        (["nonsense"], "No such command 'nonsense'"),
        (["run"], "Missing argument 'MANIFEST...'"),
        (["run", "m", "--give-up", "soon"], "'soon' is no duration; write it like 90s"),
        (["run", "m", "--give-up", "0s"], "longer than nothing"),
        (["run", "m", "--until", "25:00"], "'25:00' is no time of day; write it like 07:00"),
        (["run", "m", "--until", "7"], "is no time of day"),
        (["run", "m", "--max-duration", "8"], "'8' is no duration; write it like 90s"),
        (["run", "m", "--budget", "12,50"], "'12,50' is no amount; write it like 25 or 0.75"),
        (["run", "m", "--budget", "NaN"], "is no amount"),
        (["run", "m", "--budget", "0.0000001"], "is no amount"),
        (["run", "m", "--max-in-flight", "0"], "0 is not in the range"),
        (["run", "m", "--speed", "3"], "--speed needs --sandbox"),
        (["run", "m", "--sandbox", "--region", "singapore"], "--region and --sandbox exclude"),
        (["plan", "m", "--sandbox", "--base-url", "http://x"], "--base-url and --sandbox exclude"),
        (["sandbox", "--key", "=x"], "a key needs at least a character"),
        (["completion", "cmd"], "'cmd' is not one of"),
    ],
)
def test_a_wrong_command_line(arguments, words, capsys):
    """What is wrong, and what would be right, on standard error."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert words in err
    assert out == ""


def test_all_mistakes_of_all_manifests(night, capsys):
    """Every problem of every manifest is told in one go, each at its place; nothing is run."""
    first, second = night.with_name("first.yaml"), night.with_name("second.yaml")
    first.write_text("jobs:\n  - {id: a, model: wan2.6-t2v, prmpt: x, prompt: y}\n")
    second.write_text("jobs:\n  - {id: b, model: nonsense, prompt: x}\n")
    paths = ["night.yaml", "first.yaml", "second.yaml", "third.yaml"]
    assert main(["run", "--sandbox", *paths]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "first.yaml:2:32: unknown key `prmpt`" in err
    assert "second.yaml:2:" in err
    assert "third.yaml: there is no such file" in err
    assert "nothing was sent" in err
    assert not night.with_name("output").exists()


def test_two_batches_in_one_folder(night, capsys):
    """Two manifests of one name would take each other's jobs for withdrawn."""
    twin = night.with_name("twin.yaml")
    twin.write_text("name: night\n" + night.read_text())
    assert main(["run", "--sandbox", "night.yaml", "twin.yaml"]) == 2
    assert "twin.yaml: its results would go where those of night.yaml go" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_glob_that_chooses_nothing(night, capsys, command):
    """A typing error in --only is no finished batch."""
    assert main([command, "--sandbox", "night.yaml", "--only", "zebra-*"]) == 2
    assert "No job of this manifest has an id that matches zebra-*" in capsys.readouterr().err


def test_no_key(night, capsys):
    """Without a key nothing is sent, and it is said where keys are looked for."""
    assert main(["run", "night.yaml"]) == 2
    out, err = capsys.readouterr()
    assert "There is no API key" in err
    assert "DASHSCOPE_API_KEY" in err
    assert "--sandbox" in err
    assert out == ""


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_region_that_does_not_exist(night, capsys, monkeypatch, command):
    """It is told as the wrong option that it is, with the regions, and not as the manifest's."""
    assert main([command, "night.yaml", "--region", "mars"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("batchgen: --region: there is no region mars.\n  The regions are ")
    assert "singapore (ap-southeast-1)" in err
    assert "manifest" not in err
    monkeypatch.setenv("DASHSCOPE_API_REGION", "mars")
    assert main([command, "night.yaml"]) == 2
    assert "DASHSCOPE_API_REGION: there is no region mars." in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "plan", "status"])
def test_a_program_reads_the_mistakes(night, capsys, command):
    """With --json each problem stands on standard output too, at its place; words stay words."""
    night.write_text("jobs: [{id: fox, model: wan2.6-t2v, prompt: fox, colour: red}]")
    assert main([command, "--json", "night.yaml"]) == 2
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["error"]["exit_code"] == 2
    (problem,) = told["problems"]
    assert (problem["file"], problem["line"]) == ("night.yaml", 1)
    assert "unknown key `colour`" in problem["message"]
    assert "unknown key `colour`" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "night.yaml"], "There is no API key."),
        (["run", "none.yaml"], "1 problem in the manifest"),
        (["plan", "none.yaml"], "none.yaml: there is no such file"),
        (["plan", "night.yaml", "--only", "zebra"], "No job of this manifest"),
        (["plan", "night.yaml", "--region", "mars"], "--region: there is no region mars."),
    ],
)
def test_a_program_reads_why_nothing_was_done(night, capsys, arguments, words):
    """One JSON object, whatever it was, and the words for a person beside it."""
    assert main([*arguments, "--json"]) == 2
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["exit_code"] == told["error"]["exit_code"] == 2
    assert words in told["error"]["message"]
    assert words in err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), ExitCode.SIGINT, "interrupted"),
        (BatchHeld("process 7 is at it"), ExitCode.HELD, "process 7 is at it"),
        (OSError(28, "No space left on device", "/out"), ExitCode.MACHINE, "/out: No space left"),
        (BrokenPipeError(32, "Broken pipe"), ExitCode.BUG, "Please report it"),
        (RuntimeError("oops"), ExitCode.BUG, "RuntimeError: oops"),
    ],
)
def test_every_error_has_its_code(error, code, words, capsys):
    """People's errors are told in words, and only a bug shows a traceback."""
    assert ending(error) is code
    out, err = capsys.readouterr()
    assert words in err
    assert ("batchgen " in err and "Python" in err) == (code is ExitCode.BUG)
    assert out == ""
