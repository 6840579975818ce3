"""What a batch decides: the limits, the quiet, the end, and the same again from the facts alone."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.core import facts as f
from batchgen.core.actions import Download, Poll, Prepare, Seal, Submit, Survey
from batchgen.core.allowance import LEAD
from batchgen.core.batch import Batch
from batchgen.core.lifecycle import SETTLED, STEPS, State
from batchgen.core.news import NOTHING, News
from batchgen.core.policy import LONGEST_PAUSE, RetryPolicy
from batchgen.core.roll import Census
from batchgen.core.wishes import Wish, difference, is_kept
from tests.core.histories import SIZE, World, needy, policy, wishes

BUDGET = 450


def check(world: World) -> None:
    """What must hold at every step of every history."""
    batch, standing, now = world.batch, world.batch.standing, world.now
    assert not batch.decide(now), "a decision was asked for twice and came twice"
    assert batch.wake_at(now) > now
    for lane in standing.lanes.values():
        assert lane.posting <= 1
        assert lane.in_flight <= lane.limits.running + LEAD * lane.limits.submits_per_second
        assert lane.submitting - lane.posting <= lane.limits.running
        assert lane.at_service == sum(
            job.at_service for job in standing.jobs.values() if job.model == lane.model
        )
    assert standing.spent + standing.reserved <= (batch.policy.budget or sys.maxsize)
    assert standing.reserved - standing.preparations.reserved == sum(
        job.reserved for job in standing.jobs.values()
    )
    needs = [action.need for action in batch.under_way if isinstance(action, Prepare)]
    assert len(needs) == len(set(needs)) <= batch.policy.preparations
    assert sum(standing.counts.values()) == len(standing.jobs)
    assert standing.bytes_ahead == sum(job.bytes_ahead for job in standing.jobs.values()) >= 0
    sought = [job for job in standing.jobs.values() if job.is_sought]
    for lane in standing.lanes.values():
        doubts = batch.doubts(*lane.key)
        assert lane.sought == Counter(job.likeness for job in doubts)
        assert sorted(doubts, key=id) == sorted((d for d in sought if d.lane == lane.key), key=id)
    assert Batch(batch.policy, facts=world.log).standing == standing
    idle = not batch.under_way and not batch.settled
    assert not idle or batch.wake_at(now) < float("inf"), "stuck"


def check_pace(world: World) -> None:
    """The submit rate of every lane and the query rate of the account, over the whole history."""
    for lane in world.batch.standing.lanes.values():
        times = [at for at, model in world.posts if model == lane.model]
        many = int(lane.limits.submits_per_second)
        seconds = many / lane.limits.submits_per_second
        spans = zip(times, times[many:], strict=False)
        assert all(last - first >= seconds - 1e-6 for first, last in spans)


@st.composite
def some_wishes(draw) -> list[Wish]:
    """Jobs of both models, of which some share needs, some are answered directly, some look alike,
    and some have no prompt to be told by."""
    return [
        replace(
            wish,
            needs=needy(draw(st.integers(0, 4)), wish.model),
            direct=draw(st.booleans()),
            likeness=draw(st.sampled_from([wish.likeness, "", "fox", "owl"])),
        )
        for wish in wishes(draw(st.integers(1, 7)))
    ]


any_wishes = some_wishes()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_history_keeps_the_limits_and_comes_back_from_its_facts(data):
    """Outcomes in any order, lost answers and what is found of them, lists that say anything,
    crashes, jobs bought again, a disk that fills and empties: nothing breaks a limit or the replay,
    or buys beside a doubt."""
    world = World.wanting(
        data.draw(any_wishes),
        budget=data.draw(st.sampled_from([None, BUDGET])),
        stop_after_failures=data.draw(st.sampled_from([None, 2])),
        disk_margin=SIZE,
    )
    for _ in range(data.draw(st.integers(0, 60))):
        assert world.batch.wake_at(world.now) > world.now
        world.decide()
        check(world)
        running = sorted(world.batch.under_way, key=repr)
        step = data.draw(st.integers(0, 10))
        if step == 0:
            world.crash(*some_of(data, renewable(world)))
        elif step == 10:
            world.free = data.draw(st.none() | st.integers(0, 6 * SIZE))
        elif running and step < 8:
            action = data.draw(st.sampled_from(running))
            news = News(census=data.draw(any_census(world))) if is_survey(action) else NOTHING
            facts = data.draw(st.sampled_from(world.outcomes(action)))()
            world.finish(action, *facts, news=news)
        elif world.batch.wake_at(world.now) < float("inf"):
            world.wait()
    check_pace(world)
    finish_well(world)


def is_survey(action) -> bool:
    return isinstance(action, Survey)


def any_census(world: World) -> st.SearchStrategy[Census | None]:
    """What a list may say of the tasks, true or not, theirs or others'."""
    known = sorted(job.task_id for job in world.batch.standing.jobs.values() if job.task_id)
    tasks = st.frozensets(st.sampled_from([*known, "somebody's"]), max_size=4)
    return st.none() | st.builds(
        Census,
        asked_at=st.just(world.now),
        rendering=tasks,
        waiting=st.none() | tasks,
        ended=tasks,
        rendering_pages=st.integers(1, 3),
        waiting_pages=st.integers(1, 3),
        whole=st.booleans(),
    )


def some_of(data, names: list[str]) -> list[str]:
    return data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []


def renewable(world: World) -> list[str]:
    jobs = world.batch.standing.jobs.values()
    return [job.id for job in jobs if f.Renewed in STEPS[job.state]]


def finish_well(world: World) -> None:
    """With a healthy service and disk from here on, the run ends, and every job with it."""
    world.free = None
    for _ in range(400):
        world.decide()
        check(world)
        if world.batch.settled:
            break
        if world.batch.under_way:
            action = min(world.batch.under_way, key=repr)
            world.finish(action, *world.outcomes(action)[0]())
        else:
            world.wait()
    assert world.batch.settled
    batch = world.batch
    stopped = batch.standing.stops or batch.budget_reached or batch.failing
    open_jobs = [job for job in world.batch.standing.jobs.values() if job.state not in SETTLED]
    assert not open_jobs or (stopped and {job.state for job in open_jobs} == {State.PENDING})


def test_nothing_is_bought_twice_in_a_healthy_batch():
    """Each job is posted once, in the order of the manifest."""
    world = World.of(6)
    finish_well(world)
    assert len(world.posts) == 6
    assert world.batch.standing.counts[State.DONE] == 6
    assert world.batch.standing.spent == 6 * 90


def test_a_cap_over_the_batch_lifts_the_models_own_number():
    """max_in_flight replaces the catalog's number and holds over all models together."""
    world = World.of(12, max_in_flight=5)
    peak = 0
    for _ in range(40):
        for action in world.decide():
            if isinstance(action, Submit):
                world.finish(action, *world.outcomes(action)[0]())
            elif isinstance(action, Poll):
                world.finish(action)
        peak = max(peak, world.batch.standing.in_flight)
        world.wait()
    assert peak == 5


def test_a_query_leaves_only_as_often_as_the_account_allows():
    """Many tasks due at once are looked at one after another, at the account's rate."""
    world = World.of(6, max_in_flight=6)
    world.run(lambda action: 0 if isinstance(action, Submit) else None, steps=150)
    assert len(world.polls) > 20
    assert min(later - earlier for earlier, later in pairwise(world.polls)) >= 1 / 20 - 1e-6


def test_the_soonest_deadline_is_fetched_first():
    """With one download at a time, the result that dies first is fetched first, and again so after
    both had to wait."""
    world = World.of(2, downloads=1)
    for submit in world.decide():
        world.finish(submit, *world.outcomes(submit)[0]())
    for name, expires in (("job0", 5000), ("job1", 400)):
        rendered = world.outcomes(Poll(name, 1))[0]()[0]
        one = (f.ResultRef(path="1"),)
        world.note(replace(rendered, expires=world.now + expires, results=one))
    (first,) = world.decide()
    assert first == Download("job1", 1, 0)
    world.finish(first, *world.outcomes(first)[1]())
    (second,) = world.decide()
    world.finish(second, *world.outcomes(second)[1]())
    world.wait()
    assert world.decide() == (Download("job1", 1, 0),)


def test_a_failure_that_is_worth_it_gets_one_more_attempt_and_no_third():
    """InternalError is tried again once; the second failure is final, and no rerun resends it."""
    world = World.of(1, retry=RetryPolicy(attempts=2))
    world.run(lambda action: 3 if isinstance(action, Poll) else 0)
    assert len(world.posts) == 2
    world.crash()
    assert world.decide() == ()
    assert world.batch.standing.jobs["job0"].state is State.FAILED


def test_a_task_that_runs_for_ever_is_parked_and_looked_at_by_the_next_run():
    """RUNNING past four hours is a person's matter; the next run polls it once more at once."""
    world = World.of(1)
    outcomes = {Submit: iter([0]), Poll: iter([2])}
    world.run(lambda action: next(outcomes[type(action)], None), steps=3000)
    job = world.batch.standing.jobs["job0"]
    assert job.state is State.PARKED
    assert 4 * 3600 < world.now - 1_000_000 < 4 * 3600 + 60
    world.crash()
    assert world.decide() == (Poll("job0", 1),)


def test_a_stopped_account_buys_nothing_and_a_new_run_tries_again():
    """A LaneStopped ends the submits of this run only."""
    world = World.of(4)
    for action in world.decide():
        world.finish(action, *world.outcomes(action)[4]())
    assert world.decide() == ()
    assert world.batch.settled
    world.crash()
    world.now += 10
    assert {type(action) for action in world.decide()} == {Submit}


def test_a_clock_set_back_never_makes_a_run_wait_longer_than_the_longest_pause():
    """A pause noted in what is now the future is cut when the next run begins."""
    world = World.of(2)
    submit, other = world.decide()
    world.finish(submit, *world.outcomes(submit)[1]())
    world.finish(other, *world.outcomes(other)[0]())
    world.now -= 86400
    world.crash()
    assert world.batch.wake_at(world.now) <= world.now + LONGEST_PAUSE


def test_results_that_vanished_are_fetched_again_without_a_submit():
    """A deleted file costs a poll and a download, never a POST."""
    world = World.of(1)
    finish_well(world)
    world.crash()
    world.note(f.ResultsVanished(at=world.now, account="a", job="job0", attempt=1, indexes=(1,)))
    kinds = []
    world.run(lambda action: kinds.append(type(action)) or 0)
    assert kinds == [Poll, Download, Seal]
    assert world.batch.standing.spent == 90


def test_a_remainder_is_sealed_once_when_nothing_is_under_way_any_more():
    """Results that were saved before the rest expired get one sidecar; what stands in its way is
    looked at again by the next run only."""
    world = World.of(1)
    (submit,) = world.decide()
    world.finish(submit, *world.outcomes(submit)[0]())
    world.wait()
    (poll,) = world.decide()
    world.finish(poll, *world.outcomes(poll)[0]())
    first, second = world.decide()
    world.finish(first, *world.outcomes(first)[2]())
    world.wait()
    (poll,) = world.decide()
    world.finish(poll, world._gone(world.job(poll), vars_of(poll, world)))
    assert world.decide() == (), "a download is still under way"
    world.finish(second, *world.outcomes(second)[0]())
    (seal,) = world.decide()
    assert isinstance(seal, Seal)
    world.finish(seal, f.Parked(**vars_of(seal, world), reason="in the way"))
    assert world.decide() == ()
    assert world.batch.settled
    world.crash()
    (seal,) = world.decide()
    world.finish(seal, f.SealedInPart(**vars_of(seal, world)))
    world.crash()
    assert world.decide() == ()


def vars_of(action, world: World) -> dict:
    """What a fact about an action says first."""
    return {"at": world.now, "account": "a", "job": action.job, "attempt": action.attempt}


def test_a_changed_request_is_taken_before_it_is_paid_and_only_noted_after():
    """The manifest may change what is pending; what was bought stays as it was bought."""
    world = World.of(2)
    submit = world.decide()[0]
    world.finish(submit, *world.outcomes(submit)[0]())
    edited = [
        Wish(job=wish.job, request="new", model=wish.model, order=wish.order, price=100)
        for wish in [*wishes(1), Wish(job="job9", request="r", model="slow", order=9)]
    ]
    found = difference(world.batch.standing, edited, account="a", at=world.now)
    assert found.changed == {"job0"}
    assert [(type(fact), fact.job) for fact in found.facts] == [(f.Wanted, "job9")]


def test_what_was_bought_as_it_is_wanted_need_not_be_compared():
    """Of a hundred thousand jobs that are done, naming them is enough: the difference is the same,
    whatever else is new, changed, or gone."""
    world = World.of(6)
    world.run(lambda action: 2 if action == Submit("job3", 1) else 0)
    standing = world.batch.standing
    edited = replace(wishes(1)[0], request="new")
    wanted = [edited, *wishes(6)[1:5], replace(edited, job="job9")]
    kept = {wish.job for wish in wanted if is_kept(standing, wish.job, wish.request)}
    assert kept == {"job1", "job2", "job4"}
    others = [wish for wish in wanted if wish.job not in kept]
    says = {"account": "a", "at": world.now}
    found = difference(standing, others, **says, kept=kept)
    assert found == difference(standing, wanted, **says)
    assert (found.changed, [fact.job for fact in found.facts]) == ({"job0"}, ["job9"])


def test_a_job_taken_out_of_the_manifest_is_withdrawn_only_while_unpaid():
    """Removing a job stops it before it is bought, and never hides what was bought."""
    world = World.of(3, max_in_flight=1)
    (submit,) = world.decide()
    world.finish(submit, *world.outcomes(submit)[0]())
    found = difference(world.batch.standing, [], account="a", at=world.now)
    assert {(type(fact), fact.job) for fact in found.facts} == {
        (f.Withdrawn, "job1"),
        (f.Withdrawn, "job2"),
    }


def test_only_the_chosen_jobs_are_submitted():
    """A run limited to some jobs buys no other."""
    batch = Batch(policy(), chosen={"job1"})
    for fact in difference(batch.standing, wishes(4), account="a", at=1.0).facts:
        batch.after(fact)
    assert [a.job for a in batch.decide(2.0).actions if isinstance(a, Submit)] == ["job1"]


def test_the_representation_is_a_status_line():
    """What a debugger shows is what a person would ask."""
    world = World.of(3)
    world.decide()
    assert repr(world.batch) == "<Batch of <Standing: 1 pending, 2 submitting>, 2 under way>"
    assert repr(world.batch.standing.jobs["job0"]) == "<Job job0 submitting, attempt 1>"
