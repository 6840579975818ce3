"""A journal of an older batchgen is taken up, whatever happens meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from batchgen.core.facts import Fact, Held, SubmitStarted
from batchgen.errors import Mistake
from batchgen.journal import Journal
from batchgen.journal.database import FORMAT
from batchgen.journal.extent import extent_of

OLD = (Path(__file__).parent / "format_1.sql").read_text()
OPEN = """
import sys
from pathlib import Path
from batchgen.journal import Journal
Journal.open(Path(sys.argv[1]), kind="sandbox", manifest="detective").close()
"""


def open_sandbox(folder: Path) -> Journal:
    return Journal.open(folder, kind="sandbox", manifest="detective")


def format_of(path: Path) -> int:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = connection.pragma("user_version")
    connection.close()
    return found


def write_old(folder: Path) -> Path:
    """Put a journal of format 1 there, closed as a run that has ended leaves it."""
    home = folder / ".batchgen"
    home.mkdir(parents=True)
    connection = apsw.Connection(str(home / "journal.sqlite"))
    connection.pragma("journal_mode", "wal")
    connection.execute(OLD)
    connection.close()
    return home / "journal.sqlite"


@pytest.fixture
def path(folder: Path) -> Path:
    return write_old(folder)


@pytest.mark.fault(99, 140)
def test_an_older_journal_goes_on(folder: Path, path: Path, story: list[Fact]):
    """Every fact is there, the log goes on with the new kinds of facts, and a copy is kept."""
    held = Held(at=20000.0, account="main", job="wave", attempt=1, reason="the list is refused")
    with open_sandbox(folder) as journal:
        assert list(journal.replay()) == story
        journal.append([held])
        assert journal.links() == {("crab", 1, 0): "https://host/crab.mp4?Signature=s3cr3t"}
    with open_sandbox(folder) as journal:
        assert list(journal.replay()) == [*story, held]
    assert format_of(path) == FORMAT
    kept = path.with_name("journal.format-1.sqlite")
    assert format_of(kept) == 1
    assert kept.stat().st_mode & 0o777 == 0o600
    shutil.copytree(path.parent, folder.parent / "old" / ".batchgen")
    (folder.parent / "old" / ".batchgen" / kept.name).rename(
        folder.parent / "old" / ".batchgen" / path.name
    )
    extent_of(folder.parent / "old" / ".batchgen" / path.name).unlink()  # the copy goes less far
    with open_sandbox(folder.parent / "old") as journal:
        assert list(journal.replay()) == story


@pytest.mark.fault(99)
def test_an_older_journal_is_looked_at_as_it_is(folder: Path, path: Path, story: list[Fact]):
    """``status`` reads it and changes nothing."""
    content = path.read_bytes()
    with Journal.peek(folder) as journal:
        assert list(journal.replay()) == story
        assert next(f for f in story if isinstance(f, SubmitStarted)).service_time is None
    assert path.read_bytes() == content
    assert format_of(path) == 1


@pytest.mark.fault(99)
def test_whoever_is_refused_leaves_it_old(folder: Path, path: Path):
    """A manifest that is not its own does not bring it to the new format."""
    with pytest.raises(Mistake):
        Journal.open(folder, kind="service", manifest="detective")
    assert format_of(path) == 1
    assert not path.with_name("journal.format-1.sqlite").exists()


@pytest.mark.fault(99)
def test_what_a_killed_older_run_left_in_the_wal_is_taken_along(folder: Path, story: list[Fact]):
    """Facts that were never folded in are in the new journal and in the copy of the old one."""
    home = folder / ".batchgen"
    home.mkdir(parents=True)
    code = (
        "import os, sys, apsw\n"
        f"connection = apsw.Connection({str(home / 'journal.sqlite')!r})\n"
        "connection.pragma('journal_mode', 'wal')\n"
        f"connection.execute(open({str(Path(__file__).parent / 'format_1.sql')!r}).read())\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (home / "journal.sqlite-wal").stat().st_size
    with open_sandbox(folder) as journal:
        assert list(journal.replay()) == story
    assert format_of(home / "journal.format-1.sqlite") == 1


@pytest.mark.fault(15, 99)
@pytest.mark.parametrize(
    ("call", "stride"), [("fdatasync", 1), ("fsync", 1), ("rename", 1), ("pwrite64", 7)]
)
def test_a_death_while_it_is_migrated_costs_nothing(
    tmp_path: Path, strace: None, story: list[Fact], call: str, stride: int
):
    """Killed at each step in turn, the next run takes it up, and the copy is whole."""
    deaths = 0
    while True:
        folder = tmp_path / str(deaths)
        path = write_old(folder)
        command = ["strace", "-f", "-qq", "-o", "/dev/null"]
        names = ("journal.sqlite", "journal.sqlite-wal", "journal.format-1.sqlite.new")
        for name in ("", *names, "journal.format-1.sqlite.new-journal"):
            command += ["-P", os.fspath(path.parent / name)]
        command += ["-e", f"inject={call}:signal=KILL:when={deaths * stride + 1}"]
        run = subprocess.run([*command, sys.executable, "-c", OPEN, str(folder)], check=False)
        assert run.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL)
        with open_sandbox(folder) as journal:
            assert list(journal.replay()) == story
        assert format_of(path) == FORMAT
        assert format_of(path.with_name("journal.format-1.sqlite")) == 1
        if run.returncode == 0:
            break
        deaths += 1
    assert deaths
