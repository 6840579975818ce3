"""The journal under fire: what is lost of it is said, and nothing is bought twice for that."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from batchgen.api import Run, Settings
from batchgen.api.rebuilding import rebuild
from batchgen.core.facts import Connected
from batchgen.core.lifecycle import State
from batchgen.errors import ExitCode, JournalError, Mistake
from batchgen.journal import Journal, database
from batchgen.journal.chain import seal
from batchgen.manifest import load
from tests.promises.oracle import keep_promises

THREE = """\
limits: {settle: 30}
jobs:
  - {id: fox, model: wan2.2-t2v-plus, size: 832*480, prompt: A fox reads a case file, duration: 5}
  - {id: owl, model: wan2.2-t2v-plus, size: 832*480, prompt: An owl at the window, duration: 5}
  - {id: moon, model: wan2.2-t2i-flash, size: 1024*1024, prompt: A kitten and the moon, n: 2}
"""
FILES = {"fox.mp4", "owl.mp4", "moon-1.png", "moon-2.png"}


def home(rehearsal) -> Path:
    return rehearsal.output / ".batchgen"


def journal(rehearsal) -> Path:
    return home(rehearsal) / "journal.sqlite"


def results(rehearsal) -> set[str]:
    return {path.name for path in rehearsal.output.glob("[!.]*") if path.suffix != ".json"}


def lose_journal(rehearsal) -> None:
    for path in home(rehearsal).glob("journal.*"):
        path.unlink()


def flip(path: Path, needle: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(needle)] ^= 1
    path.write_bytes(content)


async def stopped_with(rehearsal, state: State) -> None:
    """Run until all three jobs are rendering, or one is done, then leave in good order."""
    run = None

    def watch(progress) -> None:
        if progress.done if state is State.DONE else progress.at_service == 3:
            run.stop()

    run = rehearsal.start(THREE, on_progress=watch)
    await run.run()


async def rebuilt(rehearsal, clock: float = 0.0):
    manifest = load(rehearsal.folder / "film.yaml")
    now = rehearsal.start()._wall() + clock
    return await rebuild(manifest, Settings(sandbox=True), now=now)


def concluded(rebuilt) -> dict[str, str]:
    return {one.job: str(one.state) for one in rebuilt.jobs}


# -- the journal is lost ---------------------------------------------------------------------------


@pytest.mark.fault(101)
@pytest.mark.looptime
async def test_a_lost_journal_buys_nothing_again(rehearsal):
    """What has a sidecar is done: no task, no download, the same money, and it is said."""
    before = await rehearsal.run(THREE)
    assert before.exit_code is ExitCode.DONE
    stamps = {path.name: path.stat().st_mtime_ns for path in rehearsal.output.glob("[!.]*")}
    lose_journal(rehearsal)
    cautions = []
    after = await rehearsal.run(on_caution=cautions.append)
    assert after.exit_code is ExitCode.DONE
    assert (after.submitted, after.saved, after.spent) == (0, 0, before.spent)
    assert rehearsal.bill.tasks_created == 3
    assert stamps == {path.name: path.stat().st_mtime_ns for path in rehearsal.output.glob("[!.]*")}
    assert "journal of this batch is missing" in cautions[0]
    assert "3 done" in cautions[0]


@pytest.mark.fault(101)
@pytest.mark.looptime
async def test_a_lost_journal_forgets_no_task_under_way(rehearsal):
    """Besides the sidecars, what was sent and not fetched is found on the service's list."""
    await stopped_with(rehearsal, State.DONE)
    assert results(rehearsal) < FILES
    lose_journal(rehearsal)
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert results(rehearsal) == FILES
    assert rehearsal.bill.tasks_created == 3


@pytest.mark.fault(101)
@pytest.mark.looptime
async def test_collecting_without_a_journal_is_not_nothing(rehearsal):
    """Who only collects is told that the journal is missing; rebuilt, it fetches what was sent."""
    await stopped_with(rehearsal, State.DONE)
    lose_journal(rehearsal)
    rehearsal.settings = {"collect": True}
    with pytest.raises(JournalError, match=r"journal of the batch in .* is missing") as refusal:
        await rehearsal.run()
    assert "batchgen rebuild" in refusal.value.hint
    assert sorted(concluded(await rebuilt(rehearsal)).values()) == ["done", "in doubt", "in doubt"]
    await rehearsal.run()
    assert results(rehearsal) == FILES
    assert rehearsal.bill.tasks_created == 3


@pytest.mark.fault(101)
@pytest.mark.looptime
async def test_the_same_result_of_another_request_is_a_change(rehearsal):
    """A sidecar of another prompt is no result of the edited job: it is reported, not replaced."""
    await rehearsal.run(THREE)
    lose_journal(rehearsal)
    summary = await rehearsal.run(THREE.replace("An owl", "Two owls"))
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert summary.changed == ("owl",)
    assert summary.submitted == 0


@pytest.mark.fault(101)
@pytest.mark.looptime
async def test_a_sidecar_that_is_none_is_no_witness(rehearsal):
    """Nothing is bought for a spoilt sidecar: its task is found, and it is written again."""
    await rehearsal.run(THREE)
    lose_journal(rehearsal)
    path = rehearsal.output / "owl.json"
    path.write_text(json.dumps({**rehearsal.sidecar("owl"), "files": "none"}))
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 3
    assert rehearsal.sidecar("owl")["files"][0]["path"] == "owl.mp4"


@pytest.mark.fault(101)
@pytest.mark.looptime
async def test_what_a_sidecar_told_can_be_told_again(rehearsal):
    """A journal made of sidecars knows all that they say: one that is lost is written again."""
    await rehearsal.run(THREE)
    lose_journal(rehearsal)
    await rehearsal.run()
    for job in ("moon", "fox"):
        before = rehearsal.sidecar(job)
        (rehearsal.output / f"{job}.json").unlink()
        summary = await rehearsal.run()
        assert (summary.exit_code, summary.submitted) == (ExitCode.DONE, 0)
        assert rehearsal.sidecar(job) == before


# -- the journal is damaged ------------------------------------------------------------------------


@pytest.mark.fault(96)
@pytest.mark.looptime
async def test_a_damaged_journal_stops_before_the_first_request(rehearsal):
    """Exit 6, the row, the job and the next step; the file is as it was, and nothing is bought."""
    await stopped_with(rehearsal, State.RENDERING)
    created = rehearsal.bill.tasks_created
    flip(journal(rehearsal), b'"task_id":"')
    content = journal(rehearsal).read_bytes()
    with pytest.raises(JournalError, match=r"lost are the rows \d+ \(of jobs \w+\)") as refusal:
        await rehearsal.run()
    assert refusal.value.exit_code is ExitCode.MACHINE
    assert "batchgen rebuild MANIFEST" in refusal.value.hint
    assert journal(rehearsal).read_bytes() == content
    assert rehearsal.bill.tasks_created == created


@pytest.mark.fault(96)
@pytest.mark.looptime
async def test_a_rebuilt_journal_pays_for_nothing_twice(rehearsal):
    """The job whose task id is lost is in doubt, its task is found, and all ends on disk."""
    await stopped_with(rehearsal, State.RENDERING)
    flip(journal(rehearsal), b'"task_id":"')
    content = journal(rehearsal).read_bytes()
    made = await rebuilt(rehearsal)
    assert sorted(concluded(made).values()) == ["in doubt", "rendering", "rendering"]
    assert (made.aside / "journal.sqlite").read_bytes() == content
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert results(rehearsal) == FILES
    assert rehearsal.bill.tasks_created == 3
    assert summary.spent.micro == rehearsal.bill.amount


@pytest.mark.fault(96)
@pytest.mark.looptime
async def test_a_journal_that_is_whole_is_left_alone(rehearsal):
    """Whoever rebuilds without need changes nothing."""
    await rehearsal.run(THREE)
    content = journal(rehearsal).read_bytes()
    made = await rebuilt(rehearsal)
    assert made.damage is None
    with Journal.peek(rehearsal.output) as look:
        assert not look.is_empty
    assert not list(home(rehearsal).glob("damaged-*"))
    assert len(journal(rehearsal).read_bytes()) == len(content)


@pytest.mark.fault(96)
@pytest.mark.looptime
@pytest.mark.parametrize("state", [State.RENDERING, State.DONE])
@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_damaged_no_task_is_made_twice(rehearsal, seed, state):
    """Any bytes of the journal may be lost at any moment: rebuilt, the batch ends with every result
    on disk and each job paid once."""
    await stopped_with(rehearsal, state)
    chance, path = random.Random(seed), journal(rehearsal)
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 2, 8])):
        place, count = chance.randrange(len(content)), chance.choice([1, 64, 4096])
        content[place : place + count] = bytes(len(content[place : place + count]))
    path.write_bytes(content[: chance.choice([len(content), len(content) // 2])])
    await rebuilt(rehearsal)
    summary = await rehearsal.run()
    held = [job for job in summary.jobs if job.state == State.IN_DOUBT]
    assert rehearsal.bill.tasks_created <= 3
    assert summary.exit_code is (ExitCode.NEEDS_A_PERSON if held else ExitCode.DONE)
    if not held:
        assert results(rehearsal) == FILES


# -- versions, places and other programs -----------------------------------------------------------


@pytest.mark.fault(98, 140)
@pytest.mark.looptime
async def test_a_journal_of_a_newer_batchgen_is_refused_untouched(rehearsal):
    """Downgraded, batchgen names both versions, exit 6, and does not call it damage."""
    await rehearsal.run(THREE)
    connection = apsw.Connection(str(journal(rehearsal)))
    connection.pragma("user_version", database.FORMAT + 1)
    connection.close()
    content = journal(rehearsal).read_bytes()
    for refused in (rehearsal.run, lambda: rebuilt(rehearsal)):
        with pytest.raises(JournalError, match=r"made by batchgen .*this is batchgen") as refusal:
            await refused()
        assert refusal.value.exit_code is ExitCode.MACHINE
        assert "damaged" not in refusal.value.message
    assert journal(rehearsal).read_bytes() == content


FORMAT_2 = {"likeness", "bytes", "service_time", "asked", "blind"}
"""What facts tell since format 2."""


def age(path: Path) -> None:
    """Make the journal one of format 1: its facts tell less, and it has neither id nor witness."""
    path.with_suffix(".extent").unlink()
    connection = apsw.Connection(str(path))
    guards = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'fact'"
    guards = connection.execute(guards).fetchall()
    for name, _ in guards:
        connection.execute(f"DROP TRIGGER {name}")
    checksum = 0
    for *columns, body, _ in connection.execute("SELECT * FROM fact ORDER BY seq").fetchall():
        told = {name: value for name, value in json.loads(body).items() if name not in FORMAT_2}
        columns.append(json.dumps(told, separators=(",", ":"), ensure_ascii=False))
        checksum = seal(*columns, after=checksum)
        connection.execute(
            "UPDATE fact SET body = ?, checksum = ? WHERE seq = ?",
            (columns[-1], checksum, columns[0]),
        )
    for _, guard in guards:
        connection.execute(guard)
    connection.execute("UPDATE head SET checksum = ?", (checksum,))
    connection.execute("DELETE FROM stamp WHERE key = 'id'")
    connection.pragma("user_version", 1)
    connection.close()


@pytest.mark.fault(99, 140)
@pytest.mark.looptime
@pytest.mark.parametrize("state", [State.RENDERING, State.DONE])
async def test_a_batch_of_an_older_batchgen_goes_on(rehearsal, state):
    """Upgraded in the midst of it, batchgen finishes it, buys nothing anew, and keeps a copy."""
    await stopped_with(rehearsal, state)
    age(journal(rehearsal))
    cautions = []
    summary = await rehearsal.run(on_caution=cautions.append)
    assert summary.exit_code is ExitCode.DONE
    assert results(rehearsal) == FILES
    assert rehearsal.bill.tasks_created == 3
    assert not cautions
    assert (home(rehearsal) / "journal.format-1.sqlite").exists()
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(16)
@pytest.mark.parametrize("call", ["ftruncate", "fdatasync"])
def test_a_death_while_the_journal_is_closed_costs_nothing(tmp_path, strace, call):
    """Killed as the log is folded in at the end: run again, nothing is missing or sent."""
    path = tmp_path / "film.yaml"
    path.write_text(THREE)
    folder = tmp_path / "output" / "sandbox" / "film"
    program = [sys.executable, "-m", "batchgen", "run", path, "--sandbox", "--speed", "600"]
    watched = ["strace", "-f", "-qq", "-o", "/dev/null"]
    watched += ["-P", folder / ".batchgen" / "journal.sqlite"]
    watched += ["-e", f"inject={call}:signal=KILL:when=1"]
    options = {"cwd": tmp_path, "capture_output": True, "timeout": 100}
    killed = subprocess.run([*watched, *program], check=False, **options)
    assert killed.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}, killed.stderr
    again = subprocess.run([*program, "--json"], check=False, **options)
    assert again.returncode == ExitCode.DONE, again.stderr
    assert json.loads(again.stdout)["submitted"] == 0
    assert {one.name for one in folder.glob("[!.]*") if one.suffix != ".json"} == FILES


@pytest.mark.fault(103)
@pytest.mark.looptime
async def test_a_moved_batch_goes_on_where_it_lies(rehearsal):
    """Moved with its manifest, in the midst of it, the batch is finished and bought once."""
    await stopped_with(rehearsal, State.DONE)
    place = rehearsal.folder / "elsewhere" / "deep"
    place.parent.mkdir()
    (rehearsal.folder / "output").rename(rehearsal.folder / "moving")
    place.mkdir()
    (rehearsal.folder / "moving").rename(place / "output")
    (rehearsal.folder / "film.yaml").rename(place / "film.yaml")
    (rehearsal.folder / "service").rename(place / "service")
    rehearsal.folder = place
    cautions = []
    summary = await rehearsal.run(on_caution=cautions.append)
    assert summary.exit_code is ExitCode.DONE
    assert results(rehearsal) == FILES
    assert rehearsal.bill.tasks_created == 3
    assert not cautions


@pytest.mark.fault(103)
@pytest.mark.looptime
async def test_a_copy_says_that_it_is_one(rehearsal, tmp_path):
    """Two places cannot know of each other: whoever goes on in a copy is told so, once."""
    await rehearsal.run(THREE)
    shutil.copytree(rehearsal.folder / "output", tmp_path / "copy")
    (rehearsal.folder / "output").rename(tmp_path / "original")
    (tmp_path / "copy").rename(rehearsal.folder / "output")
    cautions = []
    summary = await rehearsal.run(on_caution=cautions.append)
    assert summary.submitted == 0
    assert "was copied since its last run" in cautions.pop()
    await rehearsal.run(on_caution=cautions.append)
    assert not cautions


@pytest.mark.fault(104)
@pytest.mark.looptime
async def test_a_lock_of_another_program_is_waited_for_not_for_ever(rehearsal, monkeypatch):
    """Exit 6 with the file's name; no job has failed, and the next run goes on."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    await stopped_with(rehearsal, State.RENDERING)
    browser = apsw.Connection(str(journal(rehearsal)))
    browser.execute("BEGIN EXCLUSIVE")
    locked = await rehearsal.run()
    assert locked.exit_code is ExitCode.MACHINE
    assert "journal.sqlite was kept locked by another program" in locked.error.message
    assert not locked.failed
    browser.execute("ROLLBACK")
    browser.close()
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 3


@pytest.mark.fault(105)
def test_of_two_runs_at_the_same_moment_one_runs(tmp_path, start):
    """The other exits 4 at once and names it; the sandbox's own ledger has each job once."""
    path = tmp_path / "film.yaml"
    path.write_text(THREE)
    arguments = ("run", path, "--sandbox", "--speed", "600", "--json")
    runs = [start(*arguments), start(*arguments)]
    ends = {run.wait(timeout=100): run.communicate() for run in runs}
    assert set(ends) == {ExitCode.DONE, ExitCode.HELD}
    assert "another run holds this batch" in ends[ExitCode.HELD][1]
    assert json.loads(ends[ExitCode.DONE][0])["submitted"] == 3


@pytest.mark.fault(106)
@pytest.mark.looptime
async def test_two_manifests_in_one_output_folder(rehearsal):
    """Of two names both run side by side; the second of one name is refused, with the first's."""
    rehearsal.settings = {"output": rehearsal.folder / "output"}
    one = "jobs: [{id: moon, model: wan2.2-t2i-flash, size: 1024*1024, prompt: The moon}]\n"
    first = rehearsal.start(one)
    assert (await first.run()).exit_code is ExitCode.DONE
    second = rehearsal.start(f"name: another\n{one}")
    assert (await second.run()).exit_code is ExitCode.DONE
    assert second.folder.parent == first.folder.parent
    twin = rehearsal.folder / "twin" / "film.yaml"
    twin.parent.mkdir()
    twin.write_text(one.replace("The moon", "The sun"))
    run = Run(load(twin), Settings(sandbox=True, **rehearsal.settings), connect=first._connect)
    with pytest.raises(Mistake, match=r"another manifest of the same name: .*film\.yaml"):
        await run.run()
    assert rehearsal.bill.tasks_created == 2


# -- stand-in and service --------------------------------------------------------------------------


@pytest.mark.fault(142)
@pytest.mark.looptime
@pytest.mark.parametrize("finished", [True, False])
async def test_a_rehearsal_by_address_is_not_the_real_batch(rehearsal, monkeypatch, finished):
    """What was begun at a stand-in's address does not go on at the service, nor counts as done."""
    rehearsal.manifest(THREE)
    run = rehearsal.start()
    run._settings = Settings()  # as with DASHSCOPE_HTTP_BASE_URL, and without --sandbox
    run.folder = rehearsal.folder / "output" / "film"
    if not finished:
        run._on_progress = lambda progress: progress.at_service and run.stop()
    await run.run()
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-canary-0123456789abcdef")
    for name in ("DASHSCOPE_HTTP_BASE_URL", "DASHSCOPE_API_REGION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Mistake, match="begun at a private address") as refusal:
        await Run(load(rehearsal.folder / "film.yaml")).run()
    assert refusal.value.exit_code is ExitCode.MISTAKE
    text = json.dumps([str(refusal.value), refusal.value.hint])
    assert "127.0.0.1" not in text
    with Journal.peek(run.folder) as look:
        connected = [fact for fact in look.replay() if isinstance(fact, Connected)]
    assert [fact.private for fact in connected] == [True]
    assert "127.0.0.1" not in repr(connected)


# -- the disk --------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, in memory."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=160m", "batchgen", str(place)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.fault(107)
@pytest.mark.looptime
async def test_a_journal_in_memory_is_warned_of(rehearsal, small_disk):
    """Before anything is sent, and only there."""
    rehearsal.settings = {"output": small_disk}
    cautions = []
    run = rehearsal.start(THREE, on_caution=cautions.append)
    run._on_progress = lambda progress: run.stop()
    await run.run()
    assert len(cautions) == 1
    assert "lies in memory (tmpfs)" in cautions[0]


@pytest.mark.fault(78)
@pytest.mark.looptime
async def test_a_disk_that_is_full_for_the_journal_stops_the_run(rehearsal, small_disk):
    """No POST without a durable intent, exit 6, readable afterwards; with space it goes on."""
    rehearsal.settings = {"output": small_disk}
    ballast = small_disk / "ballast"

    def fill(progress) -> None:
        if progress.at_service == 3 and not ballast.exists():
            with ballast.open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(1 << 12)):
                    pass

    stopped = await rehearsal.run(THREE, on_progress=fill)
    assert stopped.exit_code is ExitCode.MACHINE
    assert "free some space" in stopped.error.hint
    with Journal.peek(small_disk / "sandbox" / "film") as look:
        assert list(look.replay())
    ballast.unlink()
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 3


@pytest.mark.fault(84)
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
@pytest.mark.parametrize("step", [1, 4, 7])
def test_an_error_of_the_journals_disk_stops_the_run(tmp_path, strace, call, step):
    """EIO ends it with exit 6 and no further request; once the disk is well, each job is bought
    once."""
    path = tmp_path / "film.yaml"
    path.write_text(THREE)
    folder = tmp_path / "output" / "sandbox" / "film"
    program = [sys.executable, "-m", "batchgen", "run", str(path), "--sandbox", "--speed", "600"]
    command = ["strace", "-f", "-qq", "-o", "/dev/null"]
    for name in ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite.new"):
        command += ["-P", str(folder / ".batchgen" / name)]
    command += ["-e", f"inject={call}:error=EIO:when={step}+", *program]
    broken = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert broken.returncode == ExitCode.MACHINE, broken.stderr
    assert "the disk is failing" in broken.stderr
    assert "Traceback" not in broken.stderr
    well = subprocess.run(
        [*program, "--json"], check=False, capture_output=True, text=True, timeout=100
    )
    assert well.returncode == ExitCode.DONE, well.stderr
    assert json.loads(well.stdout)["counts"] == {"done": 3}
    assert "3 tasks" in well.stderr
