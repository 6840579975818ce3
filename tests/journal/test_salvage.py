"""What is left of a damaged journal is found, and what is lost of it is named."""

from __future__ import annotations

import random
import shutil
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.core.facts import Fact, RunStarted
from batchgen.errors import JournalError
from batchgen.journal import Journal
from batchgen.journal.extent import extent_of
from batchgen.journal.salvage import salvage

LINK = "https://host/crab.mp4?Signature=s3cr3t"
REQUEST = {"prompt": "a fox " * 2_000}


def open_sandbox(folder: Path) -> Journal:
    return Journal.open(folder, kind="sandbox", manifest="detective")


def facts_of(path: Path) -> list[Fact]:
    return [one.fact for one in salvage(path).kept]


@pytest.fixture
def path(folder: Path, home: Path, story: list[Fact]) -> Path:
    """A closed journal, whose requests and some facts are longer than a page."""
    with open_sandbox(folder) as journal:
        journal.append(story, requests={"a": REQUEST}, links={("crab", 1, 0): LINK})
    return home / "journal.sqlite"


@pytest.fixture
def killed(folder: Path, home: Path, story: list[Fact], tmp_path: Path) -> Path:
    """The journal of a run that was killed: all of its facts lie in the -wal file."""
    with open_sandbox(folder) as journal:
        for fact in story:
            journal.append([fact])
        shutil.copytree(home, tmp_path / "killed" / ".batchgen")
    return tmp_path / "killed" / ".batchgen" / "journal.sqlite"


def damage(path: Path, place: int, count: int = 1) -> None:
    content = bytearray(path.read_bytes())
    content[place : place + count] = bytes(byte ^ 0xFF for byte in content[place : place + count])
    path.write_bytes(content)


def test_of_a_whole_journal_everything_is_found(path: Path, story: list[Fact]):
    """Nothing is lost, the end is known, and requests longer than a page are there."""
    found = salvage(path)
    assert [one.fact for one in found.kept] == story
    assert (found.lost, found.ends, found.requests) == ([], True, {"a": REQUEST})
    assert found.stamp["manifest"] == "detective"
    assert not found.may_have_lost("job/fox")
    assert repr(found) == "<Salvage: 20 facts are whole>"


def test_of_a_killed_run_everything_is_found(killed: Path, story: list[Fact]):
    """Facts that lie in the -wal file alone count as much, whatever its head says."""
    assert facts_of(killed) == story
    damage(killed.with_name("journal.sqlite-wal"), 8, 16)
    found = salvage(killed)
    assert [one.fact for one in found.kept] == story
    assert found.ends


def test_neither_header_nor_schema_nor_tree_is_needed(path: Path, story: list[Fact]):
    """A journal whose first page is gone, which SQLite calls no database, still tells all."""
    damage(path, 0, 4096)
    with pytest.raises(JournalError, match=r"damaged: .*20 facts are whole"):
        Journal.peek(path.parents[1])
    assert facts_of(path) == story


def test_one_broken_row_is_one_job_in_doubt(path: Path, story: list[Fact]):
    """Row and job are named; the row behind it is whole; no other job is concerned."""
    damage(path, path.read_bytes().index(b"t-crab"))
    found = salvage(path)
    assert [one.fact for one in found.kept] == [*story[:16], *story[17:]]
    assert found.words == "19 facts are whole, lost are the rows 17 (of jobs crab)"
    concerned = {job for job in ("fox", "owl", "wave", "crab") if found.may_have_lost(f"job/{job}")}
    assert not concerned, "what is missing lies between facts of the same job"


def test_a_broken_last_fact_of_a_job_concerns_that_job_alone(path: Path):
    """Whether something came after all that is known of it is asked for each job."""
    damage(path, path.read_bytes().index(b"the connection was reset"))
    found = salvage(path)
    assert [job for job in ("fox", "owl", "wave", "crab") if found.may_have_lost(f"job/{job}")] == [
        "wave"
    ]
    assert found.since("job/wave") == 1102.0


def test_a_cut_file_keeps_what_comes_before_the_cut(path: Path, story: list[Fact]):
    """Of a truncated file every whole page counts, and its end is unknown where it is cut off."""
    content = path.read_bytes()
    found_before = -1
    for size in range(0, len(content), 4096):
        path.write_bytes(content[:size])
        found = salvage(path)
        kept = [one.fact for one in found.kept]
        assert all(one.fact == story[one.seq - 1] for one in found.kept)
        assert len(kept) >= found_before
        assert not found.ends or not kept or kept[-1] == story[-1]
        found_before = len(kept)


def test_no_damage_makes_another_fact(path: Path, story: list[Fact]):
    """Whatever bytes are broken, only facts that were written come back, in their order."""
    content, chance = path.read_bytes(), random.Random(7)
    for _ in range(60):
        path.write_bytes(content)
        for _ in range(chance.randrange(1, 4)):
            damage(path, chance.randrange(len(content)), chance.choice([1, 1, 50, 5000]))
        found = salvage(path)
        assert all(one.fact == story[one.seq - 1] for one in found.kept)
        assert all(a.seq < b.seq for a, b in pairwise(found.kept))
        lost = {row.seq for row in found.lost}
        assert not lost & {one.seq for one in found.kept}


def test_a_missing_wal_is_missed(killed: Path):
    """A killed run's journal without its -wal file is refused, not taken for an older state."""
    killed.with_name("journal.sqlite-wal").unlink()
    with pytest.raises(JournalError, match=r"newest facts are missing.*came behind") as refusal:
        open_sandbox(killed.parents[1])
    assert "batchgen rebuild" in refusal.value.hint
    assert not salvage(killed).ends


@pytest.mark.parametrize("place", [5, 40, 32 + 24 + 100, 32 + 24 + 4096 + 8])
def test_a_flipped_bit_in_the_wal_is_no_torn_write(killed: Path, place: int):
    """What was committed and synced before other commits is not forgotten in silence."""
    damage(killed.with_name("journal.sqlite-wal"), place)
    with pytest.raises(JournalError, match="-wal file is damaged"):
        open_sandbox(killed.parents[1])
    damage(killed.with_name("journal.sqlite-wal"), place)
    open_sandbox(killed.parents[1]).close()


def test_a_torn_last_write_is_no_damage(killed: Path, story: list[Fact]):
    """A power cut in the middle of a commit costs that commit, which nobody has acted on. Once it
    was durable, its loss is noticed.
    """
    wal = killed.with_name("journal.sqlite-wal")
    wal.write_bytes(wal.read_bytes()[:-1000])
    with pytest.raises(JournalError, match=f"newest facts are missing \\(1 of {len(story)}\\)"):
        open_sandbox(killed.parents[1])
    said = extent_of(killed)
    said.write_text(said.read_text().replace(f"{len(story)}", f"{len(story) - 1}"))
    with open_sandbox(killed.parents[1]) as journal:
        assert list(journal.replay()) == story[:-1]


def test_whoever_folds_the_wal_in_does_no_damage(killed: Path, story: list[Fact]):
    """Another program that opens a killed run's journal to write, and closes it, takes nothing."""
    with closing(apsw.Connection(str(killed))) as other:
        other.execute("SELECT count(*) FROM fact").fetchall()
    assert not killed.with_name("journal.sqlite-wal").exists()
    with open_sandbox(killed.parents[1]) as journal:
        assert list(journal.replay()) == story


def test_an_older_copy_is_not_taken_for_the_journal(path: Path, folder: Path, story: list[Fact]):
    """What was put back from a backup has forgotten requests that were sent: it is refused."""
    older = path.read_bytes()
    with open_sandbox(folder) as journal:
        journal.append([RunStarted(at=30_000.0, account="main", version="0")])
    path.write_bytes(older)
    with pytest.raises(JournalError, match="an older copy put in its place"):
        open_sandbox(folder)
    assert not salvage(path).ends


def test_the_wal_of_another_journal_is_refused(killed: Path, tmp_path: Path, story: list[Fact]):
    """A -wal file that was mixed up does not make the facts of another batch ours."""
    other = tmp_path / "other"
    with open_sandbox(other) as journal:
        for fact in story[:9]:
            journal.append([fact])
        foreign = (other / ".batchgen" / "journal.sqlite-wal").read_bytes()
    killed.with_name("journal.sqlite-wal").write_bytes(foreign)
    killed.with_name("journal.sqlite-shm").unlink(missing_ok=True)
    with pytest.raises(JournalError, match="damaged"), open_sandbox(killed.parents[1]) as journal:
        list(journal.replay())


def test_a_log_that_goes_on_behind_its_end_is_damage(path: Path):
    """A head that lost the newest facts does not hide them."""
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE head SET seq = 18")
    connection.close()
    with pytest.raises(JournalError, match="should have 18 facts, but has 20"):
        open_sandbox(path.parents[1])


def test_a_run_that_writes_nothing_changes_nothing(folder: Path, path: Path):
    """Opened, read and closed, the file is the same to the byte."""
    content, changed = path.read_bytes(), path.stat().st_mtime_ns
    with open_sandbox(folder) as journal:
        assert list(journal.replay())
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (content, changed)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=9000), st.binary(max_size=9000), st.binary(max_size=64))
def test_of_rubbish_nothing_is_salvaged(file: bytes, wal: bytes, head: bytes):
    """Whatever the bytes are, there is an end, and no fact."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        path.write_bytes(b"\x0d\0\0\0\x09" + file + bytes(4096))
        path.with_name("journal.sqlite-wal").write_bytes(head + wal)
        assert not salvage(path).kept


def test_a_journal_that_was_deleted_is_missed(path: Path, folder: Path):
    """What was written to it is not forgotten with it: nothing is begun anew in its place."""
    for file in path.parent.glob("journal.sqlite*"):
        file.unlink()
    with pytest.raises(JournalError, match=r"missing or empty, but \d+ facts were written to it"):
        open_sandbox(folder)
    assert not salvage(path).ends
