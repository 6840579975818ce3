"""When tasks are looked at, and how many questions that may take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.core.cadence import Cadence
from batchgen.core.queries import CARE, Queries


def cadence(*took: float, speed: float = 1.0) -> Cadence:
    made = Cadence(speed=speed, poll_seconds=15)
    for number, seconds in enumerate(took):
        made.note(float(number), seconds)
    return made


def test_who_waits_is_looked_at_soon_and_then_ever_more_seldom():
    """From two seconds up to what the service advises for the model."""
    assert [cadence().waiting_pause(age) for age in (0, 4, 20, 600)] == [2, 2, 5, 15]
    assert cadence(3).waiting_pause(600) == 3, "it could have ended by then"


def test_what_may_be_ready_is_looked_at_within_seconds():
    """Short renderings every second, long ones every three, the longest as is advised."""
    pauses = [cadence().rendering_pause(age) for age in (0, 8, 40, 600, 2000, 9000)]
    assert pauses == [1, 1, 2, 3, 10, 15]


def test_what_cannot_be_ready_is_looked_at_when_the_first_could_be():
    """Shortly before the shortest that was seen, and now and then before."""
    known = cadence(40, 30, 200)
    assert known.rendering_pause(0) == pytest.approx(27)
    assert known.rendering_pause(26.5) == pytest.approx(1.325)
    assert cadence(300).rendering_pause(0) == 60


def test_against_a_faster_stand_in_everything_is_looked_at_faster():
    """Where a second here is a minute at the service, all pauses are sixtieths."""
    fast = cadence(speed=60)
    assert fast.rendering_pause(1.0) == pytest.approx(2.5 / 60)
    assert fast.waiting_pause(0) == pytest.approx(2 / 60)


def test_the_list_is_asked_as_often_as_it_tells_of_more_than_one_end():
    """Ends every 0.4 s are worth a page in a second; rare ones one in two and a half."""
    busy = Cadence(speed=1, poll_seconds=15)
    for number in range(30):
        busy.note(0.4 * number, 8)
    assert busy.rest(1, 12) == pytest.approx(1.1, abs=0.1)
    assert busy.rest(2, 12) == pytest.approx(2.2, abs=0.1)
    assert cadence(300, 300).rest(1, 600) == 2.5
    assert [cadence(took).waiting_rest(1, 600) for took in (300, 5, 1)] == [5, 5, 2.5]


@given(st.floats(0, 1e6), st.lists(st.floats(0.1, 1e5), max_size=40), st.floats(1, 1000))
def test_every_pause_is_between_a_second_and_a_minute(age, took, speed):
    """Of the service's time, whatever was seen."""
    pause = cadence(*took, speed=speed).rendering_pause(age)
    assert 1 / speed * 0.999 <= pause <= 60 / speed * 1.001


def test_questions_leave_evenly_and_below_what_is_allowed():
    """A question moves the next by a little more than its share of a second."""
    queries = Queries(20)
    assert queries.turn(100.0) == 100.0
    assert queries.turn(100.0) == pytest.approx(100 + 1 / (20 * (1 - CARE)))


def test_questions_that_were_under_way_together_halve_the_rate_once():
    """Sixteen refusals for one reason are one reason."""
    queries = Queries(20)
    for number in range(16):
        queries.note_silence(100.0, 101.0 + number / 100, throttled=True)
    queries.turn(200.0)
    assert queries.free_at == pytest.approx(200 + 2 / 19)


def test_questions_without_answers_become_rare_and_come_back_with_answers():
    """Down to one in five seconds; fifty answers bring the full rate back."""
    queries = Queries(20)
    for number in range(12):
        queries.note_silence(number, number, throttled=False)
        queries.note_silence(number - 0.5, number, throttled=False)
    queries.turn(20.0)
    assert queries.free_at == pytest.approx(25)
    for _ in range(50):
        queries.note_answer()
    queries.turn(100.0)
    assert queries.free_at == pytest.approx(100 + 1 / 19)
