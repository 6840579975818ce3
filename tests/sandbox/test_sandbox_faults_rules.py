from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.sandbox import (
    Answer,
    Chance,
    CutShort,
    Drip,
    Fail,
    Faults,
    Lag,
    Limits,
    Point,
    Reset,
    Rule,
    Slow,
    Stall,
    Stuck,
)
from batchgen.sandbox.faults.calls import AllOf, every, numbered
from batchgen.sandbox.faults.faults import REMEMBERED
from batchgen.sandbox.faults.rules import POSSIBLE


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return self.time


def hit(faults: Faults, count: int, point: Point = Point.LIST, **call: str) -> list[int]:
    """Which of so many calls went wrong, from one."""
    return [number for number in range(1, count + 1) if faults.at(point, **call)]


def test_a_rule_counts_only_its_own_calls():
    """A call that another model or prompt makes is not the first."""
    faults = Faults(Rule(Point.TASK, Stuck(), calls={2}, model="m", prompt="fox"))
    calls = [("m", "fox"), ("n", "fox"), ("m", "cat"), ("m", "a fox"), ("m", "fox")]
    seen = [faults.at(Point.TASK, model=model, prompt=prompt) for model, prompt in calls]
    assert seen == [None, None, None, Stuck(), None]


def test_the_first_rule_decides_and_all_count():
    """A rule that came too late has seen the call all the same."""
    first, second = Rule(Point.LIST, Reset(), calls={1}), Rule(Point.LIST, Stall(), calls={2})
    faults = Faults(first, Rule(Point.LIST, Drip(1), calls={1}), second)
    assert [faults.at(Point.LIST) for _ in range(3)] == [Reset(), Stall(), None]


def test_a_model_may_be_a_pattern_and_a_word_has_no_case():
    """A family of models is one rule; a shouted word is the same word."""
    faults = Faults(Rule(Point.TASK, Stuck(), model="wan2.7-*", prompt="Storm"))
    assert faults.fate("wan2.7-t2v", "before the STORM", "a") == Stuck()
    assert faults.fate("wan2.6-t2v", "before the storm", "a") is None
    assert faults.fate("wan2.7-t2v", "calm", "a") is None


@pytest.mark.parametrize(
    ("words", "calls"),
    [(["2"], [2]), (["1", "4-6"], [1, 4, 5, 6]), (["8-"], [8, 9, 10]), (["3-3", " 9 "], [3, 9])],
)
def test_calls_are_numbers_and_spans(words, calls):
    """What a script writes is what goes wrong."""
    assert hit(Faults(Rule(Point.LIST, Reset(), calls=numbered(words))), 10) == calls


@pytest.mark.parametrize("word", ["0", "-3", "5-3", "x", "", "1.5", "3-0", "9" * 40])
def test_a_span_that_names_no_call_is_refused(word):
    """Calls count from one, forwards."""
    with pytest.raises(ValueError, match=r"names no call|ends before"):
        numbered([word])


def test_every_so_many_calls():
    """From the first multiple on; together with a span only where both agree."""
    assert hit(Faults(Rule(Point.LIST, Reset(), calls=every(3))), 10) == [3, 6, 9]
    both = AllOf((every(3), numbered(["5-"])))
    assert hit(Faults(Rule(Point.LIST, Reset(), calls=both)), 10) == [6, 9]


@given(st.integers(), st.floats(0, 1), st.permutations(range(1, 60)))
def test_chance_belongs_to_the_number_of_the_call(seed, probability, order):
    """The same seed hits the same calls, in whatever order they are asked for."""
    chance = Chance(probability, seed)
    asked = {number: number in chance for number in order}
    assert asked == {number: number in Chance(probability, seed) for number in range(1, 60)}


def test_chance_keeps_its_probability():
    """Never, always, and about one in ten."""
    counts = [
        len(hit(Faults(Rule(Point.LIST, Reset(), calls=Chance(each, 7))), 2000))
        for each in (0.0, 1.0, 0.1)
    ]
    assert counts[:2] == [0, 2000]
    assert counts[2] == pytest.approx(200, rel=0.25)


def test_time_is_the_sandboxs_and_begins_when_it_is_opened():
    """Before its time a rule neither acts nor counts; afterwards neither."""
    hands = Hands()
    faults = Faults(Rule(Point.LIST, Reset(), calls={1, 2}, after=60, during=30))
    faults.begin(hands.now)
    assert not hit(faults, 3)
    hands.time += 60
    assert hit(faults, 1) == [1]
    hands.time += 30
    assert not hit(faults, 1)
    faults.begin(hands.now)
    hands.time += 61
    assert hit(faults, 2) == [1]


def test_limits_change_with_the_calls_that_are_counted():
    """From the third to the fourth submit of the model; what is not named stays."""
    lower = Rule(Point.SUBMIT, Limits(per_second=1), calls=range(3, 5), model="m")
    faults = Faults(lower)
    seen = []
    for _ in range(5):
        assert faults.at(Point.SUBMIT, model="m") is None
        assert faults.at(Point.SUBMIT, model="n") is None
        seen.append(faults.limits("m", 5, 5, 500).per_second)
    assert seen == [5, 5, 1, 1, 5]
    assert faults.limits("m", 5, 6, 500) == (5, 6, 500)
    assert faults.limits("n", 5, 5, 500) == (5, 5, 500)


def test_limits_change_with_time_alone():
    """A quota can fall at an hour, whoever asks or does not."""
    hands = Hands()
    faults = Faults(Rule(Point.SUBMIT, Limits(running=1, queue=0), after=60))
    faults.begin(hands.now)
    assert faults.limits("m", 5, 5, 500) == (5, 5, 500)
    hands.time += 60
    assert faults.limits("m", 5, 5, 500) == (5, 1, 0)


def test_a_list_lags_while_the_rule_holds():
    """Seconds, and none before and after."""
    hands = Hands()
    faults = Faults(Rule(Point.LIST, Lag(30), after=60, during=60))
    faults.begin(hands.now)
    lags = []
    for _ in range(3):
        lags.append(faults.list_lag(hands.now()))
        hands.time += 60
    assert lags == [0, 30, 0]


def test_a_condition_is_told_when_it_begins_and_is_no_answer():
    """Ten lists under one lag are one entry; another fault decides what they get."""
    faults = Faults(Rule(Point.LIST, Lag(30), calls=range(2, 9)), Rule(Point.LIST, Reset()))
    assert hit(faults, 10) == list(range(1, 11))
    lags = [fired for fired in faults.fired if fired.what == "lag (seconds 30)"]
    assert [fired.call for fired in lags] == [2]


def test_what_fired_is_bounded_and_counted():
    """The last ones are kept, and how many there were."""
    faults = Faults(Rule(Point.LIST, Reset()))
    hit(faults, REMEMBERED + 5)
    assert len(faults.fired) == REMEMBERED
    assert faults.fired_total == REMEMBERED + 5
    assert faults.fired[-1].call == REMEMBERED + 5


def test_a_fate_is_the_tasks():
    """What else goes wrong has no say in it."""
    faults = Faults(Rule(Point.SUBMIT, Reset()), Rule(Point.TASK, Slow(2), account="a"))
    assert faults.fate("m", "fox", "a") == Slow(2)
    assert faults.fate("m", "fox", "b") is None


@pytest.mark.parametrize(
    ("point", "action"),
    [
        (Point.SUBMIT, CutShort(1)),
        (Point.RESULT, Fail()),
        (Point.TASK, Reset()),
        (Point.QUERY, Lag(1)),
    ],
)
def test_an_action_that_makes_no_sense_there_is_an_error(point, action):
    """Nothing is cut before it is made, and a download cannot fail a task."""
    with pytest.raises(TypeError, match=f"{type(action).__name__} cannot happen at '{point}'"):
        Rule(point, action)


def test_a_condition_is_for_all():
    """Limits of one account alone would be a promise that nobody keeps."""
    with pytest.raises(TypeError, match="every account"):
        Rule(Point.SUBMIT, Limits(running=1), account="a")
    with pytest.raises(TypeError, match="every model"):
        Rule(Point.LIST, Lag(1), model="m")


def test_a_body_that_never_comes_is_no_rate():
    """The word for that is a stall."""
    with pytest.raises(ValueError, match="stall"):
        Drip(0)


def test_each_point_has_something_that_can_happen_there():
    """The table knows every point."""
    assert POSSIBLE.keys() == set(Point)
    assert all(POSSIBLE.values())
    assert Rule(Point.POLICY, Answer(500, "")).point in POSSIBLE
