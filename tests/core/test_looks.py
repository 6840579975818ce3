"""Many tasks, one query rate: everybody has a turn, and a decision costs the same for any count."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest

from batchgen.core import facts as f
from batchgen.core.actions import Poll
from batchgen.core.batch import Batch
from batchgen.core.policy import LaneLimits, Policy

MANY = 10_000
RATE = 15.0
LANES = {"m": LaneLimits(submits_per_second=1, max_in_flight=2 * MANY, poll_seconds=15)}


def rendering(count: int) -> Batch:
    """A batch that a new run takes up, with so many tasks at the service."""
    batch = Batch(Policy(lanes=LANES, queries_per_second=RATE))
    for number in range(count):
        says = {"at": float(number), "account": "a", "job": f"job{number}"}
        wanted = {"request": "r", "model": "m", "order": number, "price": 1, "currency": None}
        batch.after(f.Wanted(**says, **wanted, likeness=f"p{number}"))
        batch.after(f.SubmitStarted(**says, attempt=1))
        batch.after(f.Submitted(**says, attempt=1, task_id=f"t{number}", request_id=None))
    batch.after(f.RunStarted(at=float(count), account="a", version="test"))
    return batch


def polls(batch: Batch, now: float, count: int) -> list[tuple[float, str]]:
    """So many looks, each of which sees nothing new, and when they were taken."""
    taken: list[tuple[float, str]] = []
    while len(taken) < count:
        actions = batch.decide(now).actions
        for action in actions:
            assert isinstance(action, Poll)
            taken.append((now, action.job))
            batch.settle(action, now)
        if not actions:
            now = batch.wake_at(now)
    return taken


@pytest.mark.fault(56)
def test_ten_thousand_tasks_have_their_turns_at_the_rate_of_the_account():
    """Nobody is looked at twice before everybody was looked at once, the limit is never passed,
    and no time is lost between two looks."""
    taken = polls(rendering(MANY), float(MANY) + 60, MANY + 500)
    names = [name for _, name in taken]
    assert len(set(names[:MANY])) == MANY
    assert names[MANY:] == names[:500]
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(taken)]
    assert min(gaps) >= 1 / RATE - 1e-6
    assert max(gaps) <= 1 / RATE + 1e-6


@pytest.mark.fault(56)
def test_a_decision_costs_by_what_has_changed_and_not_by_the_number_of_tasks():
    """A hundred times the tasks take as many steps for a look, but for the depth of a heap."""

    def calls_for(count: int) -> int:
        batch, calls = rendering(count), 0

        def note(_frame, event, _argument):
            nonlocal calls
            calls += event in {"call", "c_call"}

        polls(batch, float(count) + 60, 50)
        sys.setprofile(note)
        try:
            polls(batch, float(count) + 120, 50)
        finally:
            sys.setprofile(None)
        return calls

    assert calls_for(MANY) < 1.5 * calls_for(MANY // 100)
