"""What a run finds when it arrives: the tree and the manifest as somebody has left them."""

from __future__ import annotations

import json

import pytest

from batchgen.api import Settings, plan
from batchgen.errors import ExitCode, Mistake
from batchgen.journal import Journal, log
from batchgen.manifest import load
from batchgen.sandbox import Answer, CutShort, Faults, Point, Rule

pytestmark = pytest.mark.looptime

KEY = "sk-canary-0123456789abcdef"
ONE = """
jobs:
  - {id: owl, prompt: An owl turns its head., model: wan2.2-t2v-plus, size: 832*480}
"""


async def test_what_could_not_be_saved_is_not_bought(rehearsal):
    """Somebody's file under a result's name: exit 2 names it, and nothing is sent."""
    rehearsal.output.mkdir(parents=True)
    (rehearsal.output / "owl.mp4").write_bytes(b"somebody's")
    with pytest.raises(Mistake, match=r"owl\.mp4 \(job owl\)"):
        await rehearsal.run(ONE)
    assert rehearsal.bill is None
    (rehearsal.output / "owl.mp4").unlink()
    assert (await rehearsal.run()).exit_code is ExitCode.DONE


async def test_a_folded_batch_is_looked_at_rerun_and_mended(rehearsal, monkeypatch):
    """A run leaves a fold, as after a hundred thousand jobs: the next ones start from it, send
    nothing, and still see what is missing."""
    monkeypatch.setattr(log, "FOLDED_FROM", 1)
    await rehearsal.run(ONE)
    with Journal.peek(rehearsal.output) as journal:
        replayed = len(list(journal.replay()))
    manifest, settings = load(rehearsal.folder / "film.yaml"), Settings(sandbox=True)
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "replay", lambda _, after=0: iter(range(after, replayed)))
        (seen,) = plan(manifest, settings).jobs
    assert (seen.state, seen.files) == ("done", ("owl.mp4",))
    again = await rehearsal.run()
    assert again.nothing_done
    (rehearsal.output / "owl.mp4").unlink()
    third = await rehearsal.run()
    assert (third.exit_code, third.submitted, third.saved) == (ExitCode.DONE, 0, 1)
    assert rehearsal.bill.tasks_created == 1


async def test_a_lost_journal_does_not_buy_everything_again(rehearsal):
    """The journal is lost, and the only sidecar was edited: it still says what was paid for."""
    await rehearsal.run(ONE)
    task = rehearsal.sidecar("owl")["task_id"]
    spoilt = {**rehearsal.sidecar("owl"), "files": "none"}
    (rehearsal.output / "owl.json").write_text(json.dumps(spoilt))
    for path in (rehearsal.output / ".batchgen").glob("journal.*"):
        path.unlink()
    with pytest.raises(Mistake, match=f"paid for: task {task}"):
        await rehearsal.run()
    assert rehearsal.bill.tasks_created == 1


async def test_a_cut_result_is_fetched_again_and_the_cut_one_kept(rehearsal):
    """A file of another size than was saved is moved aside, never overwritten."""
    await rehearsal.run(ONE)
    whole = (rehearsal.output / "owl.mp4").read_bytes()
    (rehearsal.output / "owl.mp4").write_bytes(whole[:1000])
    assert (await rehearsal.run()).exit_code is ExitCode.DONE
    assert (rehearsal.output / "owl.mp4").read_bytes() == whole
    (kept,) = (rehearsal.output / ".batchgen" / "replaced").iterdir()
    assert kept.read_bytes() == whole[:1000]
    assert rehearsal.bill.tasks_created == 1


async def test_two_manifests_of_one_name_do_not_share_a_folder(rehearsal, tmp_path):
    """The second is refused with the first one's path, unless the first one was moved here."""
    await rehearsal.run(ONE)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = (tmp_path / "film.yaml").rename(elsewhere / "film.yaml")
    rehearsal.settings = {"output": tmp_path / "output"}
    rehearsal.folder = elsewhere
    assert (await rehearsal.run()).exit_code is ExitCode.DONE, "it was only moved"
    (tmp_path / "film.yaml").write_text(moved.read_text())
    with pytest.raises(Mistake, match="another manifest of the same name"):
        await rehearsal.run()


async def test_a_batch_stays_in_the_currency_it_was_begun_in(rehearsal):
    """Money of two price lists is never added up: another region is another batch."""
    await rehearsal.run(ONE)
    chinese = "region: beijing\n" + ONE.replace("jobs:", "jobs:\n  - {id: new, prompt: New., size:"
    " 832*480, model: wan2.2-t2v-plus}")  # fmt: skip
    with pytest.raises(Mistake, match="bills in USD"):
        await rehearsal.run(chinese)


async def test_a_file_that_is_gone_for_good_is_told_and_comes_back_when_it_does(rehearsal):
    """Beyond 24 hours nothing can be fetched: exit 3 says so, until somebody puts it back."""
    await rehearsal.run(ONE)
    path = rehearsal.output / "owl.mp4"
    aside = path.rename(rehearsal.folder / "owl.mp4")
    run = rehearsal.start()
    run._wall = lambda: 1_790_000_000.0 + 30 * 3600
    summary = await run.run()
    assert (summary.exit_code, summary.submitted) == (ExitCode.NEEDS_A_PERSON, 0)
    assert [(job.state, job.id) for job in summary.need_a_person] == [("expired", "owl")]
    aside.rename(path)
    assert (await rehearsal.run()).exit_code is ExitCode.DONE


async def test_what_an_earlier_run_could_not_publish_needs_no_network(rehearsal):
    """Bytes that lie whole in the parts are published without being fetched again."""

    def put_in_the_way(progress):
        if progress.downloading:
            (rehearsal.output / "owl.mp4").write_bytes(b"somebody's")

    blocked = await rehearsal.run(ONE, on_progress=put_in_the_way)
    assert [job.state for job in blocked.jobs] == ["stuck"]
    assert "Move it elsewhere" in blocked.jobs[0].message
    (rehearsal.output / "owl.mp4").unlink()
    rehearsal.faults = Faults(Rule(Point.RESULT, Answer(404, "NoSuchKey")))
    assert (await rehearsal.run()).exit_code is ExitCode.DONE


async def test_what_lies_in_the_parts_belongs_to_its_task(rehearsal):
    """Without its journal, an old download is never published as another task's result."""

    def put_in_the_way(progress):
        if progress.downloading:
            (rehearsal.output / "owl.mp4").write_bytes(b"somebody's")

    await rehearsal.run(ONE, on_progress=put_in_the_way)
    (old,) = (rehearsal.output / ".batchgen" / "parts").glob("*.part")
    before = old.read_bytes()
    (rehearsal.output / "owl.mp4").unlink()
    for path in (rehearsal.output / ".batchgen").glob("journal.*"):
        path.unlink()
    summary = await rehearsal.run(ONE.replace("turns its head", "sleeps"))
    assert summary.exit_code is ExitCode.DONE
    assert (rehearsal.output / "owl.mp4").read_bytes() != before


async def test_a_file_that_cannot_be_fetched_again_is_left_where_it_is(rehearsal):
    """A changed result beyond 24 hours is told, and not taken away."""
    await rehearsal.run(ONE)
    path = rehearsal.output / "owl.mp4"
    tagged = path.read_bytes() + b"\0\0\0\x08free"
    path.write_bytes(tagged)
    run = rehearsal.start()
    run._wall = lambda: 1_790_000_000.0 + 30 * 3600
    assert (await run.run()).exit_code is ExitCode.NEEDS_A_PERSON
    assert path.read_bytes() == tagged


async def test_a_region_in_which_nothing_was_bought_binds_nothing(rehearsal):
    """A refused key costs nothing: the right region may be named afterwards."""
    rehearsal.key = "sk-wrong"
    assert (await rehearsal.run(ONE)).exit_code is ExitCode.ACCOUNT
    rehearsal.key = KEY
    chinese = "region: beijing\n" + ONE
    assert (await rehearsal.run(chinese)).exit_code is ExitCode.DONE
    assert rehearsal.sidecar("owl")["cost"]["currency"] == "CNY"


async def test_results_are_tried_for_as_long_as_they_live(rehearsal):
    """Ten minutes without the result host end nothing: the download goes on when it is back."""
    rehearsal.faults = Faults(Rule(Point.RESULT, CutShort(1000), calls=range(1, 12)))
    summary = await rehearsal.run(ONE)
    assert summary.exit_code is ExitCode.DONE
    assert summary.seconds > 600


async def test_without_a_key_not_even_a_folder_is_made(rehearsal, monkeypatch):
    """Exit 2 leaves no trace."""
    from batchgen.api import Run  # noqa: PLC0415 - the real service, not the rehearsal's
    from batchgen.manifest import load  # noqa: PLC0415

    manifest = load(rehearsal.manifest(ONE))
    with pytest.raises(Mistake, match="no API key"):
        await Run(manifest).run()
    assert not (rehearsal.folder / "output").exists()


async def test_a_picture_that_came_back_is_sent_by_the_next_run(rehearsal):
    """What was refused here was never sent: no person has to ask for another attempt."""
    from pathlib import Path  # noqa: PLC0415

    content = (Path(__file__).parents[2] / "jobs" / "storyboard" / "tram.png").read_bytes()
    picture = rehearsal.folder / "tram.png"
    picture.write_bytes(content)
    run = rehearsal.start("""
jobs:
  - {id: tram, model: wan2.2-i2v-flash, img_url: tram.png, resolution: 480P, prompt: It starts.}
""")
    picture.unlink()
    assert (await run.run()).exit_code is ExitCode.SOME_FAILED
    picture.write_bytes(content)
    assert (await rehearsal.run()).exit_code is ExitCode.DONE
