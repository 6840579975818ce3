"""Requests whose answers were lost: when they are sought, and what must not be sent meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batchgen.core import facts as f
from batchgen.core.actions import Poll, Search, Submit
from batchgen.core.job import IllegalStep
from batchgen.core.lifecycle import NEEDS_A_PERSON, State
from batchgen.core.news import News
from tests.core.histories import World, wishes

ADOPT, ABSENT, IN_VAIN, UNTOLD, BLIND, HOLD = range(6)
LOST = 3
SEARCH = Search("a", "fast")


def alike(*likenesses: str, **changes) -> World:
    """Jobs of one model with these prompts, the first of which has lost its answer."""
    jobs = wishes(len(likenesses))
    jobs = [
        replace(job, model="fast", likeness=likeness)
        for job, likeness in zip(jobs, likenesses, strict=True)
    ]
    world = World.wanting([replace(job, **changes) for job in jobs])
    submit = submits(world)[0]
    do(world, submit, LOST)
    return world


def do(world: World, action, outcome: int = 0) -> None:
    world.finish(action, *world.outcomes(action)[outcome]())


def submits(world: World) -> list[Submit]:
    return [action for action in world.decide() if isinstance(action, Submit)]


def sent(world: World) -> list[str]:
    """The jobs that are sent now, one after another, each taken by the service."""
    names = []
    for _ in range(20):
        for submit in submits(world):
            names.append(submit.job)
            do(world, submit)
        world.now += 0.2
    return names


def search(world: World, outcome: int) -> None:
    """Let the search that is due, or under way, end so."""
    world.decide()
    do(world, SEARCH, outcome)


def test_a_lost_answer_is_sought_at_once_and_the_run_waits_for_what_comes_of_it():
    """No POST until its absence is proved, its money stays reserved, and the run does not end."""
    world = alike("fox")
    assert not world.batch.settled
    assert world.batch.standing.reserved == 100
    search(world, IN_VAIN)
    assert world.decide() == ()
    assert world.batch.wake_at(world.now) == world.now + 30
    world.now += 30
    search(world, ABSENT)
    assert (len(world.posts), world.batch.standing.reserved) == (1, 0)
    (again,) = submits(world)
    assert (again.job, again.attempt) == ("job0", 1)


def test_a_task_that_was_found_is_polled_at_once_and_is_as_old_as_its_request():
    """It may have ended long ago; and it counts as in flight until that is seen."""
    world = alike("fox")
    world.now += 600
    search(world, ADOPT)
    job = world.batch.standing.jobs["job0"]
    world.now += 1 / 15
    assert world.decide() == (Poll("job0", 1),)
    assert (job.adopted, job.submitted_at, job.at_service) == (True, 1_000_000.0, True)
    do(world, Poll("job0", 1), 2)
    assert world.batch.wake_at(world.now) == world.now + 1, "from then on as any other"


def test_a_task_that_is_known_cannot_be_adopted():
    """One task is never two jobs'."""
    world = alike("fox", "owl")
    assert sent(world) == ["job1"]
    job = world.batch.standing.jobs["job0"]
    with pytest.raises(IllegalStep, match="t-job1 belongs to another"):
        world.note(f.Adopted(**world.says(job), task_id="t-job1", request_id=None))
    assert job.state is State.IN_DOUBT


def test_what_looks_alike_waits_for_the_doubt_and_those_behind_it_do_not():
    """A request that the list could not tell from the lost one, and one without a prompt, wait."""
    world = alike("fox", "fox", "", "owl", "fox", "bear")
    assert sent(world) == ["job3", "job5"]
    search(world, IN_VAIN)
    assert sent(world) == []
    world.now += 30
    search(world, HOLD)
    assert sent(world)[0] == "job1", "in the order of the manifest again"


def test_a_lost_request_without_a_prompt_lets_nobody_make_a_task():
    """Any task that appears may be its; answers without a task go on."""
    world = alike("", "fox", "")
    assert sent(world) == []
    world.note(
        f.Wanted(
            at=world.now,
            account="a",
            job="direct",
            request="d",
            model="fast",
            order=9,
            price=1,
            currency=None,
            direct=True,
        )
    )
    assert sent(world) == ["direct"]
    search(world, ADOPT)
    assert sent(world) == ["job1", "job2"]


def test_jobs_of_other_models_go_on():
    """The service's list is asked by model."""
    world = World.wanting([replace(job, likeness="fox") for job in wishes(4)])
    slow, fast = submits(world)
    do(world, slow, LOST)
    do(world, fast)
    assert "job3" in sent(world)


def test_a_run_that_died_during_a_post_leaves_a_doubt_that_the_next_one_seeks():
    """SubmitStarted without an answer becomes in doubt, by a fact, when the next run begins."""
    world = World.of(1)
    world.decide()
    world.crash()
    decision = world.batch.decide(world.now)
    assert [type(fact) for fact in decision.facts] == [f.SubmitLost]
    assert decision.actions == (Search("a", "slow"),)
    assert world.batch.standing.jobs["job0"].state in NEEDS_A_PERSON


def test_a_held_doubt_ends_the_run_and_the_next_one_seeks_it_anew():
    """With its searches counted from the start."""
    world = alike("fox")
    search(world, IN_VAIN)
    world.now += 30
    search(world, HOLD)
    assert world.decide() == ()
    assert world.batch.settled
    job = world.batch.standing.jobs["job0"]
    assert (job.held, job.searches, world.batch.standing.reserved) == (True, 1, 100)
    world.now += 3600
    world.crash()
    job = world.batch.standing.jobs["job0"]
    assert (job.held, job.searches, job.absent_since) == (False, 0, None)
    assert world.decide() == (SEARCH,)
    assert world.batch.doubts("a", "fast") == [job]


def test_an_answer_that_was_the_result_is_held_for_good():
    """There is no task to be found, in this run or any other, and nothing waits for it."""
    world = alike("fox", "fox", direct=True)
    assert sent(world) == ["job1"]
    world.crash()
    assert world.batch.standing.jobs["job0"].held
    assert world.batch.doubts("a", "fast") == []
    world.run(lambda _action: 0)
    assert world.batch.settled


def test_one_search_serves_all_doubts_of_a_model_and_there_is_one_at_a_time():
    """Searches take many questions; they come one after another."""
    world = World.of(4)
    for submit in submits(world):
        do(world, submit, LOST)
    world.now += 1
    for submit in submits(world):
        do(world, submit, LOST)
    assert world.searches == [(1_000_001.0, "slow")]
    assert [job.id for job in world.batch.doubts("a", "slow")] == ["job0", "job2"]
    do(world, Search("a", "slow"), IN_VAIN)
    world.now += 0.1
    assert world.decide() == (SEARCH,)


def test_a_search_that_learns_nothing_is_not_asked_again_at_once():
    """Whatever came in its way, a lane that is sought has a rest between two searches."""
    world = alike("fox")
    assert SEARCH in world.decide()
    world.finish(SEARCH)
    assert world.decide() == ()
    assert world.batch.wake_at(world.now) == world.now + 5


def test_without_a_key_nothing_is_sought_and_the_run_ends():
    """The doubts stay, for a run whose key is good."""
    world = alike("fox")
    assert world.decide() == (SEARCH,)
    world.finish(SEARCH, news=News(key_refused=True))
    assert world.decide() == ()
    assert world.batch.settled
    assert not world.batch.standing.jobs["job0"].held


def test_a_job_that_is_bought_again_keeps_the_money_of_what_may_still_be_billed():
    """A doubt that a person wrote off may be billed yet: its price stays reserved beside the new
    attempt's, within the budget."""
    world = alike("fox")
    search(world, HOLD)
    world.now += 60
    world.crash("job0")
    (again,) = submits(world)
    assert (again.attempt, world.batch.standing.reserved) == (2, 200)
    do(world, again)
    world.now += 2
    (poll,) = [action for action in world.decide() if isinstance(action, Poll)]
    do(world, poll)
    standing = world.batch.standing
    assert (standing.spent, standing.reserved) == (90, 100)


def test_a_job_that_is_bought_again_has_all_its_retries():
    """They count from the attempt at which a person wanted it anew."""
    world = World.of(1)
    world.run(lambda action: 3 if isinstance(action, Poll) else 0)
    assert len(world.posts) == 2
    world.crash("job0")
    world.run(lambda action: 3 if isinstance(action, Poll) else 0)
    assert len(world.posts) == 4
    assert world.batch.standing.jobs["job0"].state is State.FAILED


def test_the_newest_of_the_services_clock_is_written_down_with_a_submit():
    """Nothing before the first answer; later what the last one told, and what has gone by since."""
    world = World.of(5)
    first, second = submits(world)
    for submit in (first, second):
        do(world, submit)
    world.batch.see_service_time(world.now, 5000.0)
    world.batch.see_service_time(world.now - 9, 4000.0)
    world.now += 1
    third = submits(world)[0]
    jobs = world.batch.standing.jobs
    assert [jobs[submit.job].service_time for submit in (first, third)] == [None, 5001.0]


def test_a_request_remembers_to_which_host_and_with_which_key_it_was_sent():
    """Whatever is asked later; and one that is sent again, the newest place."""
    world = alike("fox", "owl")
    jobs = world.batch.standing.jobs
    assert jobs["job0"].endpoint is None, "nobody noted it"
    world.note(f.Connected(at=world.now, account="a", endpoint="here"))
    assert sent(world) == ["job1"]
    world.note(f.Connected(at=world.now, account="a", endpoint="there"))
    assert (jobs["job0"].endpoint, jobs["job1"].endpoint) == (None, "here")
    search(world, IN_VAIN)
    world.now += 30
    search(world, ABSENT)
    assert sent(world) == ["job0"]
    assert jobs["job0"].endpoint == "there"


def test_a_run_that_may_buy_something_says_so():
    """Then the service's clock is looked at first. Not where it only collects, or seeks."""
    assert World.of(2).batch.buys
    world = alike("fox")
    assert not world.batch.buys
    world = World.of(1)
    world.run(lambda _action: 0)
    assert not world.batch.buys
