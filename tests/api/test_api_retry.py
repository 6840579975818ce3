"""Marking jobs to be sent again: what each choice marks, what it keeps, and what it never does."""

from __future__ import annotations

import pytest

from batchgen.api.retrying import Choice
from batchgen.artifacts import Tree
from batchgen.core import facts as f
from batchgen.core.policy import HOUR
from batchgen.errors import BatchHeld, ExitCode, MachineError, Mistake
from batchgen.journal import Journal
from batchgen.report.retry import RISKS, retry_data
from batchgen.sandbox import Fail, Faults, Partial, Point, Rule

pytestmark = pytest.mark.looptime

TWO = """
jobs:
  - {id: owl, prompt: An owl turns its head., model: wan2.2-t2v-plus, size: 832*480}
  - {id: fox, prompt: A fox sits., model: wan2.2-t2v-plus, size: 832*480}
"""
PICTURES = """
jobs:
  - {id: moon, prompt: A moon., model: wan2.2-t2i-flash, size: 1024*1024, n: 2}
"""


def marked(retried):
    return {one.job.id: one.choice for one in retried.marked}


def kept(retried):
    return {one.job.id: one.why for one in retried.kept}


async def lost_answer(night, *, held):
    """The owl's request was sent and never answered; the fox is done."""
    await night.go(TWO, only="fox")
    says = {"at": night.wall(), "account": "default", "job": "owl", "attempt": 1}
    night.note(f.SubmitStarted(**says))
    if held:
        night.note(f.SubmitLost(**says, reason="the connection broke"))
        night.note(f.Held(**says, reason="the list is not to be had"))


async def test_failed_jobs_are_sent_by_the_next_run(night):
    """Marked, nothing sent, no price to fear; the next run buys it and all is on disk."""
    night.faults = Faults(Rule(Point.TASK, Fail(), prompt="owl"))
    await night.go(TWO)
    night.faults, night.bill = Faults(), None
    assert (await night.go()).exit_code is ExitCode.SOME_FAILED, "a rerun does not send it again"
    retried = await night.retry()
    assert (marked(retried), kept(retried), retried.done) == ({"owl": Choice.UNPAID}, {}, 1)
    assert night.bill is None, "nothing was sent"
    assert night.states() == {"owl": "pending", "fox": "done"}
    assert kept(await night.retry()) == {"owl": "it waits to be sent already"}
    assert (await night.go()).exit_code is ExitCode.DONE
    assert night.bill.tasks_created == 3


async def test_attempts_are_counted_anew_after_a_mark(night):
    """An internal error gets its automatic attempt again when a person has asked for the job."""
    night.faults = Faults(Rule(Point.TASK, Fail("InternalError"), prompt="owl"))
    assert (await night.go(TWO)).exit_code is ExitCode.SOME_FAILED
    assert night.bill.tasks_created == 3, "one attempt of its own accord"
    await night.retry()
    await night.go()
    assert night.bill.tasks_created == 5


async def test_a_lost_answer_is_marked_only_by_its_name(night):
    """A plain retry leaves a doubt alone; `--in-doubt` sends it, and what it may cost stays."""
    await lost_answer(night, held=True)
    retried = await night.retry()
    assert (marked(retried), kept(retried)) == ({}, {"owl": "only `--in-doubt` marks it"})
    assert marked(await night.retry(Choice.IN_DOUBT)) == {"owl": Choice.IN_DOUBT}
    assert night.look().reserved == night.look().jobs[0].price
    summary = await night.go()
    assert (summary.exit_code, summary.submitted) == (ExitCode.DONE, 1)
    assert summary.reserved == summary.jobs[0].price, "the first one may be billed yet"


async def test_a_run_that_died_leaves_a_doubt_that_can_be_marked(night):
    """Killed between the request and its answer: marked as in doubt, though no run has looked."""
    await lost_answer(night, held=False)
    assert marked(await night.retry(Choice.IN_DOUBT, only="o*")) == {"owl": Choice.IN_DOUBT}
    assert (await night.go()).exit_code is ExitCode.DONE


async def test_a_result_that_is_gone_for_good_is_bought_again(night):
    """Deleted beyond the 24 hours: `--expired` marks it, and only it."""
    await night.go(TWO)
    (night.output / "owl.mp4").unlink()
    assert marked(await night.retry(Choice.EXPIRED)) == {}, "the service still has it"
    night.later = 30 * HOUR
    assert kept(await night.retry()) == {}
    retried = await night.retry(Choice.EXPIRED)
    assert marked(retried) == {"owl": Choice.EXPIRED}
    assert retried.marked[0].replaced == ("owl.json",)
    night.later = 0
    assert (await night.go()).exit_code is ExitCode.DONE
    assert night.bill.tasks_created == 3


async def test_a_result_that_is_damaged_for_good_is_bought_again(night):
    """Same size, other bytes, beyond the 24 hours: set aside, never deleted, and bought anew."""
    await night.go(TWO)
    path = night.output / "owl.mp4"
    path.write_bytes(bytes(path.stat().st_size))
    night.later = 30 * HOUR
    retried = await night.retry(Choice.EXPIRED)
    assert marked(retried) == {"owl": Choice.EXPIRED}
    assert night.replaced == ["owl~1.json", "owl~1.mp4"]
    night.later = 0
    assert (await night.go()).exit_code is ExitCode.DONE


async def test_a_part_is_bought_again_as_a_whole(night):
    """`--partial`: what has come is set aside, and the next run buys all of it."""
    night.faults = Faults(Rule(Point.TASK, Partial((2,))))
    assert (await night.go(PICTURES)).exit_code is ExitCode.SOME_FAILED
    assert kept(await night.retry()) == {"moon": "only `--partial` marks it"}
    night.faults = Faults()
    await night.retry(Choice.PARTIAL)
    assert night.replaced == ["moon-1~1.png", "moon~1.json"]
    summary = await night.go()
    assert (summary.exit_code, summary.saved) == (ExitCode.DONE, 2)


@pytest.mark.parametrize("end", [f.Lost, f.Parked])
async def test_a_task_that_nobody_sees_end_is_given_up_by_name(night, end):
    """Unknown to the service, or stuck: `--lost` marks it, at the risk that is said."""
    await night.go(TWO, only="owl", stop_when=lambda progress: progress.at_service)
    says = {"at": night.wall(), "account": "default", "job": "owl", "attempt": 1}
    night.note(end(**says, reason="nobody knows it"))
    assert kept(await night.retry())["owl"] == "only `--lost` marks it"
    retried = await night.retry(Choice.LOST, only="owl")
    assert marked(retried) == {"owl": Choice.LOST}
    assert retry_data(retried)["marked"][0]["risk"] == RISKS[Choice.LOST]
    assert "bought twice" in RISKS[Choice.LOST]


async def test_what_goes_on_or_is_named_no_more_is_kept(night):
    """A task under way is not marked, nor a job that the manifest has dropped."""
    await night.go(TWO, only="owl", stop_when=lambda progress: progress.at_service)
    assert "goes on at the service" in kept(await night.retry())["owl"]
    night.faults = Faults(Rule(Point.TASK, Fail(), prompt="fox"))
    await night.go()
    night.manifest(TWO.partition("  - {id: fox")[0])
    assert kept(await night.retry()) == {"fox": "the manifest no longer names it"}


async def test_nothing_is_marked_while_a_run_is_at_it(night):
    """The lock of a run keeps a mark out: exit 4 names the holder."""
    await night.go(TWO)
    with (
        Journal.open(night.output, kind="sandbox", manifest="film", source=night.path),
        pytest.raises(BatchHeld, match="another run holds this batch"),
    ):
        await night.retry()


async def test_a_glob_that_chooses_nothing_is_a_typing_error(night):
    """`--only` for a job that the batch does not know marks nothing in silence."""
    await night.go(TWO)
    with pytest.raises(Mistake, match="matches nobody"):
        await night.retry(only="nobody")


async def test_a_batch_that_was_never_begun_has_nothing_to_mark(night):
    """No journal, no folder, no mark."""
    night.manifest(TWO)
    retried = await night.retry()
    assert (retried.marked, retried.kept) == ((), ())
    assert not night.output.exists()


async def test_a_full_disk_leaves_no_job_without_its_files(night, monkeypatch):
    """The mark comes first: what could not be moved yet is moved by the next run."""

    async def refused(self, name):
        raise MachineError(f"{name}: no space left")

    await night.go(TWO)
    path = night.output / "owl.mp4"
    path.write_bytes(bytes(path.stat().st_size))
    night.later = 30 * HOUR
    with monkeypatch.context() as full:
        full.setattr(Tree, "set_aside", refused)
        with pytest.raises(MachineError):
            await night.retry(Choice.EXPIRED)
    assert (night.states()["owl"], path.exists(), night.replaced) == ("pending", True, [])
    night.later = 0
    assert (await night.go()).exit_code is ExitCode.DONE
    assert night.replaced == ["owl~1.json", "owl~1.mp4"]
    assert night.bill.tasks_created == 3
