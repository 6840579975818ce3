"""One job: every step is in the table, and a step that is not leaves the job as it was."""

from __future__ import annotations

import copy

import pytest

from batchgen.core import facts as f
from batchgen.core.job import IllegalStep, Job
from batchgen.core.lifecycle import NEEDS_A_PERSON, SETTLED, STEPS, UNPAID, State

SAYS = {"at": 10.0, "account": "a", "job": "fox"}
TRY = {**SAYS, "attempt": 1}
WANTED = f.Wanted(**SAYS, request="r", model="m", order=0, price=100, currency="USD")
STARTED = f.SubmitStarted(**TRY)
SUBMITTED = f.Submitted(**TRY, task_id="t", request_id="q")


def rendered(*results: f.ResultRef) -> f.Rendered:
    return f.Rendered(
        **TRY,
        results=results or (f.ResultRef(path="p"),),
        expires=99.0,
        usage=None,
        cost=None,
        submit_time=None,
        end_time=None,
        request_id=None,
        orig_prompt=None,
        actual_prompt=None,
        texts=(),
    )


def saved(index: int = 0) -> f.Saved:
    return f.Saved(**TRY, index=index, file={"path": "fox.mp4", "bytes": 7})


def job(*facts: f.JobFact) -> Job:
    it = Job("fox", "a")
    for fact in facts:
        it.after(fact)
    return it


def test_every_state_and_every_fact_of_a_job_has_its_place_in_the_table():
    """No state is forgotten, and no kind of job fact can never happen."""
    assert set(STEPS) == set(State)
    used = {kind for steps in STEPS.values() for kind in steps}
    known = {kind for kind in f.Kinds.by_name.values() if issubclass(kind, f.JobFact)}
    assert used == known
    assert not UNPAID & NEEDS_A_PERSON - {State.CANCELED}
    assert NEEDS_A_PERSON < SETTLED


def test_an_illegal_step_leaves_the_job_as_it_was_and_tells_its_story():
    """The error names the job, its state, the fact and how it came there."""
    it = job(WANTED, STARTED, SUBMITTED)
    before = copy.deepcopy(it)
    with pytest.raises(IllegalStep) as caught:
        it.after(STARTED)
    assert it == before
    assert str(caught.value) == (
        "job 'fox' is rendering (attempt 1) and cannot take SubmitStarted: no such step from this"
        " state; its story: Wanted -> SubmitStarted -> Submitted"
    )


@pytest.mark.parametrize(
    ("facts", "fact", "why"),
    [
        (
            (WANTED, STARTED),
            f.Submitted(**{**TRY, "attempt": 2}, task_id="t", request_id=None),
            "2",
        ),
        ((WANTED, STARTED, SUBMITTED, rendered()), saved(1), "result 1 is not wanted"),
        ((WANTED, STARTED, SUBMITTED, rendered(), saved()), saved(), "result 0 is not wanted"),
        ((WANTED, STARTED, SUBMITTED, rendered()), f.Sealed(**TRY), "results are still wanted"),
    ],
)
def test_a_fact_about_something_else_is_refused(facts, fact, why):
    """Another attempt, another result, or a seal on an open job cannot be taken in."""
    with pytest.raises(IllegalStep, match=why):
        job(*facts).after(fact)


def test_money_is_reserved_at_the_submit_and_settled_by_the_service():
    """Reserved is the worst case, spent is the bill; a failure releases what was reserved."""
    it = job(WANTED, STARTED)
    assert (it.reserved, it.spent) == (100, 0)
    it.after(SUBMITTED)
    failed = copy.deepcopy(it)
    failed.after(f.TaskFailed(**TRY, code="X", message="no"))
    assert (failed.reserved, failed.spent) == (0, 0)
    it.after(rendered())
    assert (it.reserved, it.spent) == (0, 100), "without a bill the worst case counts"


def test_a_doubtful_submit_keeps_its_money_reserved():
    """It may have been bought: the budget must not be used twice."""
    it = job(WANTED, STARTED, f.SubmitLost(**TRY, reason="reset"))
    assert (it.state, it.reserved) == (State.IN_DOUBT, 100)


def test_a_deferred_submit_uses_no_attempt_up():
    """What the service surely did not take never happened; the next submit has its number."""
    it = job(WANTED, STARTED, f.Deferred(**TRY, until=20.0, code="Throttling", message="later"))
    it.after(STARTED)
    assert (it.attempt, it.state) == (1, State.SUBMITTING)


def test_a_task_that_made_only_some_of_its_results_ends_partial():
    """The rest carries the service's words."""
    broken = f.ResultRef(code="InternalError.Timeout", message="too slow")
    it = job(WANTED, STARTED, SUBMITTED, rendered(f.ResultRef(path="p"), broken), saved())
    assert it.whole
    it.after(f.SealedInPart(**TRY))
    assert (it.state, it.message) == (State.PARTIAL, "InternalError.Timeout: too slow")


def test_urls_that_went_stale_are_asked_for_again_and_keep_what_was_saved():
    """A second Rendered of the same attempt changes no money and no saved result."""
    two = rendered(f.ResultRef(path="1"), f.ResultRef(path="2"))
    it = job(WANTED, STARTED, SUBMITTED, two, saved(0))
    it.after(f.LinkStale(**TRY, index=1, until=30.0, reason="403"))
    assert it.stale_until == 30.0
    it.after(two)
    assert (it.stale_until, it.spent) == (None, 100)
    assert [result.state for result in it.results] == ["saved", "wanted"]


def test_the_representation_tells_files():
    """A debugger shows where the job stands in one line."""
    assert repr(job(WANTED, STARTED, SUBMITTED, rendered())) == (
        "<Job fox ready, attempt 1, 0/1 files>"
    )
