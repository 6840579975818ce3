"""The numbers: back-off, and which failures are worth money."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.core.policy import LONGEST_PAUSE, Policy, RetryPolicy, backoff


@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.floats(0, 1e12))
def test_a_pause_grows_within_bounds(tries, jitter, hint):
    """Never nothing, never under the service's hint, never beyond the longest pause."""
    pause = backoff(tries, jitter, hint=hint)
    assert 1.0 <= pause <= LONGEST_PAUSE
    assert pause >= min(hint or 0, LONGEST_PAUSE)


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
    assert Policy(lanes={}).lane("gone").running == 5
