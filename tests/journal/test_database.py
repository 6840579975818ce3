"""The file of a journal: private, born whole, and refused where it cannot be trusted."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import apsw
import pytest

from batchgen.core.facts import Fact
from batchgen.errors import JournalError
from batchgen.journal import Journal, database

LINK = "https://host/fox.mp4?Signature=s3cr3t"


def open_sandbox(folder: Path) -> Journal:
    return Journal.open(folder, kind="sandbox", manifest="detective")


def contents(journal: Journal) -> tuple[object, ...]:
    """Everything that a run would act on."""
    return journal.stamp, list(journal.replay()), journal.request("a"), journal.links()


@pytest.fixture
def written(folder: Path, story: list[Fact]) -> tuple[object, ...]:
    """What the journal holds that lies closed in the folder."""
    with open_sandbox(folder) as journal:
        journal.append(story, requests={"a": {"prompt": "fox"}}, links={("crab", 1, 0): LINK})
        return contents(journal)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 400 KB."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "batchgen", str(place)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def remount_read_only(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)


def test_only_the_owner_can_read_it(folder: Path, home: Path, story: list[Fact]):
    """Signed URLs lie in these files: whatever the umask, nobody else may read them."""
    before = os.umask(0)
    try:
        with open_sandbox(folder) as journal:
            journal.append(story)
            modes = {file.name: file.stat().st_mode & 0o777 for file in home.iterdir()}
    finally:
        os.umask(before)
    assert home.stat().st_mode & 0o777 == 0o700
    assert {modes.pop("README.txt")} == {0o666}
    files = {f"journal.sqlite{end}" for end in ("", "-wal", "-shm")}
    assert set(modes) == {*files, "journal.extent", "lock"}
    assert set(modes.values()) == {0o600}


def test_the_folder_explains_itself(folder: Path, home: Path):
    """The README names each file in the folder and each view, and is mended when it was lost."""
    open_sandbox(folder).close()
    text = (home / "README.txt").read_text()
    assert all(file.name in text for file in home.iterdir())
    (home / "README.txt").unlink()
    open_sandbox(folder).close()
    assert (home / "README.txt").read_text() == text


@pytest.mark.parametrize("made", ["nothing", "an empty file", "no tables", "half a birth"])
def test_a_file_that_was_never_used_is_replaced(folder: Path, home: Path, made: str):
    """What a crash or a curious person left where no journal was yet stops nobody."""
    home.mkdir(parents=True)
    path = home / "journal.sqlite"
    if made == "an empty file":
        path.touch()
    elif made == "no tables":
        connection = apsw.Connection(str(path))
        connection.pragma("user_version", 7)
        connection.close()
    elif made == "half a birth":
        (home / "journal.sqlite.new").write_bytes(b"SQLite format 3\0 and then nothing")
        (home / "journal.sqlite.new-journal").write_bytes(b"half")
    assert Journal.peek(folder) is None
    open_sandbox(folder).close()
    assert {file.name for file in home.iterdir()} == {"README.txt", "journal.sqlite", "lock"}


def test_an_emptied_file_with_facts_beside_it_is_damage(folder: Path, home: Path):
    """Facts in the -wal file are not thrown away because the main file was emptied."""
    home.mkdir(parents=True)
    (home / "journal.sqlite").touch()
    (home / "journal.sqlite-wal").write_bytes(b"facts")
    with pytest.raises(JournalError, match="facts in the -wal file"):
        open_sandbox(folder)
    assert (home / "journal.sqlite-wal").read_bytes() == b"facts"


@pytest.mark.fault(98, 140)
def test_a_newer_format_is_refused_untouched(folder: Path, home: Path, written: object):
    """Both versions are named, and not a byte changes."""
    path = home / "journal.sqlite"
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 3)
    connection.close()
    before = path.read_bytes()
    for look in (open_sandbox, Journal.peek):
        with pytest.raises(JournalError, match=r"has format 3 .* reads up to format 2"):
            look(folder)
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused(folder: Path, home: Path):
    """A file that happens to lie there is neither used nor changed."""
    home.mkdir(parents=True)
    path = home / "journal.sqlite"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE song (title)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="not a journal of batchgen"):
        open_sandbox(folder)
    assert path.read_bytes() == before


def test_a_refused_journal_leaves_the_batch_free(folder: Path, home: Path):
    """After a refusal the lock is given back, so that a mended journal opens at once."""
    home.mkdir(parents=True)
    path = home / "journal.sqlite"
    path.write_bytes(b"no database at all, but long enough to look at " * 99)
    with pytest.raises(JournalError, match="damaged") as refusal:
        open_sandbox(folder)
    assert "backup" in refusal.value.hint
    path.unlink()
    open_sandbox(folder).close()


def test_a_broken_structure_is_found_before_any_row_is_read(
    folder: Path, home: Path, written: object
):
    """Damage that no fact shows yet (here, a count of free bytes) stops the run at once."""
    path = home / "journal.sqlite"
    damaged = bytearray(path.read_bytes())
    damaged[4096 + 7] = 77  # the second page is the first of the log
    path.write_bytes(damaged)
    with pytest.raises(JournalError, match=r"damaged: .*(Fragmentation|free space)"):
        open_sandbox(folder)


def test_damaged_rows_are_named(folder: Path, home: Path, written: object):
    """The words say which facts are damaged, so that a person can look at them."""
    path = home / "journal.sqlite"
    path.write_bytes(path.read_bytes().replace(b"t-fox", b"t-fix").replace(b"t-crab", b"t-crib"))
    with open_sandbox(folder) as journal:
        with pytest.raises(JournalError, match="do not match their checksums: 7, 17"):
            list(journal.replay())
        with pytest.raises(JournalError, match="7, 17"):
            journal.append([])


def test_a_log_that_lost_its_end_is_damage(folder: Path, home: Path, written: object):
    """A shorter log is not taken for the whole one."""
    connection = apsw.Connection(str(home / "journal.sqlite"))
    connection.execute("DROP TRIGGER fact_is_never_deleted; DELETE FROM fact WHERE seq > 18")
    connection.close()
    with (
        open_sandbox(folder) as journal,
        pytest.raises(JournalError, match="should have 20 facts, but ends after 18"),
    ):
        list(journal.replay())


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE request SET document = '{}'", "the request a does not match"),
        ("UPDATE link SET url = 'https://other'", "a link of job crab does not match"),
        ("UPDATE stamp SET value = 'thriller' WHERE key = 'manifest'", "stamp does not match"),
        ("DELETE FROM stamp WHERE key = 'kind'", "stamp does not match"),
        ("DELETE FROM head", "how long the log is"),
    ],
)
def test_a_change_beside_the_log_shows(
    folder: Path, home: Path, written: object, sql: str, words: str
):
    """Requests, links, the stamp and the end of the log are as guarded as facts."""
    connection = apsw.Connection(str(home / "journal.sqlite"))
    connection.execute(sql)
    connection.close()
    with pytest.raises(JournalError, match=words), Journal.peek(folder) as journal:
        contents(journal)


@pytest.mark.fault(96)
def test_no_flipped_byte_goes_unseen(folder: Path, home: Path, story: list[Fact]):
    """Whatever byte of the file is damaged: the same facts, or a refusal; never other facts.

    Every byte that the facts made different is tried, and a sample of all others.
    """
    path = home / "journal.sqlite"
    open_sandbox(folder).close()
    empty = path.read_bytes()
    with open_sandbox(folder) as journal:
        journal.append(story[9:12], requests={"a": {"prompt": "fox"}}, links={("owl", 1, 0): LINK})
        written = contents(journal)
    whole = path.read_bytes()
    chance = random.Random(7)  # a fixed sample, the same on every run
    refused = 0
    for place, (byte, before) in enumerate(zip_longest(whole, empty)):
        if byte == before and chance.random() > 0.01:
            continue
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            with Journal.peek(folder) as journal:
                assert contents(journal) == written, f"byte {place}"
        except JournalError:
            refused += 1
    assert refused > 600


def test_damage_to_the_wal_never_makes_another_fact(
    folder: Path, home: Path, story: list[Fact], tmp_path: Path
):
    """A damaged -wal file shortens the log to a whole commit, as a torn write does."""
    with open_sandbox(folder) as journal:
        for fact in story:
            journal.append([fact])
        shutil.copytree(home, tmp_path / "copy" / ".batchgen")
    wal = tmp_path / "copy" / ".batchgen" / "journal.sqlite-wal"
    whole = wal.read_bytes()
    chance = random.Random(7)
    for place in chance.sample(range(len(whole)), 60):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chance.randrange(8)
        wal.write_bytes(damaged)
        (wal.parent / "journal.sqlite-shm").unlink(missing_ok=True)
        try:
            with Journal.peek(tmp_path / "copy") as look:
                facts = list(look.replay())
            assert facts == story[: len(facts)]
        except JournalError:
            pass


@pytest.mark.fault(104)
def test_a_file_that_another_program_locks_is_reported(
    folder: Path, home: Path, story: list[Fact], monkeypatch: pytest.MonkeyPatch
):
    """A database browser in the midst of a change stops the run with words, and loses nothing."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.0)
    with open_sandbox(folder) as journal:
        journal.append(story[:3])
        browser = apsw.Connection(str(home / "journal.sqlite"))
        browser.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match=r"journal\.sqlite was kept locked") as refusal:
            journal.append(story[3:])
        browser.execute("ROLLBACK")
        browser.close()
        assert "database browser" in refusal.value.hint
    with open_sandbox(folder) as journal:
        assert list(journal.replay()) == story[:3]


@pytest.mark.fault(78)
def test_a_full_disk_stops_the_journal_and_harms_nothing(small_disk: Path, story: list[Fact]):
    """The commit that no longer fits is refused whole; all before it are there afterwards."""
    folder = small_disk / "detective"
    kept = 0
    with open_sandbox(folder) as journal:
        journal.append(story)

        def fill() -> None:
            nonlocal kept
            while True:
                journal.append([], requests={str(kept): {"prompt": "a fox " * 500}})
                kept += 1

        with pytest.raises(JournalError, match="the disk is full") as refusal:
            fill()
        assert "free some space" in refusal.value.hint
    with Journal.peek(folder) as look:
        assert list(look.replay()) == story
        assert look.request(str(kept - 1))
        with pytest.raises(JournalError, match=f"the request {kept} is missing"):
            look.request(str(kept))


def test_a_disk_too_full_for_a_new_journal_is_reported(small_disk: Path):
    """No half journal is left where there was no room for one."""
    (small_disk / "ballast").write_bytes(bytes(390_000))
    folder = small_disk / "detective"
    with pytest.raises(JournalError, match=r"full|No space left"):
        open_sandbox(folder)
    (small_disk / "ballast").unlink()
    assert Journal.peek(folder) is None
    open_sandbox(folder).close()


def test_a_journal_on_a_read_only_file_system_can_be_read(small_disk: Path, story: list[Fact]):
    """``status`` works from a backup medium; a run is refused."""
    folder = small_disk / "detective"
    with open_sandbox(folder) as journal:
        journal.append(story)
    remount_read_only(small_disk)
    with Journal.peek(folder) as look:
        assert list(look.replay()) == story
        assert look.holder is None
    with pytest.raises(JournalError, match="Read-only file system"):
        open_sandbox(folder)


def test_a_killed_run_can_be_read_on_a_read_only_file_system(
    small_disk: Path, folder: Path, home: Path, story: list[Fact]
):
    """What a run had committed when it died is seen, though nothing can be tidied up."""
    with open_sandbox(folder) as journal:
        journal.append(story)
        shutil.copytree(home, small_disk / "detective" / ".batchgen")
    remount_read_only(small_disk)
    with Journal.peek(small_disk / "detective") as look:
        assert list(look.replay()) == story


def test_a_wal_file_is_short_again_after_a_long_commit(
    folder: Path, home: Path, story: list[Fact], monkeypatch: pytest.MonkeyPatch
):
    """What the first commit of a large batch leaves is not read over and over after a kill."""
    monkeypatch.setattr(database, "_LONGEST_WAL", 100_000)
    wal, long = home / "journal.sqlite-wal", {"prompt": "x" * 1_000_000}
    with open_sandbox(folder) as journal:
        journal.append(story[:1], requests={str(n): long for n in range(6)})
        assert wal.stat().st_size > 6_000_000
        journal.append(story[1:2])
        assert wal.stat().st_size <= 100_000


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path):
    """A file where the batch's folder should be is said in words."""
    (tmp_path / "output").write_text("a file")
    with pytest.raises(JournalError, match=r"cannot be used: (File exists|Not a directory)"):
        open_sandbox(tmp_path / "output" / "detective")
