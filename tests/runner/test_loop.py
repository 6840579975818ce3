"""Whole runs against the sandbox: what is on disk, what was bought, what the caller is told."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import av
import pytest

from batchgen.api import Summary
from batchgen.catalog import Money
from batchgen.dashscope.endpoint import Secret
from batchgen.errors import BatchHeld, ExitCode, Mistake
from batchgen.journal import Journal
from batchgen.sandbox import Answer, CutShort, Fail, Faults, Point, Reset, Rule

pytestmark = pytest.mark.looptime

KEY = "sk-canary-0123456789abcdef"
TWO = """
defaults: {model: wan2.2-t2v-plus, size: 832*480}
jobs:
  - {id: owl, prompt: An owl turns its head in the rain.}
  - {id: fox, prompt: A fox crosses a frozen river.}
"""
IMAGES = """
jobs:
  - {id: stamp, prompt: A postage stamp of a whale., model: wan2.6-t2i, size: 1280*1280, n: 3}
"""


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


async def test_a_manifest_becomes_playable_files_with_sidecars(rehearsal):
    """Every result decodes to the last frame, and its sidecar says what it is and what it cost."""
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.DONE
    assert files(rehearsal.output) == {"owl.mp4", "owl.json", "fox.mp4", "fox.json"}
    for job, prompt in (("owl", "An owl turns its head in the rain."), ("fox", None)):
        sidecar = rehearsal.sidecar(job)
        assert sidecar["prompt"] == (prompt or sidecar["prompt"])
        assert sidecar["usage"]["duration"] == 5
        assert sidecar["cost"] == {"amount": 0.1, "currency": "USD", "estimated": False}
        with av.open(str(rehearsal.output / f"{job}.mp4")) as video:
            count = sum(1 for _ in video.decode(video=0))
        (file,) = sidecar["files"]
        assert (file["width"], file["height"], file["duration"]) == (832, 480, 5.0)
        assert file["frames"] == count
        assert file["bytes"] == (rehearsal.output / f"{job}.mp4").stat().st_size
    assert rehearsal.bill.tasks_created == 2
    assert summary.spent.micro == rehearsal.bill.amount == 200_000


async def test_several_images_are_numbered_by_their_place_in_the_answer(rehearsal):
    """A job with n images gives n files and one sidecar that lists them in order."""
    summary = await rehearsal.run(IMAGES)
    assert summary.exit_code is ExitCode.DONE
    assert files(rehearsal.output) == {"stamp-1.png", "stamp-2.png", "stamp-3.png", "stamp.json"}
    paths = [file["path"] for file in rehearsal.sidecar("stamp")["files"]]
    assert paths == ["stamp-1.png", "stamp-2.png", "stamp-3.png"]


async def test_a_finished_batch_runs_again_without_a_request_or_a_changed_byte(rehearsal):
    """The second run starts no connection, sends nothing, and leaves every file as it was."""
    await rehearsal.run(TWO)
    everything = [path for path in rehearsal.output.rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in everything if path.name != "lock"}
    rehearsal.bill = None
    summary = await rehearsal.run()
    assert (summary.exit_code, summary.nothing_done) == (ExitCode.DONE, True)
    assert rehearsal.bill is None, "the service was asked"
    assert {path: path.read_bytes() for path in before} == before


async def test_a_deleted_file_is_fetched_again_for_free(rehearsal):
    """While the task lives, a missing result and its sidecar come back without a new task."""
    await rehearsal.run(TWO)
    (rehearsal.output / "owl.mp4").unlink()
    (rehearsal.output / "fox.json").unlink()
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert files(rehearsal.output) == {"owl.mp4", "owl.json", "fox.mp4", "fox.json"}
    assert rehearsal.bill.tasks_created == 2


async def test_an_answered_throttling_is_waited_out(rehearsal):
    """A 429 costs time and nothing else."""
    busy = Answer(429, "Throttling.RateQuota", "Requests rate limit exceeded.")
    rehearsal.faults = Faults(Rule(Point.SUBMIT, busy, calls={1, 2, 3}))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2


async def test_failed_questions_end_no_job(rehearsal):
    """Resets and gateway errors while polling are asked again until there is an answer."""
    rehearsal.faults = Faults(
        Rule(Point.QUERY, Reset(), calls=range(1, 4)),
        Rule(Point.QUERY, Answer(502, "", "bad gateway"), calls=range(4, 8)),
        Rule(Point.QUERY, Answer(429, "Throttling.RateQuota"), calls=range(8, 10)),
    )
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.DONE


async def test_a_refused_key_stops_everything_at_the_first_refusal(rehearsal):
    """Exit 5 in the service's words; one POST was enough to know."""
    rehearsal.key = "sk-wrong"
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.ACCOUNT
    assert "Invalid API-key" in summary.stops[0]
    assert summary.count("pending") == 2
    assert rehearsal.bill.tasks_created == 0


@pytest.mark.fault(126)
async def test_a_key_that_was_rotated_in_mid_run_is_read_anew(rehearsal):
    """The old one is refused, the new one does the work; nothing is sent twice."""
    rehearsal.key, rehearsal.renew = "sk-yesterday-0123456789", lambda: Secret(KEY)
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2


async def test_a_model_that_was_not_purchased_stops_alone(rehearsal):
    """The other model's jobs are done all the same; exit 5 says what is missing."""
    unpurchased = Answer(403, "AccessDenied.Unpurchased", "Access to model denied.")
    rehearsal.faults = Faults(Rule(Point.SUBMIT, unpurchased, model="wan2.2-t2v-plus"))
    mixed = TWO + "  - {id: cat, prompt: A cat sleeps., model: wan2.6-t2v, size: 1280*720}\n"
    summary = await rehearsal.run(mixed)
    assert summary.exit_code is ExitCode.ACCOUNT
    assert summary.count("done") == 1
    assert "wan2.2-t2v-plus" in summary.stops[0]


async def test_moderation_fails_the_job_in_the_services_words_and_no_other(rehearsal):
    """A FAILED task is a failure with its code and message, exit 1, and no sidecar."""
    rehearsal.faults = Faults(Rule(Point.TASK, Fail(), prompt="owl"))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.SOME_FAILED
    (failed,) = summary.failed
    assert (failed.id, failed.code) == ("owl", "DataInspectionFailed")
    assert "inappropriate" in failed.message
    assert files(rehearsal.output) == {"fox.mp4", "fox.json"}
    again = await rehearsal.run()
    assert again.exit_code is ExitCode.SOME_FAILED
    assert again.submitted == 0


async def test_a_failed_job_with_a_mended_prompt_is_sent(rehearsal):
    """Nothing was paid for the refused prompt, so the new one simply takes its place."""
    rehearsal.faults = Faults(Rule(Point.TASK, Fail(), prompt="owl"))
    await rehearsal.run(TWO)
    summary = await rehearsal.run(TWO.replace("An owl turns its head", "A heron stands"))
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.sidecar("owl")["prompt"] == "A heron stands in the rain."


async def test_a_prompt_changed_after_it_was_paid_is_told_and_not_bought(rehearsal):
    """The old result stays, exit 3 names the job, and no task is made."""
    await rehearsal.run(TWO)
    summary = await rehearsal.run(TWO.replace("An owl", "A heron"))
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert summary.changed == ("owl",)
    assert rehearsal.sidecar("owl")["prompt"].startswith("An owl")


async def test_a_cut_download_is_continued_and_never_published(rehearsal):
    """Bytes that stop early are fetched to the end, whatever it takes."""
    rehearsal.faults = Faults(Rule(Point.RESULT, CutShort(20_000), calls=range(1, 4)))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.DONE
    assert not list((rehearsal.output / ".batchgen" / "parts").iterdir())


async def test_an_error_page_is_no_result(rehearsal):
    """A 403 page instead of a video sends us back to the task for a new URL."""
    rehearsal.faults = Faults(Rule(Point.RESULT, Answer(403, "AccessDenied"), calls={1, 2}))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.DONE


async def test_a_stopped_run_is_continued_without_a_second_task(rehearsal):
    """stop() at many different moments, then a run to the end: created tasks equal jobs."""
    for steps in (1, 2, 4, 7, 11, 16):
        summary = await stopped_after(rehearsal, steps)
        assert summary.exit_code in {ExitCode.SIGINT, ExitCode.DONE}
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.sidecar("owl")["attempts"][0]["attempt"] == 1
    assert len(files(rehearsal.output)) == 4
    if rehearsal.bill:
        assert rehearsal.bill.tasks_created == 2


async def stopped_after(rehearsal, steps: int) -> Summary:
    """A run that is told to stop when it has reported its progress so often."""
    seen = iter(range(steps))

    def stop_in_time(_progress):
        if next(seen, None) is None:
            run.stop(ExitCode.SIGINT)

    run = rehearsal.start(TWO, on_progress=stop_in_time)
    return await run.run()


async def test_a_cancelled_run_takes_in_the_answers_it_is_paying_for(rehearsal):
    """The host cancels us in mid-submit: the task id is in the journal all the same."""
    run = rehearsal.start(TWO)
    task = asyncio.create_task(run.run())
    while not posts_of(rehearsal):  # noqa: ASYNC110 - the journal has no event to wait for
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2


def posts_of(rehearsal) -> int:
    """SubmitStarted facts in the journal so far."""
    journal = Journal.peek(rehearsal.output)
    if journal is None:
        return 0
    with journal:
        return sum(type(fact).__name__ == "SubmitStarted" for fact in journal.replay())


async def test_a_second_run_of_the_same_batch_is_refused_by_name(rehearsal):
    """Two runs at once: one goes on, the other says who holds the batch."""
    refused = []

    def try_again(_):
        if not refused:
            refused.append(asyncio.create_task(rehearsal.run()))

    await rehearsal.run(TWO, on_progress=try_again)
    with pytest.raises(BatchHeld, match=str(os.getpid())):
        await refused[0]


async def test_a_rehearsal_and_the_real_batch_do_not_mix(rehearsal):
    """A journal of the sandbox is refused by a run against the service, and the other way round."""
    await rehearsal.run(TWO)
    run = rehearsal.start()
    run.folder = rehearsal.output
    run._settings = type(run._settings)(sandbox=False)
    with pytest.raises(Mistake, match="sandbox"):
        await run.run()


async def test_the_budget_is_never_passed(rehearsal):
    """With money for one clip, one is bought, exit 5 says so, and more money buys the other."""
    rehearsal.settings = {"budget": Money(150_000, "USD")}
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.ACCOUNT
    assert (summary.count("done"), summary.count("pending")) == (1, 1)
    assert rehearsal.bill.amount == 100_000
    rehearsal.settings = {"budget": Money(200_000, "USD")}
    assert (await rehearsal.run()).exit_code is ExitCode.DONE


async def test_only_the_chosen_jobs_are_bought(rehearsal):
    """--only limits what is submitted, and what the exit code speaks of."""
    rehearsal.settings = {"only": "f*"}
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.DONE
    assert files(rehearsal.output) == {"fox.mp4", "fox.json"}


async def test_the_key_and_signed_urls_are_nowhere_on_disk(rehearsal):
    """Not in the journal, a sidecar, the lock or a part; nor the query string of any URL."""
    rehearsal.faults = Faults(Rule(Point.RESULT, CutShort(20_000), calls={1}))
    await rehearsal.run(TWO)
    for path in rehearsal.output.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert rehearsal.key.encode() not in content, path
            assert b"Signature=" not in content, path


async def test_a_picture_that_changes_before_the_submit_is_noticed(rehearsal):
    """What was checked and priced is what is sent, or nothing is."""
    jobs = Path(__file__).parents[2] / "jobs" / "storyboard"
    picture = rehearsal.folder / "tide.png"
    picture.write_bytes((jobs / "lighthouse.png").read_bytes())
    run = rehearsal.start("""
jobs:
  - {id: tide, model: wan2.6-i2v, img_url: tide.png, resolution: 720P, prompt: The tide comes in.}
""")
    picture.write_bytes((jobs / "tram.png").read_bytes())
    summary = await run.run()
    assert [job.code for job in summary.failed] == ["InputChanged"]
    assert rehearsal.bill.tasks_created == 0


async def test_silence_ends_the_run_after_the_give_up_time(rehearsal):
    """Exit 8 when nothing is heard for as long as the user allows."""
    rehearsal.settings = {"give_up": 600.0}
    rehearsal.faults = Faults(Rule(Point.QUERY, Reset()))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.UNREACHABLE
    assert "could not be reached" in summary.error.message
    assert 600 < summary.seconds < 700
