"""The numbers: back-off, cadence, and which failures are worth money."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.core.policy import LONGEST_PAUSE, LaneLimits, Policy, RetryPolicy, backoff

LANES = {"m": LaneLimits(submits_per_second=5, max_in_flight=10, poll_seconds=15)}


@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.floats(0, 1e12))
def test_a_pause_grows_within_bounds(tries, jitter, hint):
    """Never nothing, never under the service's hint, never beyond the longest pause."""
    pause = backoff(tries, jitter, hint=hint)
    assert 1.0 <= pause <= LONGEST_PAUSE
    assert pause >= min(hint or 0, LONGEST_PAUSE)


def test_a_young_task_is_looked_at_sooner_than_an_old_one():
    """From two seconds up to what the service advises for the model."""
    policy = Policy(lanes=LANES)
    assert [policy.look_again_in(age, "m") for age in (0, 4, 10, 600)] == [2, 2, 5, 15]


def test_against_a_faster_stand_in_everything_is_looked_at_faster():
    """A minute at the service in a second here is a look each quarter of a second."""
    policy = Policy(lanes=LANES, service_speed=60)
    assert policy.look_again_in(30, "m") == 0.25


@pytest.mark.parametrize(
    ("code", "attempt", "worth"),
    [
        ("InternalError", 1, True),
        ("InternalError.Timeout", 1, True),
        ("InternalErrors", 1, False),
        ("InternalError", 2, False),
        ("DataInspectionFailed", 1, False),
    ],
)
def test_only_the_services_own_failures_are_worth_another_attempt(code, attempt, worth):
    """And no more than one of them."""
    assert RetryPolicy().allows(code, attempt) is worth


def test_a_model_that_the_catalog_forgot_has_cautious_limits():
    """A journal may know a model that this version does not."""
    assert Policy(lanes={}).lane("gone").max_in_flight == 5


def test_answers_without_a_task_have_the_room_that_the_service_works_in():
    """Waiting side by side in a queue would only use up their time-outs."""
    limits = LaneLimits(submits_per_second=5, max_in_flight=10, poll_seconds=15, running=2)
    assert (limits.room(direct=True), limits.room(direct=False)) == (2, 10)
    assert LANES["m"].room(direct=True) == 10
