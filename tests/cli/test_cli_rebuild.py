"""``batchgen rebuild`` says what was lost, what was concluded, and what to do next."""

from __future__ import annotations

import json

import pytest

from batchgen.cli import main
from batchgen.errors import ExitCode


@pytest.fixture
def finished(night, capsys):
    """The folder of a rehearsal that has ended."""
    assert main(["run", str(night), "--sandbox", "--speed", "600", "--quiet"]) == ExitCode.DONE
    capsys.readouterr()
    return night.parent / "output" / "sandbox" / "night"


@pytest.mark.fault(96)
def test_a_damaged_journal_is_told_and_mended(night, finished, capsys):
    """Exit 6 and the command that helps; then exit 0, and a run that finds nothing to do."""
    journal = finished / ".batchgen" / "journal.sqlite"
    content = journal.read_bytes()
    journal.write_bytes(content.replace(b'"task_id":"', b'"tusk_id":"', 1))
    assert main(["run", str(night), "--sandbox"]) == ExitCode.MACHINE
    told = capsys.readouterr().err
    assert "is damaged" in told
    assert "batchgen rebuild MANIFEST" in told
    assert main(["rebuild", str(night), "--sandbox"]) == ExitCode.DONE
    told = capsys.readouterr().out
    assert "night: the journal was made anew" in told
    assert "2 jobs: 2 done" in told
    assert "the old one is kept in" in told
    assert (finished / ".batchgen" / "damaged-1" / "journal.sqlite").exists()
    assert main(["run", str(night), "--sandbox", "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["submitted"] == 0


def test_what_is_whole_is_left_alone(night, finished, capsys):
    """Whoever tries the command out does no harm."""
    assert main(["rebuild", str(night), "--sandbox"]) == ExitCode.DONE
    assert "nothing to mend" in capsys.readouterr().out


@pytest.mark.fault(101)
def test_a_lost_journal_for_a_program(night, finished, capsys):
    """Each job with its state and why; money as the sidecars say; exit 3 while one is in doubt."""
    (finished / ".batchgen" / "journal.sqlite").unlink()
    (finished / "fox.json").unlink()
    (finished / "fox.mp4").unlink()
    assert main(["rebuild", str(night), "--sandbox", "--json"]) == ExitCode.NEEDS_A_PERSON
    told = json.loads(capsys.readouterr().out)
    assert {job["id"]: job["state"] for job in told["jobs"]} == {"fox": "in doubt", "moon": "done"}
    assert told["exit_code"] == ExitCode.NEEDS_A_PERSON
    assert "the file is missing" in told["damage"]
    assert (
        told["spent"]["amount"]
        == json.loads((finished / "moon.json").read_text())["cost"]["amount"]
    )
    assert told["counts"] == {"in doubt": 1, "done": 1}
    assert all(job["why"] for job in told["jobs"])


@pytest.mark.fault(92)
def test_a_file_that_is_not_what_its_sidecar_says_is_named(night, finished, capsys):
    """It is not bought again, and the words name the command that mends it."""
    (finished / ".batchgen" / "journal.sqlite").unlink()
    picture = finished / "moon-1.png"
    picture.write_bytes(picture.read_bytes()[:-1] + b"!")
    assert main(["rebuild", str(night), "--sandbox"]) == ExitCode.DONE
    told = capsys.readouterr().out
    assert "moon-1.png is not what its sidecar says: batchgen verify" in told


@pytest.mark.parametrize("command", ["status", "plan"])
def test_a_view_of_a_lost_journal_promises_nothing(night, finished, capsys, command):
    """Results without a journal are no new jobs: exit 6, and the command that helps."""
    for path in (finished / ".batchgen").iterdir():
        if path.is_file():
            path.unlink()
    assert main([command, str(night), "--sandbox"]) == ExitCode.MACHINE
    out, err = capsys.readouterr()
    assert (out, "batchgen rebuild" in err) == ("", True)
