"""What goes wrong between a finished task and its file, as whoever waits for it notices it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from pathlib import Path

import pytest
from fastcrc import crc64

from batchgen.api import Run, Settings
from batchgen.artifacts import part as unfinished
from batchgen.core.facts import FetchDeferred
from batchgen.dashscope.downloads import Downloader
from batchgen.errors import ExitCode
from batchgen.journal import Journal
from batchgen.manifest import load
from batchgen.sandbox import (
    Answer,
    Content,
    Corrupt,
    CutShort,
    Drip,
    Ending,
    Endless,
    Gzip,
    Page,
    Point,
    Redirect,
    Reset,
    Rule,
    Stall,
    WrongLength,
)
from tests.promises.oracle import keep_promises, words
from tests.promises.witnesses import Watch
from tests.runner.cloud import MADE, Cloud

pytestmark = pytest.mark.looptime

TWO = """
defaults: {model: wan2.2-t2v-plus, size: 832*480}
jobs:
  - {id: owl, prompt: An owl turns its head in the rain.}
  - {id: fox, prompt: A fox crosses a frozen river.}
"""
ONE = TWO.partition("  - {id: fox")[0]
ALL = {"owl.mp4", "owl.json", "fox.mp4", "fox.json"}
HOUR = 3600.0
START = 1_790_000_000.0


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def parts_of(rehearsal) -> Path:
    return rehearsal.output / ".batchgen" / "parts"


def parts(rehearsal) -> set[str]:
    return files(parts_of(rehearsal))


async def whole(rehearsal, summary) -> None:
    """Everything is there, was bought once, and left nothing behind."""
    assert summary.exit_code is ExitCode.DONE
    assert files(rehearsal.output) == ALL
    assert rehearsal.bill.tasks_created == 2
    assert parts(rehearsal) == set()
    await keep_promises(rehearsal, summary)


# -- bodies that are not the result ----------------------------------------------------------------

TROUBLES = {
    "stall at the start": Stall(),
    "stall in the body": Stall(30_000),
    "drip": Drip(10),
    "cut by length": CutShort(20_000),
    "cut without a length": CutShort(20_000, Ending.CLOSE),
    "cut before the last chunk": CutShort(20_000, Ending.CHUNK),
    "half a body that says it is whole": CutShort(20_000, Ending.WHOLE),
    "too short a length": WrongLength(-100),
    "too long a length": WrongLength(100),
    "no bytes": CutShort(0, Ending.WHOLE),
    "reset": Reset(),
    "html": Page(Content.HTML),
    "xml": Page(Content.XML),
    "garbage": Page(Content.GARBAGE),
    "an empty page": Page(Content.EMPTY),
    "flipped bytes": Corrupt(),
    "500": Answer(500, "InternalError", "oops"),
    "403": Answer(403, "AccessDenied", "Request has expired."),
    "404": Answer(404, "NoSuchKey", "The specified key does not exist."),
    "410": Answer(410, "Gone", "gone"),
    "416": Answer(416, "InvalidRange", "The requested range cannot be satisfied."),
}


@pytest.mark.fault(58, 59, 60, 61, 63, 65, 66, 67, 72, 73)
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_what_is_no_result_is_fetched_again(rehearsal, trouble):
    """Whatever comes instead of the bytes, three times: in the end they are all there, bought once,
    and nothing else ever stood under their names.
    """
    rehearsal.faults = Watch(Rule(Point.RESULT, TROUBLES[trouble], calls=range(1, 4)))
    await whole(rehearsal, await rehearsal.run(TWO))


@pytest.mark.fault(58, 59)
async def test_a_stuck_download_does_not_hold_up_the_others(rehearsal):
    """One result drips for ever; the other is on the disk long before the watchdog ends it."""
    rehearsal.faults = Watch(Rule(Point.RESULT, Drip(1), calls={1}))
    saved = []

    def watch(_progress):
        if not saved and (done := files(rehearsal.output) & {"owl.mp4", "fox.mp4"}):
            saved.append((done, asyncio.get_running_loop().time()))

    summary = await rehearsal.run(TWO, on_progress=watch)
    ((first, at),) = saved
    assert len(first) == 1
    assert at + 10 < summary.seconds
    await whole(rehearsal, summary)


@pytest.mark.fault(60)
async def test_a_cut_download_asks_only_for_the_rest(rehearsal, monkeypatch):
    """Each piece goes on where the one before ended: no byte is fetched twice."""
    rehearsal.faults = Watch(Rule(Point.RESULT, CutShort(20_000), calls=range(1, 4)))
    came = counting(monkeypatch)
    summary = await rehearsal.run(TWO)
    sizes = [(rehearsal.output / name).stat().st_size for name in ("owl.mp4", "fox.mp4")]
    assert sum(came) == sum(sizes)
    await whole(rehearsal, summary)


def counting(monkeypatch) -> list[int]:
    """The bytes of every chunk that goes into a part from now on."""
    real, came = Downloader.download, []

    async def download(self, url, *, sink, **options):
        async def counted(chunk):
            came.append(len(chunk))
            await sink(chunk)

        return await real(self, url, sink=counted, **options)

    monkeypatch.setattr(Downloader, "download", download)
    return came


@pytest.mark.fault(64)
async def test_a_compressed_answer_is_refused_unopened_and_told(rehearsal):
    """Nobody asked for it, so nobody inflates it: exit 3 says why, and later the file comes."""
    rehearsal.faults = Watch(Rule(Point.RESULT, Gzip()))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert "compressed" in words(summary)
    assert files(rehearsal.output) == set()
    await keep_promises(rehearsal, summary)
    rehearsal.faults.rules.clear()
    await whole(rehearsal, await rehearsal.run())


@pytest.mark.fault(65)
async def test_a_page_that_stays_is_told_in_its_own_words(rehearsal):
    """For as long as the result lives it is asked for; then exit 3 names the loss, and the journal
    keeps what came instead, as text.
    """
    rehearsal.faults = Watch(Rule(Point.RESULT, Page(Content.HTML)))
    rehearsal.settings = {"give_up": 99 * HOUR}
    summary = await rehearsal.run(ONE)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [job.state for job in summary.need_a_person] == ["expired"]
    with Journal.peek(rehearsal.output) as journal:
        reasons = {fact.reason for fact in journal.replay() if isinstance(fact, FetchDeferred)}
    assert any(reason.startswith("HTTP 200 (text/html): ") for reason in reasons)
    assert not any("<" in reason for reason in reasons)
    assert files(rehearsal.output) == set()
    assert summary.seconds > 24 * HOUR


@pytest.mark.fault(73)
async def test_bytes_that_stay_wrong_are_kept_out_of_sight(rehearsal):
    """A store that has lost bits itself: no file, exit 3, and where the paid bytes lie is told."""
    rehearsal.faults = Watch(Rule(Point.RESULT, Corrupt()))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert "do not match their CRC-64" in words(summary)
    assert files(rehearsal.output) == set()
    job = next(job for job in summary.need_a_person if job.id == "owl")
    (kept,) = (path for path in parts_of(rehearsal).glob("owl*.part"))
    assert job.message.endswith(f"it lies in {kept}")
    rehearsal.faults.rules.clear()
    await whole(rehearsal, await rehearsal.run())


@pytest.mark.fault(65)
async def test_a_picture_is_no_video(tmp_path):
    """A whole file of the wrong kind is not what was bought: no file, and exit 3 says what came."""
    output = {"task_id": "TASK", "task_status": "SUCCEEDED", "video_url": "HOST/1.png"}
    cloud = Cloud([MADE], [{"request_id": "r", "output": output, "usage": {"duration": 5}}])
    (tmp_path / "film.yaml").write_text(ONE)
    run = Run(load(tmp_path / "film.yaml"), connect=cloud.serving, wall=lambda: START)
    summary = await run.run()
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert "it is image/png, and wan2.2-t2v-plus makes videos" in words(summary)
    assert files(run.folder) == set()
    assert len(cloud.posted) == 1


@pytest.mark.fault(61, 72)
async def test_an_endless_body_takes_no_room(rehearsal):
    """What never says how long it is is not even begun; later the result itself is there."""
    rehearsal.faults = Watch(Rule(Point.RESULT, Endless()))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.UNREACHABLE
    assert "does not say how long it is" in words(summary)
    assert files(rehearsal.output) == set()
    assert sum(path.stat().st_size for path in parts_of(rehearsal).iterdir()) == 0
    rehearsal.faults.rules.clear()
    await whole(rehearsal, await rehearsal.run())


# -- addresses -------------------------------------------------------------------------------------


@pytest.mark.fault(69)
async def test_a_redirection_to_the_same_place_is_followed_and_a_loop_is_not(rehearsal):
    """Back to itself twice is a way to the file; for ever is told, and nothing is published."""
    rehearsal.faults = Watch(Rule(Point.RESULT, Redirect(), calls={1, 2}))
    await whole(rehearsal, await rehearsal.run(TWO))
    for path in ("owl.mp4", "fox.mp4"):
        (rehearsal.output / path).unlink()
    rehearsal.faults = Watch(Rule(Point.RESULT, Redirect()))
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert "more than 3 redirections" in words(summary)


@pytest.mark.fault(69, 70)
@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/a.mp4", "http://me:secret@127.0.0.1/a.mp4"]
)
async def test_a_redirection_off_limits_is_refused(rehearsal, target):
    """Exit 3 tells that the way was refused, never a password of it; nothing is published."""
    rehearsal.faults = Watch(Rule(Point.RESULT, Redirect(target)))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert "the result address" in words(summary)
    assert "secret" not in words(summary)
    assert files(rehearsal.output) == set()


# -- many, few, and paused -------------------------------------------------------------------------


def handles() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.fault(75)
async def test_two_hundred_results_at_once_need_few_handles(tmp_path):
    """They are fetched a few at a time, however many are ready, and every one of them comes."""
    results = [{"url": f"HOST/{number}.png"} for number in range(4)]
    output = {"task_id": "TASK", "task_status": "SUCCEEDED", "results": results}
    cloud = Cloud([MADE], [{"request_id": "r", "output": output, "usage": {"image_count": 4}}])
    jobs = [f"  - {{id: j{n}, prompt: Stamp no {n} of the sea., n: 4}}" for n in range(50)]
    (tmp_path / "film.yaml").write_text(
        "\n".join(["defaults: {model: wan2.2-t2i-flash}", "jobs:", *jobs, ""])
    )
    before, most = handles(), 0

    def watch(_progress):
        nonlocal most
        most = max(most, handles() - before)

    run = Run(
        load(tmp_path / "film.yaml"),
        Settings(max_in_flight=50),
        connect=cloud.serving,
        wall=lambda: START,
        on_progress=watch,
    )
    assert (await run.run()).exit_code is ExitCode.DONE
    assert len(files(run.folder)) == 250
    assert most < 100, "of both ends of every connection"


@pytest.mark.fault(75)
@pytest.mark.parametrize("what", [".part", ".note.tmp", ".receipt.tmp", ".json.tmp"])
async def test_a_moment_without_handles_is_waited_out(rehearsal, monkeypatch, what):
    """No job fails because something else holds all the files that this process may open."""
    real, times = os.open, iter(range(4))

    def exhausted(path, *arguments, **options):
        if str(path).endswith(what) and next(times, None) is not None:
            raise OSError(errno.EMFILE, "Too many open files")
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", exhausted)
    rehearsal.faults = Watch()
    await whole(rehearsal, await rehearsal.run(TWO))


@pytest.mark.fault(76)
async def test_results_come_while_submits_are_paused(rehearsal):
    """The service takes nothing more for an hour; what is paid for is on the disk long before."""
    busy = Answer(429, "Throttling.RateQuota", "Requests rate limit exceeded.")
    rehearsal.faults = Watch(Rule(Point.SUBMIT, busy, calls=range(2, 9999), during=HOUR))
    saved = []

    def watch(_progress):
        if not saved and (rehearsal.output / "owl.json").exists():
            saved.append(asyncio.get_running_loop().time())

    summary = await rehearsal.run(TWO, on_progress=watch)
    assert saved[0] < 600
    assert summary.seconds > HOUR
    await whole(rehearsal, summary)


# -- deaths ----------------------------------------------------------------------------------------


class Killed(BaseException):
    """What nobody catches: the run ends where it stands."""


async def die(rehearsal, monkeypatch, function, name, *, after: bool) -> None:
    """Run until a file step on a name, and no further; to remove a name counts when the result has
    its own.
    """
    real = getattr(os, function)

    def step(subject, *arguments, **options):
        where = Path(f"/proc/self/fd/{subject}").readlink() if isinstance(subject, int) else subject
        is_time = function != "unlink" or (rehearsal.output / "owl.mp4").exists()
        if not (is_time and str(where).endswith(name)):
            return real(subject, *arguments, **options)
        if after:
            real(subject, *arguments, **options)
        raise Killed

    monkeypatch.setattr(os, function, step)
    with pytest.raises(BaseExceptionGroup):
        await rehearsal.run(ONE)
    monkeypatch.setattr(os, function, real)


DEATHS = {
    "before the bytes are durable": ("fsync", ".part", False),
    "before the receipt": ("rename", ".receipt.tmp", False),
    "after the receipt": ("rename", ".receipt.tmp", True),
    "before the name": ("link", ".part", False),
    "after the name": ("link", ".part", True),
    "before the part goes": ("unlink", ".part", False),
    "before the note goes": ("unlink", ".note", False),
}
AT_ONCE = [
    "before the bytes are durable",
    "before the name",
    "after the name",
    "before the part goes",
]
"""Of a result that is written in one go, after its receipt."""


@pytest.mark.fault(10, 11, 12)
@pytest.mark.parametrize(
    ("death", "held"),
    [*((death, 1) for death in DEATHS), *((death, unfinished.HELD) for death in AT_ONCE)],
)
async def test_what_lies_there_whole_is_never_fetched_again(rehearsal, monkeypatch, death, held):
    """Wherever the run died after the last byte was written, piece by piece or in one go: the next
    one asks the store for nothing, proves what lies there, publishes it and writes the sidecar;
    nothing is bought, nothing is left over.
    """
    monkeypatch.setattr(unfinished, "HELD", held)
    function, name, after = DEATHS[death]
    await die(rehearsal, monkeypatch, function, name, after=after)
    assert "owl.json" not in files(rehearsal.output)
    rehearsal.faults = Watch()
    summary = await rehearsal.run()
    assert rehearsal.faults.at_point(Point.RESULT) == []
    assert summary.exit_code is ExitCode.DONE
    assert files(rehearsal.output) == {"owl.mp4", "owl.json"}
    assert parts(rehearsal) == set()
    assert rehearsal.bill.tasks_created == 1
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(10, 73)
async def test_a_part_is_not_trusted_by_its_name(rehearsal, monkeypatch):
    """It has the right length and a flipped byte: it is fetched again, and is right then."""
    await die(rehearsal, monkeypatch, "link", ".part", after=False)
    (part,) = parts_of(rehearsal).glob("*.part")
    bytes_there = bytearray(part.read_bytes())
    bytes_there[len(bytes_there) // 2] ^= 1
    part.write_bytes(bytes_there)
    rehearsal.faults = Watch()
    summary = await rehearsal.run()
    assert len(rehearsal.faults.at_point(Point.RESULT)) == 1
    assert summary.exit_code is ExitCode.DONE
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(12, 92)
async def test_a_published_file_that_was_edited_is_not_taken_for_the_result(rehearsal, monkeypatch):
    """It is somebody's own now: it stays as it is, exit 3 names it, and the result waits."""
    await die(rehearsal, monkeypatch, "link", ".part", after=True)
    (rehearsal.output / "owl.mp4").unlink()
    (rehearsal.output / "owl.mp4").write_bytes(b"mine")
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert "owl.mp4 is in the way" in words(summary)
    (rehearsal.output / "owl.mp4").rename(rehearsal.output / "mine.mp4")
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert (rehearsal.output / "mine.mp4").read_bytes() == b"mine"
    assert rehearsal.bill.tasks_created == 1


async def stopped_at(rehearsal, size: int) -> Path:
    """A run that is stopped when so many bytes of its result have come, and its part."""
    rehearsal.faults = Watch(Rule(Point.RESULT, Stall(size)))
    run = rehearsal.start(ONE)
    running = asyncio.create_task(run.run())
    while not rehearsal.faults.at_point(Point.RESULT):  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(1)
    await asyncio.sleep(5)
    run.stop(ExitCode.SIGTERM)
    assert (await running).exit_code is ExitCode.SIGTERM
    assert files(rehearsal.output) == set(), "no final name is seen early"
    (part,) = parts_of(rehearsal).glob("*.part")
    assert part.stat().st_size == size
    rehearsal.faults = Watch()
    return part


@pytest.mark.fault(9)
@pytest.mark.parametrize("size", [0, 1, 60_000, 150_000])
async def test_a_later_run_goes_on_where_the_last_one_stopped(rehearsal, monkeypatch, size):
    """Only the missing bytes are asked for, and the whole is proved."""
    part = await stopped_at(rehearsal, size)
    length = json.loads(part.with_suffix(".note").read_text())["bytes"]
    came = counting(monkeypatch)
    summary = await rehearsal.run()
    assert sum(came) == length - size
    assert summary.exit_code is ExitCode.DONE
    assert parts(rehearsal) == set()
    assert rehearsal.bill.tasks_created == 1
    await keep_promises(rehearsal, summary)


FOREIGN = {
    "of another version": '{"etag": "\\"B2\\"", "bytes": 99000, "md5": null, "crc64": null}',
    "of no version": '{"etag": null, "bytes": 99000, "md5": null, "crc64": null}',
    "of another length": '{"etag": "ETAG", "bytes": 61000, "md5": null, "crc64": null}',
    "that cannot be read": "rubbish",
}


@pytest.mark.fault(9)
@pytest.mark.parametrize("note", FOREIGN)
async def test_bytes_of_another_version_are_thrown_away(rehearsal, note):
    """What lies in the part belongs to a note that the store does not agree with, or to none: the
    result has none of these bytes.
    """
    part = await stopped_at(rehearsal, 60_000)
    known = json.loads(part.with_suffix(".note").read_text())
    text = FOREIGN[note].replace('"ETAG"', json.dumps(known["etag"]))
    part.with_suffix(".note").write_text(text)
    part.write_bytes(b"x" * 60_000)
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert crc64.xz((rehearsal.output / "owl.mp4").read_bytes()) == known["crc64"]
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(92)
@pytest.mark.parametrize("damage", ["deleted", "cut"])
async def test_a_lost_file_comes_back_for_nothing(rehearsal, damage):
    """Deleted or shortened within a day of its making: fetched again, not bought again."""
    await rehearsal.run(TWO)
    path = rehearsal.output / "owl.mp4"
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[:-9])
    summary = await rehearsal.run()
    assert path.read_bytes() == content
    await whole(rehearsal, summary)
