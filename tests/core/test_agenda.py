"""The priority queue: the smallest key first, equal keys in order, moves and drops at any time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.core.agenda import Agenda


def test_the_smallest_key_leaves_first_and_equals_in_the_order_they_came():
    """A line is a line."""
    agenda = Agenda()
    for item, key in (("b", 2), ("a", 1), ("c", 2)):
        agenda.put(item, key)
    assert [agenda.pop() for _ in range(3)] == ["a", "b", "c"]
    with pytest.raises(IndexError):
        agenda.pop()


def test_due_takes_out_what_is_due_and_nothing_else():
    """What is beyond the limit stays."""
    agenda = Agenda()
    agenda.put("early", 1.0)
    agenda.put("late", 3.0)
    assert list(agenda.due(2.0)) == ["early"]
    assert (agenda.first(), agenda.first_key(), repr(agenda)) == (
        "late",
        3.0,
        "<Agenda of 1, first at 3.0>",
    )


@given(st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 9))), st.integers(0, 9))
def test_it_behaves_as_a_dictionary_that_is_sorted(steps, limit):
    """Puts, moves, drops and a clamp in any order leave what a plain dictionary would hold."""
    agenda, model = Agenda(), {}
    for item, key in steps:
        if key is None:
            agenda.drop(item)
            model.pop(item, None)
        else:
            agenda.put(item, key)
            model[item] = key
    agenda.clamp(limit)
    model = {item: min(key, limit) for item, key in model.items()}
    assert len(agenda) == len(model)
    assert all((item in agenda) == (item in model) for item in range(6))
    left = [agenda.pop() for _ in range(len(model))]
    assert sorted(left) == sorted(model)
    assert [model[item] for item in left] == sorted(model.values())
