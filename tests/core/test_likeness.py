"""Prompts held against each other: what is the same, what is near, and what is another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.core.prompts import likeness, normalised, repeats, resembles

LONG = "a" * 500 + " and then " + "b" * 500


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        ("“A cat” sings", '"A cat" sings'),
        ("A cat\nsings", "A  cat sings "),
        ("A cat\u2019s song", "A cat's song"),
        ("一只猫\uff0c在唱歌", "一只猫, 在唱歌"),
        ("Cafe\u0301", "Café"),
        ("A cat\u200b sings", "A cat sings"),
    ],
)
def test_what_the_service_changes_makes_no_difference(told, sent):
    """The same prompt, and so the same likeness."""
    assert repeats(told, sent)
    assert likeness(told) == likeness(sent)


def test_case_and_words_make_a_difference():
    """They are another prompt, if a near one."""
    assert not repeats("a cat sings", "A cat sings")
    assert resembles("a cat sings", "A cat sings")
    assert likeness("a cat sings") != likeness("A cat sings")


@pytest.mark.parametrize("nothing", [None, "", "  \n", '""'])
def test_without_a_prompt_there_is_no_likeness(nothing):
    """Such a request cannot be told from any other."""
    assert likeness(nothing) == ""


def test_a_cut_is_the_same_prompt_only_beyond_what_the_model_takes():
    """A shorter piece is nearly it."""
    assert repeats(LONG[:800], LONG, 800)
    assert repeats(LONG[:900], LONG, 800)
    assert not repeats(LONG[:799], LONG, 800)
    assert not repeats(LONG[:800], LONG)
    assert not repeats("a", "ab", 800)
    assert resembles(LONG[:799], LONG)


def test_clearly_other_prompts_are_no_neighbours():
    """Also where they speak of the same things."""
    assert not resembles("A dog sleeps under the table", "A cat sings on the roof at night")
    assert not resembles("A red fox runs", "Seven swans on a lake, seen from above, in the rain")


@given(st.text(), st.text())
def test_every_pair_of_prompts_has_an_answer(one, other):
    """Whatever the characters: the same both ways, and a prompt is always its own."""
    assert repeats(one, other) == repeats(other, one)
    assert resembles(one, other) == resembles(other, one)
    assert repeats(one, one)
    assert resembles(one, one)
    assert (likeness(one) == likeness(other)) == (normalised(one) == normalised(other))
