"""The journal keeps what it was given, in whole commits, and says so when it cannot."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import apsw
import pytest

from batchgen.core.facts import (
    Expired,
    Fact,
    Saved,
    Sealed,
    SealedInPart,
    SubmitStarted,
    Submitted,
)
from batchgen.errors import BatchHeld, JournalError, Mistake
from batchgen.journal import Journal

LINK = "https://dashscope-result.oss.aliyuncs.com/fox.mp4?Signature=s3cr3t"
FOX = {"at": 5.0, "account": "main", "job": "fox", "attempt": 1}


def open_sandbox(folder: Path) -> Journal:
    return Journal.open(folder, kind="sandbox", manifest="detective")


def written_behind_its_back(home: Path, sql: str) -> None:
    """Do what another program might do to the file."""
    connection = apsw.Connection(str(home / "journal.sqlite"))
    connection.execute(sql)
    connection.close()


def test_what_was_appended_is_replayed(folder: Path, story: list[Fact]):
    """A later run reads exactly what the ones before wrote, in order."""
    for part in (story[:7], story[7:]):
        with open_sandbox(folder) as journal:
            journal.append(part)
    with open_sandbox(folder) as journal:
        assert list(journal.replay()) == story


def test_a_journal_is_read_before_it_is_continued(folder: Path, story: list[Fact]):
    """Appending first thing after opening still continues the log."""
    with open_sandbox(folder) as journal:
        journal.append(story[:7])
        assert list(journal.replay()) == story[:7]
        journal.append(story[7:])
        assert list(journal.replay()) == story


def test_the_stamp_says_what_the_journal_is(folder: Path):
    """Kind and manifest are told, and ``repr`` is a status line."""
    with open_sandbox(folder) as journal:
        assert (journal.stamp.kind, journal.stamp.manifest) == ("sandbox", "detective")
        assert repr(journal) == "<Journal of detective (sandbox), not read yet>"
        journal.append([])
        assert repr(journal) == "<Journal of detective (sandbox), 0 facts>"


@pytest.mark.looptime
async def test_commits_at_once_are_all_kept(folder: Path, story: list[Fact]):
    """Tasks that commit at the same time neither wait on the loop nor mix their facts."""
    with open_sandbox(folder) as journal:
        await asyncio.gather(*(journal.commit([fact]) for fact in story))
        assert list(journal.replay()) == story


@pytest.mark.looptime
async def test_a_cancelled_commit_is_whole_or_absent(folder: Path, story: list[Fact]):
    """Cancelling the caller never leaves half of its facts."""
    with open_sandbox(folder) as journal:
        commit = asyncio.ensure_future(journal.commit(story))
        await asyncio.sleep(0)
        commit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await commit
    with open_sandbox(folder) as journal:
        assert list(journal.replay()) in ([], story)


def test_a_request_is_kept_once(folder: Path, story: list[Fact]):
    """A request comes with the facts that name it, and the first one of an identity stays."""
    with open_sandbox(folder) as journal:
        journal.append(story[:2], requests={"a": {"prompt": "狐狸", "seed": 0.1}})
        journal.append([], requests={"a": {"prompt": "another"}})
        assert journal.request("a") == {"prompt": "狐狸", "seed": 0.1}
        with pytest.raises(JournalError, match="the request b is missing"):
            journal.request("b")


async def test_a_jobs_story_is_its_facts_alone_in_order(folder: Path, story: list[Fact]):
    """One job's facts are read without the others'."""
    with open_sandbox(folder) as journal:
        journal.append(story)
        fox = [fact for fact in story if getattr(fact, "job", None) == "fox"]
        assert await journal.story("fox") == fox
        assert await journal.story("nobody") == []


def test_links_go_as_results_are_saved(folder: Path, home: Path):
    """A signed URL is kept until its result is saved; then no trace of it is in any file."""
    with open_sandbox(folder) as journal:
        journal.append([], links={("fox", 1, 0): LINK + "0", ("fox", 1, 1): LINK + "1"})
        journal.append([], links={("fox", 1, 1): LINK + "2"})
        assert journal.links() == {("fox", 1, 0): LINK + "0", ("fox", 1, 1): LINK + "2"}
        journal.append([Saved(**FOX, index=0, file={})])
        assert journal.links() == {("fox", 1, 1): LINK + "2"}
        journal.append([Saved(**FOX, index=1, file={})])
        assert journal.links() == {}
    assert not any(b"s3cr3t" in file.read_bytes() for file in home.iterdir())


@pytest.mark.parametrize(
    "last",
    [
        Sealed(**FOX),
        SealedInPart(**FOX),
        Expired(**FOX, reason="24 h"),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_a_settled_job_leaves_no_links(folder: Path, last: Fact):
    """Links of a job that will not be fetched any more go, those of other jobs stay."""
    with open_sandbox(folder) as journal:
        journal.append([], links={("fox", 1, 0): LINK, ("fox", 2, 0): LINK, ("owl", 1, 0): LINK})
        journal.append([last])
        assert list(journal.links()) == [("owl", 1, 0)]


def test_facts_cannot_be_changed_or_deleted(folder: Path, home: Path, story: list[Fact]):
    """Whoever tries to edit the log is told that it is append-only."""
    with open_sandbox(folder) as journal:
        journal.append(story)
    for sql in ("UPDATE fact SET at = 0", "DELETE FROM fact WHERE seq = 3"):
        with pytest.raises(apsw.ConstraintError, match="append-only"):
            written_behind_its_back(home, sql)


def test_a_foreign_fact_is_refused_and_stops_the_journal(
    folder: Path, home: Path, story: list[Fact]
):
    """Where somebody else wrote meanwhile, nothing of our commit is kept, nor of any later one."""
    with open_sandbox(folder) as journal:
        journal.append(story[:2])
        written_behind_its_back(
            home, "INSERT INTO fact VALUES (3, 1, 'job/x', 1, 'Withdrawn', 'x', NULL, 'y', '{}', 0)"
        )
        with pytest.raises(JournalError, match="changed by another program"):
            journal.append(story[2:4], requests={"a": {}}, links={("fox", 1, 0): LINK})
        with pytest.raises(JournalError, match=r"failed before: .*changed by another program"):
            journal.append([story[4]])
        assert "failed: the journal" in repr(journal)
        assert journal.links() == {}
        assert list(journal.replay()) == story[:2]


def test_a_fact_that_cannot_be_written_takes_its_commit_along(folder: Path):
    """A commit is whole or absent, also when the program makes the mistake."""
    started = SubmitStarted(**FOX)
    with open_sandbox(folder) as journal:
        with pytest.raises(TypeError):
            journal.append([started, Saved(**FOX, index=0, file={"path": object()})])
        with pytest.raises(JournalError, match="failed before"):
            journal.append([started])
    with open_sandbox(folder) as journal:
        assert list(journal.replay()) == []


def test_another_manifest_of_the_same_name_is_a_mistake(folder: Path):
    """Two manifests never share a batch, and the words name both."""
    open_sandbox(folder).close()
    with pytest.raises(Mistake, match="'detective', not 'thriller'"):
        Journal.open(folder, kind="sandbox", manifest="thriller")


def test_sandbox_and_service_do_not_mix(folder: Path):
    """What the sandbox pretended is never taken for something that was bought."""
    open_sandbox(folder).close()
    with pytest.raises(Mistake, match="begun with the sandbox, and cannot go on with the service"):
        Journal.open(folder, kind="service", manifest="detective")
    open_sandbox(folder).close()


def test_a_second_run_is_refused_and_changes_nothing(folder: Path, story: list[Fact]):
    """Whoever comes second is told who holds the batch, and the first goes on undisturbed."""
    with open_sandbox(folder) as journal:
        journal.append(story[:7])
        with pytest.raises(BatchHeld, match=f"process {os.getpid()} on"):
            open_sandbox(folder)
        journal.append(story[7:])
        assert list(journal.replay()) == story


def test_there_is_nothing_to_peek_at_before_the_first_run(folder: Path):
    """Looking at a batch that never ran finds nothing and makes nothing."""
    assert Journal.peek(folder) is None
    assert not folder.exists()


def test_a_look_sees_what_a_run_has_committed(folder: Path, story: list[Fact]):
    """``status`` reads beside a run, without its lock, and names it."""
    with open_sandbox(folder) as journal:
        journal.append(story[:5], requests={"a": {"prompt": "x"}}, links={("owl", 1, 0): LINK})
        with Journal.peek(folder) as look:
            seen = look.replay()
            first = next(seen)
            journal.append(story[5:])
            assert [first, *seen] == story[:5]
            assert list(look.replay()) == story
            assert look.request("a") == {"prompt": "x"}
            assert look.links() == {("owl", 1, 0): LINK}
            assert look.holder.startswith("process ")
    with Journal.peek(folder) as look:
        assert look.holder is None


def test_a_look_cannot_write(folder: Path, story: list[Fact]):
    """A journal that was opened to read refuses facts."""
    open_sandbox(folder).close()
    with Journal.peek(folder) as look, pytest.raises(JournalError, match="cannot be written"):
        look.append(story)


def test_closing_twice_is_harmless(folder: Path):
    """An explicit close inside ``with`` does no harm, and the batch is free."""
    with open_sandbox(folder) as journal:
        journal.close()
    open_sandbox(folder).close()


def test_versions_count_for_each_subject(folder: Path, home: Path):
    """The same subject's next fact has the next version, across runs."""
    for fact in (SubmitStarted(**FOX), Submitted(**FOX, task_id="t", request_id=None)):
        with open_sandbox(folder) as journal:
            journal.append([fact])
    connection = apsw.Connection(str(home / "journal.sqlite"))
    assert connection.execute("SELECT subject, version FROM fact").fetchall() == [
        ("job/fox", 1),
        ("job/fox", 2),
    ]
    connection.close()
