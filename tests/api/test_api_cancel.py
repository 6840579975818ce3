"""Cancelling: what has not begun is cancelled and not billed, the rest goes on and is told."""

from __future__ import annotations

import asyncio

import pytest

from batchgen.api import Place
from batchgen.api.canceling import cancel
from batchgen.core import facts as f
from batchgen.errors import BatchHeld, ExitCode, Mistake
from batchgen.journal import Journal
from batchgen.sandbox import Answer, Faults, Point, Reset, Rule

pytestmark = pytest.mark.looptime

FOUR = """
defaults: {model: wan2.2-t2v-plus, size: 832*480}
jobs:
  - {id: a, prompt: One.}
  - {id: b, prompt: Two.}
  - {id: c, prompt: Three.}
  - {id: d, prompt: Four.}
"""
"""The service works on two at once: the other two wait there."""


async def sent(night):
    """All four are at the service, and it has begun two."""
    loop = asyncio.get_running_loop()
    await night.go(FOUR, stop_when=lambda seen: seen.at_service == 4 and loop.time() > 10)


async def test_what_has_not_begun_is_cancelled_and_not_billed(night):
    """Two of four are rendering: they go on, are collected, and are all that is billed."""
    await sent(night)
    ended = await night.cancel()
    assert [job.id for job in ended.canceled] == ["c", "d"]
    assert [one.job.id for one in ended.goes_on] == ["a", "b"]
    assert all(one.why for one in ended.goes_on)
    assert ended.exit_code is ExitCode.MORE_TO_DO
    assert night.states() == {
        "a": "rendering",
        "b": "rendering",
        "c": "cancelled",
        "d": "cancelled",
    }
    summary = await night.go()
    assert (summary.exit_code, summary.saved) == (ExitCode.NEEDS_A_PERSON, 2)
    assert night.bill.tasks_created == 4
    assert (await night.collect()).exit_code is ExitCode.DONE
    await night.retry()
    assert (await night.go()).exit_code is ExitCode.DONE


async def test_only_what_was_chosen_is_cancelled(night):
    """`--only` leaves the others in the queue; nothing left of what was chosen is exit 0."""
    await sent(night)
    ended = await night.cancel(only="d")
    assert ([job.id for job in ended.canceled], ended.goes_on) == (["d"], ())
    assert ended.exit_code is ExitCode.DONE
    assert night.states()["c"] == "rendering"


async def test_a_job_that_was_removed_is_cancelled_as_well(night):
    """The manifest, which may be wrong by now, has no say in what is at the service."""
    await sent(night)
    night.manifest(FOUR.replace("  - {id: d, prompt: Four.}", "  - {id: d, promt: Four.}"))
    assert [job.id for job in (await night.cancel()).canceled] == ["c", "d"]


async def test_the_requests_are_paced(night):
    """At most five a second, of the twenty that an account has for all its programs."""
    await sent(night)
    began = asyncio.get_running_loop().time()
    await night.cancel()
    assert asyncio.get_running_loop().time() - began > 0.39


async def test_a_refused_key_ends_the_asking(night):
    """Exit 5 with the service's words, and everything goes on."""
    await sent(night)
    night.key = "sk-other"
    ended = await night.cancel()
    assert ended.exit_code is ExitCode.ACCOUNT
    assert ended.stopped.reason
    assert not ended.canceled
    assert len(ended.goes_on) == 4


async def test_a_service_that_is_away_ends_the_asking(night):
    """Asked a few times with a growing pause; exit 8, and nobody claims to know."""
    await sent(night)
    night.faults = Faults(Rule(Point.CANCEL, Reset()))
    ended = await night.cancel()
    assert ended.exit_code is ExitCode.UNREACHABLE
    assert "the next run asks" in ended.goes_on[0].why


async def test_a_throttled_request_is_made_again(night):
    """The service asks for patience: both waiting tasks are cancelled in the end."""
    await sent(night)
    busy = Answer(429, "Throttling.RateQuota", "Requests rate limit exceeded.")
    night.faults = Faults(Rule(Point.CANCEL, busy, calls={1, 2, 4}))
    assert [job.id for job in (await night.cancel()).canceled] == ["c", "d"]


async def test_a_lost_answer_to_the_wish_is_settled_by_the_next_run(night):
    """Cancelled without our knowing: what the next run finds is what is told."""
    await sent(night)
    night.faults = Faults(Rule(Point.CANCEL, Reset()))
    await night.cancel(only="d")
    night.faults = Faults()
    summary = await night.go()
    assert summary.exit_code in {ExitCode.DONE, ExitCode.NEEDS_A_PERSON}
    assert night.states()["d"] in {"done", "cancelled"}


async def test_a_doubt_cannot_be_cancelled(night):
    """There is no task to name: it is told, and not asked about."""
    await night.go(FOUR, only="[ab]")
    says = {"at": night.wall(), "account": "default", "job": "c", "attempt": 1}
    night.note(f.SubmitStarted(**says), f.SubmitLost(**says, reason="the connection broke"))
    night.bill = None
    ended = await night.cancel()
    assert [(one.job.id, "in doubt" in one.why) for one in ended.goes_on] == [("c", True)]
    assert night.bill is None


async def test_a_finished_batch_needs_no_key_to_have_nothing_cancelled(night):
    """Nothing at the service: exit 0, and nobody is asked."""
    await night.go(FOUR)
    night.bill = None
    ended = await night.cancel()
    assert (ended.exit_code, ended.canceled, ended.goes_on) == (ExitCode.DONE, (), ())
    assert night.bill is None


async def test_tasks_of_a_stand_in_are_not_asked_for_at_the_service(night, monkeypatch):
    """Begun at a private address: the real key is not shown to anybody, exit 2 says why."""
    await sent(night)
    monkeypatch.setenv("DASHSCOPE_API_KEY", night.key)
    with pytest.raises(Mistake, match="private address"):
        await cancel(night.begun(), night.chosen(), place=Place(), wall=night.wall)


async def test_a_run_keeps_its_tasks(night):
    """While a run is at the batch nothing is cancelled under it: exit 4."""
    await sent(night)
    with (
        Journal.open(night.output, kind="sandbox", manifest="film", source=night.path),
        pytest.raises(BatchHeld),
    ):
        await night.cancel()
