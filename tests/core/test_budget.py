"""The cap: whatever comes of whatever is under way, what is spent and reserved never passes it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.core import facts as f
from batchgen.core.actions import Poll, Submit
from batchgen.core.lifecycle import State
from batchgen.core.wishes import Wish
from tests.core.histories import World, needy, wishes


@st.composite
def batches(draw) -> World:
    """Jobs of many prices and needs, several in flight, under a cap that some of them reach."""
    jobs: list[Wish] = [
        replace(
            wish,
            price=draw(st.integers(0, 300)),
            needs=needy(draw(st.integers(0, 4)), wish.model),
            direct=draw(st.booleans()),
        )
        for wish in wishes(draw(st.integers(1, 12)))
    ]
    in_flight = draw(st.none() | st.integers(1, 12))
    return World.wanting(jobs, budget=draw(st.integers(0, 1500)), max_in_flight=in_flight)


@pytest.mark.fault(41)
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_spent_and_reserved_never_pass_the_cap(data):
    """With any number in flight, part of the results, bills below the worst case, losses, failures
    and restarts, in any order; and where nothing is under way, the run is settled or time helps."""
    world = data.draw(batches())
    cap = world.batch.policy.budget
    for _ in range(data.draw(st.integers(1, 80))):
        world.decide()
        assert world.batch.standing.spent + world.batch.standing.reserved <= cap
        running = sorted(world.batch.under_way, key=repr)
        if data.draw(st.integers(0, 15)) == 0:
            world.crash()
        elif running:
            action = data.draw(st.sampled_from(running))
            facts = data.draw(st.sampled_from(world.outcomes(action)))()
            world.finish(action, *(billed(data, world, fact) for fact in facts))
        elif not world.batch.settled:
            world.wait()
        assert world.batch.standing.spent + world.batch.standing.reserved <= cap


def billed(data, world: World, fact: f.Fact) -> f.Fact:
    """Results, some of them failed, for up to what was reserved; or without a bill."""
    if not isinstance(fact, f.Rendered):
        return fact
    job = world.batch.standing.jobs[fact.job]
    if job.rendered:  # a task that is asked for new URLs tells the same bill
        return replace(fact, cost=job.spent)
    price = job.price or 0
    made = data.draw(st.integers(0, 2))
    results = tuple(
        f.ResultRef(path=str(n)) if n < made else f.ResultRef(code="Timeout", message="late")
        for n in range(2)
    )
    cost = data.draw(st.none() | st.integers(0, price))
    return replace(fact, results=results, cost=cost)


def test_a_failure_gives_its_money_back_and_the_next_job_uses_it():
    """Three jobs of 100 under a cap of 250: the third is bought when one of the two fails."""
    world = World.of(3, budget=250, max_in_flight=3)
    submits = world.decide()
    assert len(submits) == 2
    for submit in submits:
        world.finish(submit, *world.outcomes(submit)[0]())
    while not (polls := [one for one in world.decide() if isinstance(one, Poll)]):
        world.wait()
    assert world.batch.standing.reserved == 200
    says = {"at": world.now, "account": "a", "job": polls[0].job, "attempt": 1}
    world.finish(polls[0], f.TaskFailed(**says, code="DataInspectionFailed", message="no"))
    world.now += 1
    assert any(isinstance(action, Submit) for action in world.decide())


def test_at_the_cap_what_is_paid_is_collected_and_the_rest_waits():
    """Nothing more is bought, everything bought is done, and the run says why it ended."""
    world = World.of(6, budget=250)
    world.run(lambda _action: 0)
    standing = world.batch.standing
    assert world.batch.settled
    assert world.batch.budget_reached
    assert (standing.counts[State.DONE], standing.counts[State.PENDING]) == (2, 4)
    assert (standing.spent, standing.reserved) == (180, 0)
