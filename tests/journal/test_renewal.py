"""A damaged journal is replaced whole or not at all, and kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from batchgen.core.facts import Fact
from batchgen.errors import BatchHeld, JournalError, Mistake
from batchgen.journal import Journal, JournalDamaged, Remains

REBUILD = """
import os, sys
from pathlib import Path
from batchgen.journal import Remains

calls = 0

def counted(function):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == int(sys.argv[2]):
            os._exit(9)
        return function(*arguments, **options)
    return call

for name in ("rename", "replace", "unlink", "mkdir"):
    setattr(Path, name, counted(getattr(Path, name)))
os.fsync = counted(os.fsync)
with Remains(Path(sys.argv[1]), kind="sandbox", manifest="detective", source=None) as remains:
    kept = [one.fact for one in remains.salvage.kept]
    remains.replace(kept, requests=remains.salvage.requests, links={})
"""


def open_sandbox(folder: Path) -> Journal:
    return Journal.open(folder, kind="sandbox", manifest="detective")


def remains_of(folder: Path, **other: str) -> Remains:
    whose = {"kind": "sandbox", "manifest": "detective", **other}
    return Remains(folder, source=None, **whose)


@pytest.fixture
def content(folder: Path, home: Path, story: list[Fact]) -> bytes:
    """The bytes of a journal in the folder that has lost its head."""
    with open_sandbox(folder) as journal:
        journal.append(story, requests={"a": {"prompt": "fox"}})
    path = home / "journal.sqlite"
    path.write_bytes(bytes(100) + path.read_bytes()[100:])
    return path.read_bytes()


def test_the_new_journal_holds_what_was_salvaged(
    folder: Path, home: Path, content: bytes, story: list[Fact]
):
    """It goes on like any other, and the old one lies beside it, byte for byte."""
    with remains_of(folder) as remains:
        kept = [one.fact for one in remains.salvage.kept]
        aside = remains.replace(kept, requests=remains.salvage.requests, links={})
    assert kept == story
    assert aside == home / "damaged-1"
    assert (aside / "journal.sqlite").read_bytes() == content
    with open_sandbox(folder) as journal:
        assert list(journal.replay()) == story
        assert journal.request("a") == {"prompt": "fox"}
        journal.append([])


def test_damage_after_damage_keeps_both(folder: Path, home: Path, content: bytes):
    """No damaged journal ever takes the place of another one."""
    for number in (1, 2):
        with remains_of(folder) as remains:
            aside = remains.replace([], requests={}, links={})
        assert aside == home / f"damaged-{number}"
        (home / "journal.sqlite").write_bytes(b"damaged again " * 999)
    assert (home / "damaged-1" / "journal.sqlite").read_bytes() == content


def test_the_batch_is_held_meanwhile(folder: Path, content: bytes):
    """No run begins while its journal is being looked at, and nobody looks during a run."""
    with remains_of(folder), pytest.raises(BatchHeld):
        open_sandbox(folder)
    with pytest.raises(JournalDamaged):
        open_sandbox(folder)


def test_the_journal_of_another_batch_is_not_replaced(folder: Path, home: Path, content: bytes):
    """What is left of the stamp still says whose it is."""
    with pytest.raises(Mistake, match="another manifest"):
        remains_of(folder, manifest="thriller")
    with pytest.raises(Mistake, match="begun with the sandbox"):
        remains_of(folder, kind="service")
    assert (home / "journal.sqlite").read_bytes() == content


def test_a_death_in_the_exchange_is_finished_by_the_next_run(
    folder: Path, home: Path, content: bytes, story: list[Fact]
):
    """Killed at each step in turn: the damaged journal or the new one stands there, never none."""
    for step in range(1, 60):
        run = subprocess.run([sys.executable, "-c", REBUILD, str(folder), str(step)], check=False)
        try:
            with open_sandbox(folder) as journal:
                assert list(journal.replay()) == story
        except JournalError as error:
            assert isinstance(error, JournalDamaged)  # noqa: PT017
            assert run.returncode == 9
            assert (home / "journal.sqlite").read_bytes() == content
        else:
            break
    assert step > 3
    assert (home / "damaged-1" / "journal.sqlite").read_bytes() == content
    assert not list(home.glob("*rebuil*"))
