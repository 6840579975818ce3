"""A long log is folded: opened fast, never believed where it is not whole, and nothing is lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from batchgen.core.facts import Fact, RunStarted, SidecarVanished, Wanted
from batchgen.core.lifecycle import State
from batchgen.core.policy import Policy
from batchgen.core.standing import Standing
from batchgen.errors import JournalError
from batchgen.journal import Journal, folding, log
from batchgen.journal.salvage import salvage
from tests.journal.test_migration import write_old

POLICY = Policy(lanes={})
FOX = {"at": 1200.0, "account": "main", "job": "fox", "attempt": 1}
REQUEST = {"model": "wan2.6-t2v", "inputs": {"prompt": "a fox"}}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every log is long enough to be folded."""
    monkeypatch.setattr(log, "FOLDED_FROM", 1)


def open_sandbox(folder: Path) -> Journal:
    return Journal.open(folder, kind="sandbox", manifest="detective")


def replayed(journal: Journal) -> Standing:
    """What all the facts add up to, read one by one."""
    standing = Standing(POLICY)
    for fact in journal.replay():
        standing.after(fact)
    return standing


def recalled(journal: Journal) -> Standing:
    """What a run begins with, as fast as can be."""
    standing = journal.recall(POLICY)
    for fact in journal.replay(standing.taken):
        standing.after(fact)
    return standing


def fold(journal: Journal, standing: Standing) -> None:
    asyncio.run(journal.fold(standing))


def fold_of(home: Path) -> list[tuple[object, ...]]:
    with closing(apsw.Connection(str(home / "journal.sqlite"))) as connection:
        return connection.execute("SELECT * FROM fold ORDER BY place").fetchall()


def behind_its_back(home: Path, *statements: str) -> None:
    with closing(apsw.Connection(str(home / "journal.sqlite"))) as connection:
        connection.execute("DROP TRIGGER IF EXISTS fact_is_never_changed")
        connection.execute("DROP TRIGGER IF EXISTS fact_is_never_deleted")
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def folded(folder: Path, story: list[Fact]) -> Path:
    """The folder of a batch whose whole log is folded."""
    with open_sandbox(folder) as journal:
        journal.append(story, requests={f"identity of {n}": REQUEST for n in NAMES})
        fold(journal, recalled(journal))
    return folder


NAMES = ("fox", "owl", "wave", "crab")


def test_a_folded_log_is_recalled_whole_and_continued(folded: Path, story: list[Fact]):
    """A later run starts from the fold and adds facts behind it, and the next replay knows all."""
    with open_sandbox(folded) as journal:
        standing = journal.recall(POLICY)
        assert standing.taken == len(story)
        assert list(journal.replay(standing.taken)) == []
        more = [SidecarVanished(**FOX), RunStarted(at=1201.0, account="main", version="2")]
        journal.append(more)
    with open_sandbox(folded) as journal:
        assert recalled(journal) == replayed(journal)
        assert recalled(journal).jobs["fox"].state is State.READY
        assert list(journal.replay()) == [*story, *more]
        assert asyncio.run(journal.story("fox"))[-1] == more[0]


def test_a_second_fold_rewrites_only_what_has_changed(folded: Path, home: Path):
    """Jobs that nothing has happened to keep their rows; a doubt that a run takes up does not."""
    before = fold_of(home)
    with open_sandbox(folded) as journal:
        known = recalled(journal)
        more = [SidecarVanished(**FOX), RunStarted(at=1201.0, account="main", version="2")]
        journal.append(more)
        for fact in more:
            known.after(fact)
        fold(journal, known)
        assert journal.recall(POLICY) == replayed(journal)
    changed = {row[0] for row in set(fold_of(home)) - set(before)}
    fox, wave = (list(known.jobs).index(name) + 1 for name in ("fox", "wave"))
    assert changed == {0, fox, wave}


def test_a_short_log_is_not_folded(
    folder: Path, home: Path, story: list[Fact], monkeypatch: pytest.MonkeyPatch
):
    """Where reading takes no time there is nothing to gain, and every row is checked."""
    monkeypatch.setattr(log, "FOLDED_FROM", len(story) + 1)
    with open_sandbox(folder) as journal:
        journal.append(story)
        fold(journal, recalled(journal))
    with pytest.raises(apsw.SQLError, match="no such table"):
        fold_of(home)


def test_a_log_of_jobs_that_were_only_asked_for_is_not_folded(
    folder: Path, home: Path, story: list[Fact]
):
    """To read a fact a job takes no longer than to recall the job."""
    with open_sandbox(folder) as journal:
        journal.append([fact for fact in story if isinstance(fact, Wanted)])
        fold(journal, recalled(journal))
    with pytest.raises(apsw.SQLError, match="no such table"):
        fold_of(home)


def test_a_standing_of_other_facts_is_not_written_down(folded: Path, home: Path):
    """What was taken in and not written, or written and not taken in, must not become the past."""
    before = fold_of(home)
    with open_sandbox(folded) as journal:
        ahead = recalled(journal)
        ahead.after(SidecarVanished(**FOX))
        fold(journal, ahead)
        behind = recalled(journal)
        journal.append([SidecarVanished(**FOX)])
        fold(journal, behind)
    assert fold_of(home) == before


def flips(home: Path) -> Iterator[tuple[int, int, str]]:
    """Places and lengths of all that the fold says, to change a character of each."""
    for place, body, _ in fold_of(home):
        yield from ((place, at, body[at]) for at in range(0, len(body), 37))


def test_a_fold_with_any_change_in_it_is_thrown_away(folded: Path, home: Path, story: list[Fact]):
    """One character of any row, a checksum, a missing row, an old row: the facts are read instead,
    and the next fold is whole again."""
    rows = fold_of(home)
    changes = [
        f"UPDATE fold SET body = substr(body, 1, {at}) || '~' || substr(body, {at + 2})"
        f" WHERE place = {place}"
        for place, at, _ in flips(home)
    ]
    changes += [f"UPDATE fold SET checksum = checksum + 1 WHERE place = {row[0]}" for row in rows]
    changes += [f"DELETE FROM fold WHERE place = {row[0]}" for row in rows]
    changes += ["DELETE FROM fold", "DROP TABLE fold", "UPDATE fold SET place = 9 WHERE place = 2"]
    for change in changes:
        behind_its_back(home, change)
        with Journal.peek(folded) as journal:
            assert journal.recall(POLICY).taken == 0, change
        with open_sandbox(folded) as journal:
            assert recalled(journal) == replayed(journal)
            fold(journal, recalled(journal))
        with open_sandbox(folded) as journal:
            assert journal.recall(POLICY).taken == len(story)


def test_an_old_row_among_new_ones_is_noticed(folded: Path, home: Path):
    """A page that the disk never wrote holds a row that is whole, but of yesterday."""
    fox = fold_of(home)[1]
    with open_sandbox(folded) as journal:
        known = recalled(journal)
        journal.append([SidecarVanished(**FOX)])
        known.after(SidecarVanished(**FOX))
        fold(journal, known)
    with closing(apsw.Connection(str(home / "journal.sqlite"))) as connection:
        connection.execute("INSERT OR REPLACE INTO fold VALUES (?, ?, ?)", fox)
    with open_sandbox(folded) as journal:
        assert journal.recall(POLICY).taken == 0
        assert recalled(journal) == replayed(journal)


@pytest.mark.parametrize("what", ["VERSION", "_SHAPE"])
def test_the_fold_of_another_version_is_thrown_away(
    folded: Path, monkeypatch: pytest.MonkeyPatch, what: str
):
    """Another batchgen may count otherwise, or know other things of a job."""
    monkeypatch.setattr(folding, what, "another")
    with open_sandbox(folded) as journal:
        assert journal.recall(POLICY).taken == 0
        assert recalled(journal) == replayed(journal)


def test_the_fold_of_another_log_is_thrown_away(folded: Path, home: Path, tmp_path: Path):
    """A fold says which row it goes up to, and no other journal has that row."""
    rows = fold_of(home)
    other = tmp_path / "output" / "other"
    with Journal.open(other, kind="sandbox", manifest="detective") as journal:
        journal.append([RunStarted(at=float(n), account="main", version="1") for n in range(30)])
        fold(journal, recalled(journal))
    with closing(apsw.Connection(str(other / ".batchgen" / "journal.sqlite"))) as connection:
        connection.execute("DELETE FROM fold")
        connection.executemany("INSERT INTO fold VALUES (?, ?, ?)", rows)
    with Journal.open(other, kind="sandbox", manifest="detective") as journal:
        assert journal.recall(POLICY).taken == 0
        assert recalled(journal) == replayed(journal)


def test_a_damaged_fact_behind_the_fold_is_refused(folded: Path, home: Path, story: list[Fact]):
    """From the fold on, every row follows the chain."""
    with open_sandbox(folded) as journal:
        journal.append([SidecarVanished(**FOX)])
    behind_its_back(home, f"UPDATE fact SET at = at + 1 WHERE seq = {len(story) + 1}")
    with open_sandbox(folded) as journal:
        standing = journal.recall(POLICY)
        assert standing.taken == len(story)
        with pytest.raises(JournalError, match=f"rows of the log .* {len(story) + 1}"):
            list(journal.replay(standing.taken))


@pytest.mark.parametrize("change", ["UPDATE fact SET at = at + 1", "DELETE FROM fact"])
def test_a_damaged_fact_before_the_fold_is_refused_where_it_is_used(
    folded: Path, home: Path, change: str
):
    """What was not checked when the log was opened is checked before a sidecar is made of it, and
    before a run adds to the log."""
    behind_its_back(home, f"{change} WHERE subject = 'job/fox' AND version = 3")
    with open_sandbox(folded) as journal:
        recalled(journal)
        with pytest.raises(JournalError, match=r"does not match its checksum|lacks facts"):
            asyncio.run(journal.story("fox"))
        with pytest.raises(JournalError, match=r"do not match their checksums|damaged"):
            journal.check_file()
    with open_sandbox(folded) as journal, pytest.raises(JournalError, match="damaged"):
        replayed(journal)


@pytest.mark.parametrize("change", ["UPDATE fact SET at = at + 1", "DELETE FROM fact"])
def test_the_last_fact_of_a_job_under_way_is_checked(folded: Path, home: Path, change: str):
    """A run files its open jobs by it."""
    behind_its_back(home, f"{change} WHERE subject = 'job/crab' AND kind = 'Unparked'")
    with open_sandbox(folded) as journal:
        standing = journal.recall(POLICY)
        with pytest.raises(JournalError, match=r"does not match its checksum|lacks facts"):
            journal.newest(standing)


def test_the_request_of_an_open_job_is_checked_before_a_run_sends(folded: Path, home: Path):
    """Of a finished job it shows when it is used, of any other before the first request."""
    damage = "UPDATE request SET document = replace(document, 'fox', 'owl') WHERE identity = {!r}"
    behind_its_back(home, damage.format("identity of fox"))
    with open_sandbox(folded) as journal:
        journal.check_requests(recalled(journal))
        with pytest.raises(JournalError, match="the request identity of fox"):
            journal.request("identity of fox")
    behind_its_back(home, damage.format("identity of crab"))
    with open_sandbox(folded) as journal:
        standing = recalled(journal)
        with pytest.raises(JournalError, match="the request identity of crab"):
            journal.check_requests(standing)


def test_a_journal_whose_fold_is_lost_is_checked_as_if_there_were_none(folded: Path, home: Path):
    """The checks that a fold spares are made up for."""
    damage = "UPDATE request SET document = '{}' WHERE identity = 'identity of fox'"
    behind_its_back(home, damage, "DELETE FROM fold WHERE place = 1")
    with open_sandbox(folded) as journal, pytest.raises(JournalError, match="identity of fox"):
        journal.recall(POLICY)


def test_a_broken_page_shows_before_a_run_adds_to_the_file(folded: Path, home: Path):
    """A rerun of what is done reads none of the log's pages; a run that is about to buy looks at
    them all."""
    path = home / "journal.sqlite"
    with open_sandbox(folded) as journal:
        journal.recall(POLICY)
        journal.check_file()
    with closing(apsw.Connection(str(path))) as connection:
        sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_fact_1'"
        page = int(connection.execute(sql).get)
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 + 3 : (page - 1) * 4096 + 5] = b"\xff\xff"  # its number of cells
    path.write_bytes(content)
    with open_sandbox(folded) as journal:
        assert journal.recall(POLICY).taken
        with pytest.raises(JournalError, match="damaged"):
            journal.check_file()


def test_whoever_looks_recalls_and_writes_nothing(folded: Path, home: Path):
    """``status`` reads the fold, also while a run writes, and leaves the file as it is."""
    with open_sandbox(folded) as running:
        running.append([SidecarVanished(**FOX)])
        before = (home / "journal.sqlite").read_bytes()
        with Journal.peek(folded) as looking:
            assert recalled(looking) == replayed(looking)
            fold(looking, recalled(looking))
        assert (home / "journal.sqlite").read_bytes() == before


def test_a_fold_that_cannot_be_written_takes_nothing_else_with_it(
    folder: Path, story: list[Fact], monkeypatch: pytest.MonkeyPatch
):
    """A short cut is no reason to stop a run: the journal goes on, without it."""

    def refused(*_: object) -> None:
        raise apsw.FullError("database or disk is full")

    with open_sandbox(folder) as journal:
        journal.append(story[:-1])
        monkeypatch.setattr(log, "write_fold", refused)
        fold(journal, recalled(journal))
        journal.append(story[-1:])
        assert list(journal.replay()) == story


def test_a_fold_holds_no_signed_address(folder: Path, home: Path, story: list[Fact]):
    """Who has one can fetch the result: it lives in its own table alone."""
    signed = "https://dashscope-result.oss.aliyuncs.com/fox.mp4?Signature=s3cr3t"
    with open_sandbox(folder) as journal:
        journal.append(story, links={("crab", 1, 0): signed})
        fold(journal, recalled(journal))
    assert "s3cr3t" not in repr(fold_of(home))


def test_people_still_read_a_folded_journal(folded: Path, home: Path):
    """The views, on the system's own SQLite, know nothing of the fold and need not."""
    uri = f"{(home / 'journal.sqlite').as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        rows = connection.execute("SELECT job, state FROM jobs").fetchall()
    assert dict(rows)["wave"] == "in doubt"


def test_a_withdrawn_job_that_is_wanted_again_goes_on_behind_the_fold(folder: Path):
    """Its stream is continued at the version that the fold knows."""

    def wanted(at: float) -> Wanted:
        return Wanted(
            at=at,
            account="main",
            job="fox",
            request="r",
            model="m",
            order=0,
            price=None,
            currency=None,
        )

    with open_sandbox(folder) as journal:
        journal.append([wanted(1.0), wanted(2.0)])
        fold(journal, recalled(journal))
    with open_sandbox(folder) as journal:
        assert recalled(journal).taken == 2
        journal.append([wanted(3.0)])
    with open_sandbox(folder) as journal:
        assert [fact.at for fact in journal.replay()] == [1.0, 2.0, 3.0]


def test_a_fold_is_no_fact_to_whoever_salvages(folded: Path, home: Path, story: list[Fact]):
    """Of a damaged journal the facts are kept, and nothing that only says what they add up to."""
    found = salvage(home / "journal.sqlite")
    assert [one.fact for one in found.kept] == story
    assert (found.lost, found.ends) == ([], True)
    assert set(found.requests) == {f"identity of {name}" for name in NAMES}


def test_a_journal_of_the_first_format_is_folded_like_any_other(folder: Path, story: list[Fact]):
    """It has no id, and its first row continues nothing."""
    write_old(folder)
    with open_sandbox(folder) as journal:
        fold(journal, recalled(journal))
    with open_sandbox(folder) as journal:
        assert journal.recall(POLICY).taken == len(story)
        assert recalled(journal) == replayed(journal)
        assert asyncio.run(journal.story("fox"))[0] == story[1]
