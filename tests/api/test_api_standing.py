"""What is paid for and not on disk is named with its deadline, whatever keeps it from coming."""

from __future__ import annotations

import pytest

from batchgen.api.standing import report_of
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.errors import ExitCode

SAYS = {"at": 1.0, "account": "a", "job": "fox"}
ATTEMPT = {**SAYS, "attempt": 1}
SENT = (
    f.Wanted(**SAYS, request="r", model="m", order=0, price=100, currency="USD"),
    f.SubmitStarted(**ATTEMPT),
    f.Submitted(**ATTEMPT, task_id="0385dc79", request_id=None),
)
RENDERED = f.Rendered(
    **ATTEMPT,
    results=(f.ResultRef(path="/1.png"), f.ResultRef(path="/2.png")),
    expires=86_500.0,
    usage={},
    cost=None,
    submit_time=None,
    end_time=None,
    request_id=None,
    orig_prompt=None,
    actual_prompt=None,
    texts=(),
)
SAVED = [
    f.Saved(**ATTEMPT, index=index, file={"path": f"fox-{index + 1}.png", "bytes": 3})
    for index in (0, 1)
]
STUCK = (f.Parked(**ATTEMPT, reason="a file is in the way"),)
LOST = (f.Parked(**ATTEMPT, reason="..."), f.Lost(**ATTEMPT, reason="UNKNOWN"))


@pytest.mark.parametrize(
    ("facts", "deadline"),
    [
        (SENT, 1.0 + 24 * 3_600),
        ((*SENT, RENDERED), 86_500.0),
        ((*SENT, RENDERED, SAVED[0]), 86_500.0),
        ((*SENT, RENDERED, *SAVED), None),
        ((*SENT, RENDERED, *STUCK), 86_500.0),
        ((*SENT, RENDERED, SAVED[0], *STUCK), 86_500.0),
        ((*SENT, RENDERED, *LOST), 86_500.0),
        ((*SENT, *STUCK), None),
        ((*SENT, f.Lost(**ATTEMPT, reason="UNKNOWN")), None),
        ((*SENT, RENDERED, f.Expired(**ATTEMPT, reason="over")), None),
    ],
)
def test_a_deadline_where_something_waits_to_be_fetched(facts, deadline):
    """Made, paid for, and one result still to come: known until when; else there is none."""
    job = Job("fox", "a")
    for fact in facts:
        job.after(fact)
    assert report_of(job).deadline == deadline


@pytest.mark.looptime
async def test_what_is_stuck_is_named_with_its_deadline(night):
    """Somebody's file takes the name while the video is made: the run's end and the next look say
    by when it must go, and that ``collect`` fetches it; once it has gone, nothing is bought.
    """
    text = "jobs: [{id: owl, model: wan2.2-t2v-plus, size: 832*480, prompt: An owl.}]"
    mine = night.output / "owl.mp4"

    def stand_in_the_way(progress):
        if progress.at_service and not mine.exists():
            mine.write_text("not yours")

    summary = await night.go(text, stop_when=stand_in_the_way)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    (owl,) = summary.unfetched
    assert (owl.state, owl.deadline) == ("stuck", night.look().deadline)
    assert [job.id for job in night.look().to_collect] == ["owl"]
    mine.unlink()
    assert (await night.collect()).exit_code is ExitCode.DONE
    assert night.bill.tasks_created == 1
