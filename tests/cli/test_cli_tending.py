"""What a person does to a batch between its runs, on the command line."""

from __future__ import annotations

import json

import pytest

from batchgen.cli import main
from batchgen.journal import Journal

FAST = ("--sandbox", "--speed", "6000")
FAILING = "faults: [{at: task, prompt: fox, do: fail}]\n"


@pytest.fixture
def told(capsys):
    """What a command says on its two streams, and its exit code."""

    def tell(*arguments):
        capsys.readouterr()
        code = main([str(part) for part in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return tell


@pytest.fixture
def batch(night, told):
    """The folder of a rehearsal that is done."""
    assert told("run", night, *FAST, "-q")[0] == 0
    return night.parent / "output" / "sandbox" / "night"


COMMANDS = ["collect", "retry", "cancel", "verify"]


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_was_begun(night, told, command):
    """Neither needs a key, makes a folder or fails where there is no batch yet."""
    assert told(command, night)[0] == 0
    assert [path.name for path in night.parent.iterdir()] == ["night.yaml"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_program_reads_json(night, batch, told, command):
    """One object, with the name and the folder of the batch."""
    code, out, _ = told(command, night, "--sandbox", "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["name"], document["folder"]) == ("night", str(batch))


@pytest.mark.parametrize("command", COMMANDS)
def test_another_run_is_named(night, batch, told, command):
    """While a run holds the batch, nothing is done to it: exit 4 with who it is."""
    with Journal.open(batch, kind="sandbox", manifest="night", source=night):
        code, _, err = told(command, night, "--sandbox")
    assert code == 4
    assert "another run holds this batch: process" in err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_finished_batch_needs_no_key(night, batch, told, command):
    """No environment, no network: all four say that all is well."""
    assert told(command, night, "--sandbox")[0] == 0


@pytest.mark.parametrize("command", ["collect", "cancel", "verify"])
def test_a_mistake_in_the_manifest_is_told_and_no_obstacle(night, batch, told, command):
    """The journal knows what was bought: the mistake is a warning."""
    night.write_text(night.read_text().replace("prompt: A fox", "promt: A fox"))
    code, _, err = told(command, night, "--sandbox")
    assert code == 0
    assert "warning: " in err
    assert "unknown key `promt`" in err
    assert told("retry", night, "--sandbox")[0] == 2, "what would be sent must be right"


@pytest.mark.parametrize("command", ["collect", "cancel", "verify"])
def test_a_rehearsal_has_a_place_of_its_own(night, told, command):
    """A region or an address beside --sandbox is a mistake, as with run."""
    code, _, err = told(command, night, "--sandbox", "--base-url", "http://127.0.0.1:1/api/v1")
    assert (code, "exclude each other" in err) == (2, True)


def test_collect_takes_the_pace_of_the_sandbox_alone(night, told):
    """--speed without --sandbox is a mistake, as with run."""
    assert told("collect", night, "--speed", "60")[0] == 2


def test_retry_says_what_it_marks_and_risks(night, told):
    """Marked with the price, kept with the reason, and the command that comes next."""
    faults = night.parent / "faults.yaml"
    faults.write_text(FAILING)
    assert told("run", night, *FAST, "--faults", faults, "-q")[0] == 1
    code, out, _ = told("retry", night, "--sandbox", "--in-doubt")
    assert code == 0
    assert "night: nothing marked" in out
    assert "fox: failed; `batchgen retry` without an option marks it" in out
    code, out, _ = told("retry", night, "--sandbox")
    assert code == 0
    assert "night: 1 job marked" in out
    assert "1 job for USD 0.10 at most: failed or cancelled, and not billed" in out
    assert "Next: `batchgen run` sends them" in out
    assert "next: `batchgen run` sends 1 job" in told("status", night, "--sandbox")[1]
    assert told("run", night, *FAST, "-q")[0] == 0


@pytest.mark.parametrize("option", ["--in-doubt", "--expired", "--lost", "--partial"])
def test_each_option_of_retry_says_what_it_risks(told, option):
    """Help names the price of each: bought twice, or paid for again."""
    words = " ".join(told("retry", "--help")[1].split())
    said = words.partition(f"{option} ")[2].partition(" --")[0]
    assert "bought twice" in said or "paid for again" in said


def test_verify_tells_what_it_finds_and_mends(night, batch, told):
    """Damaged and fetchable: exit 3 for who only looks, 0 when it is mended, silence for cron."""
    (batch / "fox.mp4").write_bytes(b"cut")
    (batch / "moon.json").unlink()
    code, out, _ = told("verify", night, "--sandbox", "--no-fix")
    assert code == 3
    assert "fox.mp4 (job fox): of another size" in out
    assert "moon.json (job moon): no sidecar of this job" in out
    code, out, _ = told("verify", night, "--sandbox")
    assert (code, "2 files mended" in out) == (0, True)
    assert told("verify", night, "--sandbox", "--quiet") == (0, "", "")


def test_a_program_is_told_each_file(night, batch, told):
    """Which file of which job, what is wrong with it, what comes of it, and what the job cost."""
    (batch / "fox.mp4").unlink()
    code, out, _ = told("verify", night, "--sandbox", "--no-fix", "--json")
    assert code == 3
    (finding,) = json.loads(out)["findings"]
    assert finding == {
        "job": "fox",
        "file": "fox.mp4",
        "flaw": "missing",
        "fate": "to be fetched again",
        "cost": {"amount": 0.1, "currency": "USD"},
    }


def test_a_changed_job_is_planned_and_bought_when_told(night, batch, told):
    """Told by plan and run (exit 3); --rerun-changed has the one price it and the other buy it."""
    night.write_text(night.read_text().replace("A fox reads", "A fox eats"))
    out = told("plan", night, "--sandbox")[1]
    assert "The next run buys nothing" in out
    assert "--rerun-changed" in out
    assert told("run", night, *FAST, "-q")[0] == 3
    out = told("plan", night, "--sandbox", "--rerun-changed")[1]
    assert "The next run buys 1 job for USD 0.10 at most" in out
    assert told("run", night, *FAST, "-q", "--rerun-changed")[0] == 0
    assert "eats" in (batch / "fox.json").read_text()
    assert (batch / ".batchgen" / "replaced" / "fox~1.mp4").is_file()
