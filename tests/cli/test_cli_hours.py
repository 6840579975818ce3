"""`--until` means the next time that the clock on the wall shows, wherever the wall is."""

from __future__ import annotations

import time as clock
from datetime import UTC, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.cli.hours import end_of, in_words, next_time

BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
"""Spelled out, so that it needs no table of zones."""


@pytest.fixture
def zone(monkeypatch):
    """Puts the process into a zone."""

    def put(name):
        monkeypatch.setenv("TZ", name)
        clock.tzset()

    yield put
    monkeypatch.undo()
    clock.tzset()


def utc(*parts) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()


def test_today_if_it_is_still_ahead(zone):
    """In the small hours 07:00 is this morning."""
    zone("SGT-8")
    end = next_time(time(7), now=utc(2026, 11, 22, 16, 30))  # 00:30 there
    assert end == utc(2026, 11, 22, 23)
    assert in_words(end) == "07:00 on Monday 23 November, +08:00"


def test_else_tomorrow(zone):
    """In the evening 07:00 is tomorrow, and so it is at 07:00 itself."""
    zone("SGT-8")
    assert next_time(time(7), now=utc(2026, 11, 22, 14)) == utc(2026, 11, 22, 23)
    assert next_time(time(7), now=utc(2026, 11, 22, 23)) == utc(2026, 11, 23, 23)


def test_the_night_on_which_summer_time_ends(zone):
    """The night is an hour longer, and 02:30 comes twice."""
    zone(BERLIN)
    evening = utc(2026, 10, 24, 20)
    assert in_words(next_time(time(7), now=evening)) == "07:00 on Sunday 25 October, +01:00"
    assert next_time(time(7), now=evening) - evening == 10 * 3600
    first = next_time(time(2, 30), now=evening)
    second = next_time(time(2, 30), now=first)
    assert in_words(first) == "02:30 on Sunday 25 October, +02:00"
    assert in_words(second) == "02:30 on Sunday 25 October, +01:00"
    assert second - first == 3600


def test_the_night_on_which_summer_time_begins(zone):
    """The night is an hour shorter; a time that is leapt over is said as what it becomes."""
    zone(BERLIN)
    evening = utc(2026, 3, 28, 21)
    assert next_time(time(7), now=evening) - evening == 8 * 3600
    assert in_words(next_time(time(2, 30), now=evening)) == "03:30 on Sunday 29 March, +02:00"
    assert next_time(time(2, 30), now=utc(2026, 3, 29, 1, 15)) == utc(2026, 3, 29, 1, 30)


@given(
    st.floats(0, 4e9),
    st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    st.sampled_from(["UTC0", BERLIN, "SGT-8", "NST3:30NDT,M3.2.0,M11.1.0", "LHST-10:30LHDT-11"]),
)
def test_the_end_is_ahead_and_within_a_day_and_a_leap(now, shown, name):
    """Whatever the moment, the zone and the hour: later than now, and never two days away."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("TZ", name)
        clock.tzset()
        end = next_time(shown, now=now)
    clock.tzset()
    assert now < end <= now + 25 * 3600


def test_of_two_ends_the_first_counts(zone):
    """`--until` and `--max-duration` may be given together."""
    zone("UTC0")
    now = utc(2026, 11, 22, 22)
    assert end_of(None, None, now=now) is None
    assert end_of(time(7), 8 * 3600, now=now) == utc(2026, 11, 23, 6)
    assert end_of(time(7), 10 * 3600, now=now) == utc(2026, 11, 23, 7)
