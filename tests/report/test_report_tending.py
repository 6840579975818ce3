"""What is said of marks, cancelled tasks, files, doubts and next steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchgen.api.canceling import Cancellation, GoesOn, Stopped
from batchgen.api.inspection import Flaw
from batchgen.api.retrying import Choice, Kept, Marked, Retried
from batchgen.api.verifying import Fate, Finding, Verification
from batchgen.catalog import Money
from batchgen.errors import ExitCode
from batchgen.report.cancel import cancel_data, cancel_view
from batchgen.report.retry import RISKS, retry_data, retry_view
from batchgen.report.status import status_data, status_view
from batchgen.report.verify import verify_data, verify_view

NIGHT = {"name": "night", "folder": Path("/out/night")}
PRICE = Money(500_000, "USD")
DAY = 1_790_000_000.0


@pytest.mark.parametrize("choice", Choice)
def test_each_mark_says_its_risk_and_price(job, shown, choice):
    """What is marked is told with what it can cost, and why that may be paid for nothing."""
    marked = Marked(job=job("fox", state="failed"), choice=choice, replaced=("fox.mp4",))
    retried = Retried(**NIGHT, marked=(marked,), kept=(), done=3)
    seen = shown(retry_view(retried))
    assert f"1 job for USD 0.50 at most: {RISKS[choice]}" in seen
    assert "1 file moved to .batchgen/replaced" in seen
    told = json.loads(json.dumps(retry_data(retried)))
    assert told["marked"][0]["risk"] == RISKS[choice]
    assert told["to_spend"] == [{"amount": 0.5, "currency": "USD"}]
    assert told["exit_code"] == ExitCode.DONE


def test_a_doubt_that_was_not_searched_for_is_settled_for_free(job, shown):
    """Marking what a run would have settled by itself is told as what it is."""
    fresh, held = job("fox", state="in doubt"), job("owl", state="in doubt", held=True)
    marks = [Marked(job=one, choice=Choice.IN_DOUBT, replaced=()) for one in (fresh, held)]
    seen = shown(retry_view(Retried(**NIGHT, marked=tuple(marks), kept=(), done=0)))
    assert "fox: `batchgen run` would look for their tasks first" in seen
    assert "owl: `batchgen run`" not in seen


def test_many_jobs_that_stay_share_a_line(job, shown):
    """A thousand jobs with one reason are one line, for a program a thousand entries."""
    kept = tuple(Kept(job=job(f"j{n}", state="lost"), why="because") for n in range(1_000))
    retried = Retried(**NIGHT, marked=(), kept=kept, done=0)
    lines = shown(retry_view(retried)).splitlines()
    assert lines[0] == "night: nothing marked"
    assert lines[2].endswith("j19 and 980 more: lost; because")
    assert len(retry_data(retried)["kept"]) == 1_000


def test_what_was_cancelled_and_what_goes_on(job, shown):
    """Each reason once, and the command that fetches what goes on."""
    others = [GoesOn(job=job(name, state="rendering"), why="it renders") for name in "abc"]
    ended = Cancellation(**NIGHT, canceled=(job("fox", state="cancelled"),), goes_on=tuple(others))
    seen = shown(cancel_view(ended))
    assert "night: 1 task cancelled, not billed" in seen
    assert "a, b, c: it renders" in seen
    assert "`batchgen collect` fetches it" in seen
    told = cancel_data(ended)
    assert (told["exit_code"], [one["id"] for one in told["cancelled"]]) == (7, ["fox"])


def test_why_the_asking_ended(job, shown):
    """A refused key is told in the service's words, without its control characters."""
    stopped = Stopped(ExitCode.ACCOUNT, "InvalidApiKey: no\x1b[2J")
    seen = shown(
        cancel_view(
            Cancellation(
                **NIGHT,
                stopped=stopped,
                goes_on=(GoesOn(job=job("fox"), why="it was not asked about"),),
            )
        )
    )
    assert "stopped: InvalidApiKey: no" in seen
    assert "\x1b" not in seen


def test_nothing_at_the_service(shown):
    """There is nothing to cancel: one line."""
    assert shown(cancel_view(Cancellation(**NIGHT))) == "night: nothing of it is at the service"


@pytest.mark.parametrize("fate", Fate)
def test_each_fate_of_a_file_says_what_comes_next(shown, fate):
    """What was mended is done; for all else there is a command or a thing to do."""
    finding = Finding(job="fox", file="fox.mp4", flaw=Flaw.CUT, fate=fate, cost=PRICE)
    verification = Verification(**NIGHT, jobs=1, files=1, bytes=1, findings=(finding,))
    lines = shown(verify_view(verification)).splitlines()
    assert "  fox.mp4 (job fox): of another size" in lines
    assert (len(lines) == 4) == (fate is not Fate.MENDED)
    assert (verification.exit_code is ExitCode.DONE) == (fate is Fate.MENDED)


def test_a_job_is_paid_for_once_however_many_files_it_lost(shown):
    """Two pictures of one job are one sum."""
    two = [
        Finding(job="moon", file=f"moon-{n}.png", flaw=Flaw.MISSING, fate=Fate.EXPIRED, cost=PRICE)
        for n in (1, 2)
    ]
    verification = Verification(**NIGHT, jobs=1, files=2, bytes=1, findings=tuple(two))
    assert "2 files expired: USD 0.50" in shown(verify_view(verification))
    assert verify_data(verification)["expired"] == [{"amount": 0.5, "currency": "USD"}]


def test_held_doubts_are_a_persons_and_others_the_next_runs(job, batch, shown):
    """When the list is asked again is told; where it could not help, what a person can do."""
    asked = job("fox", state="in doubt", look_again_at=DAY, message="not on the list")
    held = job("owl", state="in doubt", held=True, message="two tasks look alike")
    seen = shown(status_view(batch(asked, held)), width=2_000)
    assert "1 job in doubt, held" in seen
    assert "retry --in-doubt" in seen
    assert "looked for again at 2026-09-21 14:13 UTC: not on the list" in seen
    told = status_data(batch(asked, held))["jobs"]
    assert [one["held"] for one in told] == [False, True]
    assert told[0]["look_again_at"] == "2026-09-21T14:13:20+00:00"


def test_the_next_step_is_a_command(job, batch, shown):
    """What is at the service by its deadline, what is to buy, and nothing while a run is at it."""
    jobs = job("a", state="rendering", deadline=DAY + 60), job("b", state="ready", deadline=DAY)
    report = batch(*jobs, job("c", state="pending"), job("d", adopted=True))
    seen = shown(status_view(report))
    assert (
        "next: `batchgen collect` fetches what 2 jobs may have at the service,"
        " until 2026-09-21 14:13 UTC at least"
    ) in seen
    assert "next: `batchgen run` sends 1 job" in seen
    assert "1 job adopted" in seen
    told = status_data(report)
    assert (told["adopted"], told["deadline"]) == (1, "2026-09-21T14:13:20+00:00")
    assert len(told["next"]) == 2
    assert status_data(batch(*jobs, holder="process 7"))["next"] == []
    assert status_data(batch(job("d")))["next"] == []


def test_what_is_bought_anew_is_no_trouble(job, batch, shown):
    """A changed job that the next run buys again needs no advice."""
    again = job("fox", state="changed", again=True)
    assert "1 job changed" not in shown(status_view(batch(again)))
    assert [one.id for one in batch(again).to_buy] == ["fox"]
