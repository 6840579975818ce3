"""What jobs need before they are sent: met once, ahead of the lanes, and never used too late."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batchgen.core import facts as f
from batchgen.core.actions import Prepare, Search, Submit, Survey
from batchgen.core.batch import Batch
from batchgen.core.lifecycle import State
from batchgen.core.needs import MOST_LOST, Preparation
from batchgen.core.policy import LONGEST_PAUSE
from batchgen.core.wishes import Wish, difference
from tests.core.histories import World, check, upload, wishes

HOUR = 3600.0


def wanting(*needs: tuple[f.Need, ...], model: str = "fast") -> list[Wish]:
    """One job for each group of needs."""
    jobs = wishes(len(needs))
    return [replace(job, model=model, needs=of) for job, of in zip(jobs, needs, strict=True)]


def do(world: World, action, outcome: int = 0) -> None:
    world.finish(action, *world.outcomes(action)[outcome]())


def names(world: World) -> list[str]:
    """What is begun now: files and checks by what they are of, submits by their job."""
    return [
        action.need.content if isinstance(action, Prepare) else action.job
        for action in world.decide()
        if not isinstance(action, Search)
    ]


def run_on(world: World, until: float) -> list[str]:
    """Let everything end well up to a moment; what was begun, in order."""
    begun = []
    while world.now <= until:
        while actions := world.decide():
            for action in actions:
                if isinstance(action, Prepare):
                    begun.append(action.need.content)
                elif not isinstance(action, Survey):
                    begun.append(action.job)
                do(world, action)
        if world.batch.settled:
            break
        world.wait()
    return begun


SKY, SEA, SUN = (upload(name, "fast") for name in ("sky", "sea", "sun"))


def test_a_file_is_uploaded_once_for_all_the_jobs_that_need_it():
    """The second job follows as soon as the first one's upload is there."""
    world = World.wanting(wanting((SKY,), (SKY,)))
    (prepare,) = world.decide()
    assert prepare == Prepare("job0", SKY)
    assert world.decide() == ()
    do(world, prepare)
    assert names(world) == ["job0"]
    assert world.batch.queued(world.batch.standing.lanes["a", "fast"]) == 1


def test_the_same_file_is_another_one_for_another_model():
    """An upload holds for one model: the service binds it."""
    jobs = [*wanting((upload("sky", "slow"),), model="slow"), *wanting((), (SKY,))[1:]]
    world = World.wanting(jobs)
    assert [action.need.model for action in world.decide()] == ["slow", "fast"]


def test_jobs_that_need_nothing_do_not_wait_for_those_that_do():
    """The lane is never idle while something could be sent."""
    world = World.wanting(wanting((SKY,), ()))
    assert names(world) == ["sky", "job1"]


def test_uploads_run_ahead_of_the_lane_but_not_far():
    """Two at once, for about as many jobs as the lane has room for."""
    files = [(upload(f"file{n}", "fast"),) for n in range(20)]
    world = World.wanting(wanting(*files))
    begun = []
    for _ in range(10):
        for action in world.decide():
            if isinstance(action, Prepare):
                begun.append(action.need.content)
                do(world, action)
        assert sum(isinstance(action, Prepare) for action in world.batch.under_way) <= 2
    assert begun == [f"file{n}" for n in range(5)], "four wait, and one has left its place"


def test_an_upload_that_ends_before_its_turn_is_made_anew():
    """A job that was ready, and waited in line for two days, is not sent with a dead address."""
    world = World.wanting(wanting((SKY,), (SKY,)))
    do(world, world.decide()[0])
    (post,) = world.decide()
    world.now += 47 * HOUR
    do(world, post)
    assert [action.need for action in world.decide() if isinstance(action, Prepare)] == [SKY]


def test_a_need_of_two_models_jobs_is_met_once_even_after_a_wait_for_hands():
    """Both lines had it due; the one that comes second finds it under way."""
    face = (upload("face", "judge"), check("face"))
    both = (upload("sky", "slow"), upload("sea", "slow"))
    slow = wanting(both, face, model="slow")
    world = World.wanting([*slow, replace(wanting(face)[0], job="job2", order=2)])
    sky, in_turn = world.decide()
    assert (sky.need.content, in_turn.need.content) == ("sky", "face")
    do(world, sky)
    (sea,) = world.decide()
    do(world, sea)
    assert names(world) == ["job0"]


def test_a_job_deferred_beyond_the_life_of_its_upload_gets_a_new_one():
    """The service's patience may be longer than its memory."""
    world = World.wanting(wanting((SKY,)))
    do(world, world.decide()[0])
    (post,) = world.decide()
    says = {"at": world.now, "account": "a", "job": "job0", "attempt": 1}
    until = world.now + 47 * HOUR
    world.finish(post, f.Deferred(**says, until=until, code="Throttling", message="later"))
    world.wait()
    assert world.now == until
    assert names(world) == ["sky"]


def test_a_replay_knows_what_was_uploaded():
    """A new run sends at once what the last one prepared, and nothing twice."""
    world = World.wanting(wanting((SKY,), (SKY,)))
    do(world, world.decide()[0])
    world.crash()
    assert names(world) == ["job0"]


def test_a_broken_upload_waits_and_is_made_again():
    """After its pause, whatever else happens."""
    world = World.wanting(wanting((SKY,)))
    do(world, world.decide()[0], 1)
    assert world.decide() == ()
    began = world.now
    world.wait()
    assert world.now == began + 5
    assert names(world) == ["sky"]


def test_a_refused_file_fails_every_job_that_needs_it_and_no_other():
    """In the service's words, for nothing; the next run may try again."""
    world = World.wanting(wanting((SKY,), (SKY, SEA), (SEA,)))
    sky, _sea = world.decide()
    do(world, sky, 2)
    decision = world.batch.decide(world.now)
    assert [(type(fact), fact.job, fact.code) for fact in decision.facts] == [
        (f.Barred, "job0", "InvalidImage"),
        (f.Barred, "job1", "InvalidImage"),
    ]
    assert world.batch.standing.jobs["job2"].state is State.PENDING
    world.log.extend(decision.facts)
    world.crash()
    world.note(replace_wanted(world, "job0"))
    assert "sky" in names(world)


def replace_wanted(world: World, job: str) -> f.Wanted:
    """What asks for a failed job again."""
    return next(replace(fact, at=world.now) for fact in world.log if is_wanted(fact, job))


def is_wanted(fact: f.Fact, job: str) -> bool:
    return isinstance(fact, f.Wanted) and fact.job == job


def test_a_job_whose_own_file_changed_fails_alone():
    """Another job has the same content under another name, and is tried for itself."""
    world = World.wanting(wanting((SKY,), (SKY,)))
    do(world, world.decide()[0], 3)
    assert world.batch.standing.jobs["job0"].code == "InputChanged"
    assert world.decide() == (Prepare("job1", SKY),)


@pytest.mark.parametrize("stop", ["closed", "stopped", "no money"])
def test_no_upload_begins_for_what_cannot_be_bought(stop):
    """A closed run, a stopped model and an empty budget prepare nothing, and come to an end."""
    world = World.wanting(wanting((SKY,)), budget=50 if stop == "no money" else None)
    if stop == "closed":
        world.batch.stop_submitting()
    elif stop == "stopped":
        world.note(world._stopped("fast"))
    assert world.decide() == ()
    assert world.batch.settled
    assert world.batch.budget_reached is (stop == "no money")


FACE = (upload("face", "judge"), check("face"), upload("face", "fast"))


def test_a_check_comes_before_the_rest_and_once_for_all():
    """Its own upload first, then the check, and only then the file for the job."""
    world = World.wanting(wanting(FACE, FACE))
    seen = []
    while not any(isinstance(action, Submit) for action in world.batch.under_way):
        (action,) = world.decide()
        if isinstance(action, Prepare):
            seen.append((action.need.kind, action.need.model))
            do(world, action)
    assert seen == [("upload", "judge"), ("check", "judge"), ("upload", "fast")]
    assert world.batch.standing.spent == 3


def test_the_price_of_a_check_is_reserved_before_it_is_made():
    """And settled by its answer; a lost one stays reserved, and is made again a few times."""
    world = World.wanting(wanting((check("face"),)))
    standing = world.batch.standing
    for lost in range(1, MOST_LOST + 1):
        (action,) = world.decide()
        assert isinstance(world.log[-1], f.CheckStarted)
        assert standing.reserved == 4 * lost
        do(world, action, 4)
        assert standing.reserved == 4 * lost
        if lost < MOST_LOST:
            world.wait()
    assert [type(fact) for fact in world.batch.decide(world.now).facts] == [f.Barred]
    assert (standing.spent, standing.reserved) == (0, 12)


@pytest.mark.parametrize(("budget", "begun"), [(103, []), (104, ["face"])])
def test_a_check_is_made_only_where_its_job_can_be_afforded_as_well(budget, begun):
    """To the last micro-unit: the check's price and the job's worst case together."""
    world = World.wanting(wanting((check("face"),)), budget=budget)
    assert names(world) == begun


def test_a_check_that_died_with_its_run_is_made_again_and_stays_reserved():
    """Nobody knows whether it was billed."""
    world = World.wanting(wanting((check("face"),)))
    world.decide()
    world.crash()
    (action,) = world.decide()
    assert world.batch.standing.reserved == 8
    do(world, action)
    assert (world.batch.standing.reserved, world.batch.standing.spent) == (4, 3)


def test_a_failed_check_stays_failed_and_is_paid_for_once():
    """The next run knows it, and asks nobody."""
    world = World.wanting(wanting((check("face"),)))
    do(world, world.decide()[0], 3)
    world.decide()
    world.crash()
    world.note(replace_wanted(world, "job0"))
    assert world.decide() == ()
    assert world.batch.standing.jobs["job0"].state is State.FAILED
    assert world.batch.standing.spent == 4


def test_a_changed_price_of_a_check_is_news():
    """The budget must count with what the catalog says today."""
    world = World.wanting(wanting((check("face", price=4),)))
    dearer = wanting((check("face", price=4000),))
    (fact,) = difference(world.batch.standing, dearer, account="a", at=world.now).facts
    world.note(fact)
    world.decide()
    assert world.batch.standing.reserved == 4000


@pytest.mark.parametrize("change", [{"needs": (SKY,)}, {"direct": True}, {"price": 7}])
def test_changed_terms_of_a_job_are_news(change):
    """The request is the same, but not what it needs, how it is answered, or its price."""
    world = World.wanting(wanting(()))
    (changed,) = (replace(wish, **change) for wish in wanting(()))
    (fact,) = difference(world.batch.standing, [changed], account="a", at=world.now).facts
    world.note(fact)
    assert not difference(world.batch.standing, [changed], account="a", at=world.now).facts


def again(world: World) -> None:
    """Another run with the same manifest."""
    world.batch = Batch(world.batch.policy, facts=world.log)
    world.start(world.wanted)


@pytest.mark.parametrize("outcome", [2, 3], ids=["the file is refused", "it has changed"])
def test_what_was_not_sent_is_tried_anew_by_the_next_run(outcome):
    """Whatever the code: nothing was sent, so nothing can be bought twice."""
    world = World.wanting(wanting((SKY,)))
    do(world, world.decide()[0], outcome)
    world.decide()
    assert world.batch.settled
    again(world)
    assert names(world) == ["sky"]


def test_what_was_found_wrong_at_the_last_moment_is_tried_anew_and_a_refusal_is_not():
    """Only a request that never left is as good as new."""
    world = World.wanting(wanting((), ()))
    (first,) = world.decide()
    says = {"at": world.now, "account": "a", "attempt": 1, "code": "X", "message": "no"}
    world.finish(first, f.Refused(**says, job="job0", sent=False))
    world.wait()
    (second,) = world.decide()
    world.finish(second, f.Refused(**says, job="job1"))
    world.now += 1
    again(world)
    assert names(world) == ["job0"]
    assert world.batch.standing.jobs["job1"].state is State.FAILED


def test_a_check_that_failed_for_good_leaves_its_job_failed_without_a_word():
    """The next run has nothing to do, and one of another content asks again."""
    says = {"account": "a", "model": "judge", "code": "NoHuman", "message": "no", "cost": 4}
    for final, asked in ((True, []), (False, ["face"])):
        world = World.wanting(wanting((check("face"),)))
        (action,) = world.decide()
        world.finish(action, f.CheckFailed(at=world.now, content="face", final=final, **says))
        world.decide()
        again(world)
        assert names(world) == asked
        assert world.batch.settled is final


def test_a_passed_check_of_an_address_holds_for_its_run_alone():
    """What lies there may be another picture tomorrow."""
    world = World.wanting(wanting((check("link"),), (check("link"),)))
    (action,) = world.decide()
    says = {"at": world.now, "account": "a", "model": "judge", "content": "link", "cost": 3}
    world.finish(action, f.CheckPassed(**says, final=False))
    assert names(world) == ["job0"]
    again(world)
    assert "link" in names(world)


def test_an_upload_to_another_endpoint_does_not_count():
    """Another key, or another region, cannot read what was stored for the last one."""
    world = World.wanting(wanting((SKY,), (SKY,)))
    world.note(f.Connected(at=world.now, account="a", endpoint="one"))
    do(world, world.decide()[0])
    for endpoint, begun in (("one", "job0"), ("two", "sky"), ("one", "sky")):
        world.crash()
        world.note(f.Connected(at=world.now, account="a", endpoint=endpoint))
        assert begun in names(world)
        for action in list(world.batch.under_way):
            do(world, action)


def test_an_upload_lives_no_longer_than_two_days_whatever_the_clock_said():
    """It was set back by a year since: the file at the service is as old as ever."""
    world = World.wanting(wanting((SKY,)))
    do(world, world.decide()[0])
    world.now -= 365 * 24 * HOUR
    world.crash()
    need = ("a", SKY)
    assert world.batch.standing.preparations.of(need).good_until == world.now + 48 * HOUR


def test_a_pause_of_an_upload_is_over_after_the_longest_one_whatever_the_clock_said():
    """The same for the moment of the next try."""
    world = World.wanting(wanting((SKY,)))
    do(world, world.decide()[0], 1)
    world.now -= 365 * 24 * HOUR
    world.crash()
    assert world.decide() == ()
    began = world.now
    world.wait()
    assert world.now == began + LONGEST_PAUSE


def test_an_upload_is_used_until_two_hours_before_its_end():
    """A task may wait in the service's queue before its inputs are read."""
    world = World.wanting(wanting((SKY,)))
    began = world.now
    do(world, world.decide()[0])
    is_good = world.batch.standing.preparations.is_good
    assert is_good(("a", SKY), began + 46 * HOUR - 1)
    assert not is_good(("a", SKY), began + 46 * HOUR)


def test_jobs_whose_uploads_break_leave_their_place_to_others():
    """Three that never come through fill no line; the other three are sent."""
    bad = {f"file{n}" for n in range(3)}
    world = World.wanting(wanting(*[(upload(f"file{n}", "fast"),) for n in range(6)]))
    while len(world.posts) < 3:
        if not (actions := world.decide()):
            world.wait()
        for action in actions:
            is_bad = isinstance(action, Prepare) and action.need.content in bad
            do(world, action, 1 if is_bad else 0)
    assert {name for name, job in world.batch.standing.jobs.items() if job.attempt} == {
        "job3",
        "job4",
        "job5",
    }


def test_failures_are_counted_by_their_reason_and_by_run():
    """Patience for one reason is not used up by another, nor by the run before."""
    it = Preparation()
    says = {"at": 0.0, "account": "a", "model": "m", "content": "c", "until": 1.0, "reason": "x"}
    counts = []
    for code in ("", "", "HTTP 500", "HTTP 500", ""):
        counts.append(it.failures(code))
        it.after(f.UploadDeferred(**says, code=code))
    assert counts == [1, 2, 1, 2, 1]
    it.reopen(0.0, 1.0)
    assert it.failures("") == 1


def test_lanes_take_turns():
    """A model with many files does not keep the hands from one with a few."""
    many = wanting(*[(upload(f"file{n}", "fast"),) for n in range(8)])
    slow = wanting((upload("other", "slow"),), model="slow")[0]
    world = World.wanting([*many, replace(slow, job="last", order=99)])
    assert [action.need.content for action in world.decide()] == ["file0", "other"]


@pytest.mark.parametrize("room", [1, 2, 3])
def test_what_cannot_be_bought_stops_the_preparing_behind_it_and_the_run_ends(room):
    """The first job is too dear: no check is paid for the five that must wait for it."""
    jobs = wanting((), *[(check(f"face{n}"),) for n in range(5)])
    jobs[0] = replace(jobs[0], price=1000)
    world = World.wanting(jobs, budget=500, max_in_flight=room)
    assert world.decide() == ()
    assert world.batch.settled
    assert world.batch.budget_reached
    assert world.batch.standing.spent == 0


def test_a_cheap_job_behind_a_full_room_does_not_keep_the_run_alive():
    """What is prepared became too dear meanwhile, and nothing in flight can change that."""
    jobs = wanting((SKY,), (SKY,), (SKY,))
    jobs = [replace(job, price=price) for job, price in zip(jobs, (60, 60, 5), strict=True)]
    world = World.wanting(jobs, budget=100, max_in_flight=1)
    run_on(world, world.now + HOUR)
    assert world.batch.settled
    assert world.batch.budget_reached
    assert len(world.posts) == 1


def test_a_faster_stand_in_forgets_its_uploads_faster():
    """Two days there are 48 minutes here, and two hours two minutes."""
    world = World.wanting(wanting((SKY,)), service_speed=60.0)
    says = {"at": world.now, "account": "a", "model": "fast", "content": "sky"}
    (action,) = world.decide()
    world.finish(action, f.Uploaded(**says, url="oss://sky", ends=world.now + 2880))
    preparations = world.batch.standing.preparations
    assert preparations.ends(world.job(action)) == world.now + 2760
    world.now -= HOUR
    world.crash()
    assert world.batch.standing.preparations.of(("a", SKY)).good_until == world.now + 2880


def test_a_batch_of_many_uploads_comes_to_its_end():
    """Twenty files, two hands, three places: each uploaded once, each job sent once."""
    files = [(upload(f"file{n}", "fast"), SUN) for n in range(20)]
    world = World.wanting(wanting(*files))
    begun = run_on(world, world.now + 24 * HOUR)
    assert world.batch.standing.counts[State.DONE] == 20
    assert len([name for name in begun if name.startswith("file")]) == 20
    assert begun.count("sun") == 1
    assert len(world.posts) == 20


def test_who_comes_first_after_a_refusal_must_be_affordable_as_well():
    """The first job's file is refused, and nothing is begun for the next, which is too dear."""
    jobs = wanting((SKY,), (SEA,))
    world = World.wanting([jobs[0], replace(jobs[1], price=1000)], budget=500, preparations=1)
    (sky,) = world.decide()
    do(world, sky, 2)
    assert world.decide() == ()
    assert world.batch.standing.jobs["job0"].state is State.FAILED
    assert world.batch.settled
    assert world.batch.budget_reached
