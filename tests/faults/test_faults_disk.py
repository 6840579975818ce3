"""What goes wrong with the disk that results are put on, as whoever comes back to it notices it."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

import pytest

from batchgen.artifacts import part as unfinished
from batchgen.errors import ExitCode, MachineError, Mistake
from batchgen.sandbox import Point
from tests.promises.oracle import keep_promises, words
from tests.promises.witnesses import Watch

pytestmark = pytest.mark.looptime

TWO = """
defaults: {model: wan2.2-t2v-plus, size: 832*480}
jobs:
  - {id: owl, prompt: An owl turns its head in the rain.}
  - {id: fox, prompt: A fox crosses a frozen river.}
"""
ALL = {"owl.mp4", "owl.json", "fox.mp4", "fox.json"}


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


async def completed(rehearsal, summary) -> None:
    """Everything is on the disk, was bought once, and left nothing behind."""
    assert summary.exit_code is ExitCode.DONE
    assert files(rehearsal.output) == ALL
    assert files(rehearsal.output / ".batchgen" / "parts") == set()
    assert rehearsal.bill.tasks_created == 2
    await keep_promises(rehearsal, summary)


def stopped_by_the_machine(rehearsal, summary, said: str) -> None:
    """Exit 6 in words; what is paid for is known, and no final name holds less than a result."""
    assert summary.exit_code is ExitCode.MACHINE
    assert said in words(summary)
    assert all(job.task_id for job in summary.jobs)
    for name in files(rehearsal.output) & {"owl.mp4", "fox.mp4"}:
        assert (rehearsal.output / name).stat().st_size > 100_000


# -- what the system answers -----------------------------------------------------------------------

ANSWERS = {
    errno.ENOSPC: "the disk is full (no space or no inodes left)",
    errno.EDQUOT: "your disk quota is used up",
    errno.EFBIG: "the file is larger than",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "the disk reports an input/output error",
}
STEPS = {
    "the bytes become durable": ("fsync", ".part"),
    "a part is begun": ("open", ".part"),
    "a note is begun": ("open", ".note.tmp"),
    "a note is put in place": ("rename", ".note.tmp"),
    "a receipt is put in place": ("rename", ".receipt.tmp"),
    "the result gets its name": ("link", ".part"),
    "the name becomes durable": ("fsync", "/film"),
    "the part goes": ("unlink", ".part"),
    "the sidecar is begun": ("open", ".json.tmp"),
    "the sidecar gets its name": ("link", ".json.tmp"),
    "the receipt goes": ("unlink", ".receipt"),
}


def failing(monkeypatch, function: str, ending: str, number: int) -> Callable[[], None]:
    """From now on the system refuses a step on all such names; returns the end of that."""
    real = getattr(os, function)

    def step(subject, *arguments, **options):
        where = Path(f"/proc/self/fd/{subject}").readlink() if isinstance(subject, int) else subject
        has_results = function != "fsync" or any(Path(where).parent.rglob("*.mp4*"))
        if str(where).endswith(ending) and has_results:
            raise OSError(number, os.strerror(number))
        return real(subject, *arguments, **options)

    monkeypatch.setattr(os, function, step)
    return lambda: monkeypatch.setattr(os, function, real)


@pytest.mark.fault(77, 80, 81, 82, 83, 95)
@pytest.mark.parametrize(
    ("step", "number"),
    [
        *(("the bytes become durable", number) for number in ANSWERS),
        *zip(list(STEPS)[1:], cycle(ANSWERS), strict=False),
    ],
)
async def test_a_disk_that_refuses_a_step_costs_nothing_but_time(
    rehearsal, monkeypatch, step, number
):
    """Exit 6 in words that name the file; when the disk is well again, the next run completes what
    was bought, and buys nothing.
    """
    if "note" in step:
        monkeypatch.setattr(unfinished, "HELD", 1)  # what is written in one go needs none
    well_again = failing(monkeypatch, *STEPS[step], number)
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.MACHINE
    assert ANSWERS[number] in words(summary)
    assert str(rehearsal.output) in str(summary.error)
    well_again()
    await completed(rehearsal, await rehearsal.run())


@pytest.mark.fault(83)
async def test_bytes_whose_fsync_failed_are_fetched_again(rehearsal, monkeypatch):
    """After EIO nobody knows what is on the disk: the part is gone, the store is asked again."""
    well_again = failing(monkeypatch, "fsync", ".part", errno.EIO)
    await rehearsal.run(TWO)
    assert not list((rehearsal.output / ".batchgen" / "parts").glob("*.mp4.*.part"))
    well_again()
    rehearsal.faults = Watch()
    summary = await rehearsal.run()
    assert len(rehearsal.faults.at_point(Point.RESULT)) == 2
    await completed(rehearsal, summary)


@pytest.mark.fault(94)
async def test_without_hard_links_all_is_as_with_them(rehearsal, monkeypatch):
    """A file system that has none (FAT, some shares) gets whole results under their names."""

    def refuse(*_arguments, **_options):
        raise PermissionError(errno.EPERM, "no hard links")

    monkeypatch.setattr(os, "link", refuse)
    await completed(rehearsal, await rehearsal.run(TWO))


# -- room ------------------------------------------------------------------------------------------


class Space:
    """What the file system is made to say: so many bytes free, of plenty of inodes."""

    f_blocks = f_files = f_favail = 10**9
    f_frsize = 1

    def __init__(self, free: int) -> None:
        self.f_bavail = free


@pytest.mark.fault(77)
async def test_nothing_is_bought_that_the_disk_may_not_hold(rehearsal, monkeypatch):
    """Exit 6 tells what is needed and what is free, before any request; with room all is done."""
    with monkeypatch.context() as small:
        small.setattr(os, "fstatvfs", lambda _fd: Space(65 << 20))
        summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.MACHINE
    assert "65.0 MiB are free" in words(summary)
    assert summary.disk_needed == pytest.approx(73e6, rel=0.01)
    assert rehearsal.bill.tasks_created == 0
    await completed(rehearsal, await rehearsal.run())


@pytest.mark.fault(77)
async def test_room_for_one_is_used_for_one_at_a_time(rehearsal, monkeypatch):
    """What is in flight has its room reserved: the second is bought when the first is saved."""
    monkeypatch.setattr(os, "fstatvfs", lambda _fd: Space((64 << 20) + 7_000_000))
    rehearsal.faults = Watch()
    summary = await rehearsal.run(TWO)
    first, second = rehearsal.faults.at_point(Point.SUBMIT)
    assert second >= rehearsal.faults.at_point(Point.RESULT)[0] > first
    await completed(rehearsal, summary)


@pytest.mark.fault(95)
async def test_nothing_is_bought_without_inodes(rehearsal, monkeypatch):
    """Bytes are free and no file can be made of them: that is a full disk as well."""
    full = Space(10**12)
    full.f_favail = 5
    monkeypatch.setattr(os, "fstatvfs", lambda _fd: full)
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.MACHINE
    assert rehearsal.bill.tasks_created == 0


# -- real file systems -----------------------------------------------------------------------------


@pytest.fixture
def mounted():
    """Mount file systems for one test."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    with ExitStack() as mounts:

        def mount(*arguments, at):
            at.mkdir(exist_ok=True)
            done = subprocess.run(["mount", *arguments, at], check=False, capture_output=True)
            if done.returncode:
                pytest.skip(f"this machine does not mount: {done.stderr.decode().strip()}")
            mounts.callback(subprocess.run, ["umount", "--lazy", at], check=True)
            return at

        yield mount


def remount(at: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", at], check=True)


async def until_results_are_asked_for(rehearsal, change: Callable[[], None]):
    """A run during which the disk changes when the first result is about to be fetched."""
    rehearsal.faults = Watch()
    running = asyncio.create_task(rehearsal.run(TWO))
    while not rehearsal.faults.at_point(Point.QUERY):  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(1)
    change()
    return await running


@pytest.mark.fault(77, 78)
async def test_a_disk_that_fills_up_is_waited_for_by_nobody(rehearsal, mounted):
    """While the tasks render, somebody fills the disk: exit 6, the tasks known; with room again
    everything is collected.
    """
    disk = mounted("-t", "tmpfs", "-o", "size=1g", "tmpfs", at=rehearsal.folder / "output")

    def fill() -> None:
        used = os.statvfs(disk)
        remount(disk, f"size={(used.f_blocks - used.f_bfree) * used.f_frsize + 140_000}")

    summary = await until_results_are_asked_for(rehearsal, fill)
    stopped_by_the_machine(rehearsal, summary, "the disk is full")
    remount(disk, "size=1g")
    await completed(rehearsal, await rehearsal.run())


@pytest.mark.fault(82)
async def test_a_read_only_tree_is_found_before_anything_is_bought(rehearsal, mounted):
    """The probe says so at the start; the service is never asked."""
    real = rehearsal.folder / "real"
    real.mkdir()
    disk = mounted("--bind", real, at=rehearsal.folder / "output")
    remount(disk, "ro,bind")
    with pytest.raises(MachineError, match="read-only"):
        await rehearsal.run(TWO)
    assert rehearsal.bill is None


# -- things in the way, and names ------------------------------------------------------------------


@pytest.mark.fault(85, 90)
@pytest.mark.parametrize(
    ("place", "thing"),
    [
        ("output/sandbox", "file"),
        ("output/sandbox/film", "file"),
        ("output/sandbox/film", "link"),
    ],
)
async def test_what_stands_where_the_folder_should_be_is_named(rehearsal, place, thing):
    """A file, or a link below the output folder, ends the run before anything is bought; it stays,
    and nothing is written where the link leads.
    """
    elsewhere = rehearsal.folder / "elsewhere"
    elsewhere.mkdir()
    path = rehearsal.folder / place
    path.parent.mkdir(parents=True)
    if thing == "file":
        path.write_text("mine")
    else:
        path.symlink_to(elsewhere)
    with pytest.raises(MachineError, match=path.name):
        await rehearsal.run(TWO)
    assert rehearsal.bill is None
    assert not list(elsewhere.iterdir())


@pytest.mark.fault(90)
async def test_a_folder_swapped_for_a_link_leads_no_byte_elsewhere(rehearsal):
    """In the middle of the run somebody puts a link in the place of the batch's folder: its target
    stays empty.
    """
    elsewhere = rehearsal.folder / "elsewhere"
    elsewhere.mkdir()
    aside = rehearsal.output.with_name("aside")

    def swap() -> None:
        rehearsal.output.rename(aside)
        rehearsal.output.symlink_to(elsewhere)

    await until_results_are_asked_for(rehearsal, swap)
    assert not list(elsewhere.iterdir())
    assert {"owl.mp4", "fox.mp4"} <= files(aside)


NAMES = {
    "a/b": "must not hold '/'",
    "../up": "must not",
    "/etc/passwd": "must not hold '/'",
    "..": "must not begin with '.'",
    "-rf": "must not begin with '-'",
    "end.": "must not end with a dot",
    "LPT1": "for a device",
    "夜" * 86: "longer than 191 bytes",
    "bell\\a": "invisible character U+0007",
    "nul\\0": "invisible character U+0000",
}


@pytest.mark.fault(87, 89)
@pytest.mark.parametrize("name", NAMES)
async def test_a_name_that_is_none_is_a_mistake_of_its_line(rehearsal, name):
    """Told with file, line and what would be right, before anything is bought or written."""
    text = f'{TWO}  - {{id: "{name}", prompt: A tram in the fog.}}\n'
    with pytest.raises(Mistake) as caught:
        await rehearsal.run(text)
    told = str(caught.value)
    assert "film.yaml:6:" in told
    assert NAMES[name] in told
    assert not rehearsal.output.exists()


@pytest.mark.fault(88)
@pytest.mark.parametrize(("one", "other"), [("Straße", "STRASSE"), ("caf\u00e9", "cafe\u0301")])
async def test_names_that_some_disk_takes_for_one_are_a_mistake(rehearsal, one, other):
    """Both lines are named, before anything is bought."""
    more = [f'  - {{id: "{name}", prompt: Tram {name}.}}\n' for name in (one, other)]
    with pytest.raises(Mistake) as caught:
        await rehearsal.run(TWO + "".join(more))
    told = str(caught.value)
    assert "film.yaml:7:" in told
    assert "6" in told.partition("film.yaml:7:")[2]
    assert not rehearsal.output.exists()
