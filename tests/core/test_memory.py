"""What a standing is remembered by gives it back, to the last bit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.core import facts as f
from batchgen.core.actions import Submit
from batchgen.core.batch import Batch
from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from batchgen.core.memory import Forgotten, job_data, recalled, rest_data
from batchgen.core.policy import Policy, RetryPolicy
from batchgen.core.standing import Standing
from tests.core.histories import SIZE, World, needy, policy, wishes
from tests.core.test_batch import any_wishes, renewable, some_of

LOST = 3
"""The place of a lost answer among the outcomes of a submit."""


def standing_of(terms: Policy, facts: Sequence[f.Fact]) -> Standing:
    standing = Standing(terms)
    for fact in facts:
        standing.after(fact)
    return standing


def remembered(standing: Standing, terms: Policy) -> Standing:
    """There and back, by way of JSON."""
    jobs = [job_data(job) for job in standing.jobs.values()]
    rest, jobs = json.loads(json.dumps([rest_data(standing), jobs], allow_nan=False))
    return recalled(terms, rest, jobs)


def newest(standing: Standing, facts: Sequence[f.Fact]) -> list[f.JobFact]:
    """The last fact of each job that is not done, in the order of the log."""
    last = {fact.job: fact for fact in facts if isinstance(fact, f.JobFact)}
    done = {State.DONE, State.PARTIAL, State.WITHDRAWN}
    return [
        fact
        for fact in facts
        if isinstance(fact, f.JobFact)
        and last[fact.job] is fact
        and standing.jobs[fact.job].state not in done
    ]


def wander(world: World, data: st.DataObject) -> None:
    """Let anything happen, restarts included."""
    for _ in range(data.draw(st.integers(0, 60))):
        world.decide()
        running = sorted(world.batch.under_way, key=repr)
        step = data.draw(st.integers(0, 10))
        if step == 0:
            world.crash(*some_of(data, renewable(world)))
        elif running and step < 8:
            action = data.draw(st.sampled_from(running))
            world.finish(action, *data.draw(st.sampled_from(world.outcomes(action)))())
        elif world.batch.wake_at(world.now) < float("inf"):
            world.wait()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_is_remembered_of_any_history_is_the_replay_of_its_facts(data):
    """Wherever a history is folded, the standing equals the replay, and so does all that follows;
    a run that begins with it wants the same things."""
    world = World.wanting(
        data.draw(any_wishes), stop_after_failures=data.draw(st.sampled_from([None, 2]))
    )
    wander(world, data)
    terms, facts = world.batch.policy, world.log
    cut = data.draw(st.integers(0, len(facts)))
    whole = standing_of(terms, facts[:cut])
    known = remembered(whole, terms)
    assert known == whole
    assert list(known.jobs) == list(whole.jobs)
    assert {job.id: job.version for job in known.jobs.values()} == {
        name: sum(fact.subject == f"job/{name}" for fact in facts[:cut]) for name in known.jobs
    }
    one = Batch(terms, standing=known, newest=newest(known, facts[:cut]), facts=facts[cut:])
    other = Batch(terms, facts=facts)
    assert one.standing == other.standing == standing_of(terms, facts)
    for batch in (one, other):
        batch.after(f.RunStarted(at=world.now, account="a", version="test"))
    for now in (world.now, world.now + 1000.0):
        assert one.decide(now) == other.decide(now)
        assert one.wake_at(now) == other.wake_at(now)
        assert one.settled == other.settled


def test_lanes_that_fall_due_together_are_looked_at_in_one_order():
    """However much of the log was folded: which model's task came first in it says nothing."""
    world = World.of(3)
    (slow, fast, again), now = world.batch.standing.jobs.values(), world.now

    def made(job: Job) -> tuple[f.Fact, f.Fact]:
        says = {"at": now, "account": "a", "job": job.id, "attempt": 1}
        started = f.SubmitStarted(**says)
        return started, f.Submitted(**says, task_id=f"t-{job.id}", request_id="r")

    says = {**world.says(slow), "attempt": 1}
    world.note(*made(slow), f.TaskFailed(**says, code="InvalidParameter", message="no"))
    world.note(*made(fast), *made(again))
    terms, facts = world.batch.policy, world.log
    known = remembered(standing_of(terms, facts), terms)
    one = Batch(terms, standing=known, newest=newest(known, facts))
    other = Batch(terms, facts=facts)
    for batch in (one, other):
        batch.after(f.RunStarted(at=now, account="a", version="test"))
    assert one.decide(now + 1000.0) == other.decide(now + 1000.0)


def test_needs_and_lost_answers_are_remembered():
    """Uploads, checks that are good for ever, and a doubt on the list come back as they were."""
    wanted = [
        replace(wish, needs=needy(n, wish.model), bytes=SIZE) for n, wish in enumerate(wishes(5))
    ]
    world = World.wanting(wanted)
    world.run(lambda action: LOST if isinstance(action, Submit) else 0, steps=20)
    standing = standing_of(world.batch.policy, world.log)
    assert standing.preparations.spent
    assert standing.in_doubt
    assert remembered(standing, world.batch.policy) == standing


def test_equal_texts_of_many_jobs_are_one_text():
    """A hundred thousand jobs that were rendered alike do not each hold their own story."""
    world = World.of(8)
    world.run(lambda _action: 0)
    standing = standing_of(world.batch.policy, world.log)
    for known in (standing, remembered(standing, world.batch.policy)):
        stories = {id(job.story): job.story for job in known.jobs.values()}
        assert len(stories) == len(set(stories.values()))


@pytest.mark.parametrize(
    "changes",
    [
        {"retry": RetryPolicy(attempts=3)},
        {"stop_after_failures": 1},
        {"service_speed": 2.0},
    ],
)
def test_another_policy_remembers_nothing(changes):
    """What facts add up to depends on how fast the service is and which failures count."""
    standing = standing_of(policy(), World.of(2).log)
    with pytest.raises(Forgotten):
        remembered(standing, policy(**changes))


def test_every_field_of_a_job_is_remembered():
    """A field that a later version adds to jobs comes back as well, or the shape says that it has
    changed."""
    standing = standing_of(policy(), World.of(1).log)
    (job,) = standing.jobs.values()
    values = job_data(job)
    assert len(values) == len(Job.__dataclass_fields__)
    with pytest.raises(TypeError):
        recalled(policy(), rest_data(standing), [[*values, "more"]])
