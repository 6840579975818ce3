"""Prompts held against each other: what is the same, what is near, and what is another."""

from __future__ import annotations

import html
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.core.prompts import (
    _composed,
    _is_kept,
    likeness,
    normalised,
    repeats,
    resembles,
)

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


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        ("一只猫.", "一只猫。"),
        ("猫在跑", "貓在跑"),
        ("猫-狗", "猫—狗"),
        ("猫?跑", "猫🐱跑"),
        ("Red fax", "Red fox"),
        ("cafe 5?", "Café 5€"),
        ("&quot;Hi&quot; &quot;Yo&quot; &amp; so", '"Hi" "Yo" & so'),
        ("a&lt;b&gt;c", "a<b>c"),
        ("A red fox", "A red fox!!!"),
        ("?!", "!?"),
    ],
)
def test_a_short_prompt_that_was_changed_on_its_way_is_near(told, sent):
    """A letter, a sign, a way of writing: however short it is."""
    assert resembles(told, sent)


STYLE = "cinematic, shallow depth of field, 35 mm"
SERIES = [
    "A red fox crosses a frozen river at dawn",
    "An old tram climbs a steep hill in the morning fog",
    "Two owls argue about the weather on a telephone wire",
    "A lighthouse keeper reads letters by candle light",
    "Rain falls on the tin roof of an empty market",
    "一只红色的狐狸在雪地里奔跑",
    "两只猫头鹰在电线上聊天",
    "A stamp.",
    "Noodles",
]


@pytest.mark.parametrize("style", ["", f", {STYLE}"])
def test_prompts_of_one_series_are_no_neighbours(style):
    """Else every doubt would be held as soon as anybody else makes tasks."""
    for one, other in combinations(SERIES, 2):
        if style and min(len(one), len(other)) < 20:
            continue  # what they share is most of them
        assert not resembles(one + style, other + style), (one, other)


letters = st.text("abcdefghijklmnopqrstuvwxyz 猫狗雨\uff0c。!?", min_size=1, max_size=120)


@settings(max_examples=300)
@given(st.data(), letters)
def test_three_edits_make_no_other_prompt(data, sent):
    """Whatever is changed, added or left out, and wherever."""
    told = sent
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(told)))
        put = data.draw(st.sampled_from(["", "x", "犬", "."]))
        told = told[:at] + put + told[at + data.draw(st.integers(0, 1)) :]
    assert resembles(told, sent)


@given(letters)
def test_writing_alone_makes_no_other_prompt(sent):
    """Case, HTML, spaces and signs."""
    for told in (sent.upper(), html.escape(sent), " ".join(sent), sent.replace("\uff0c", ",")):
        assert resembles(told, sent)


@given(st.lists(st.sampled_from("abcdefghij"), min_size=24, unique=False))
def test_what_shares_no_letter_is_another_prompt(letters):
    """Of any length above the shortest."""
    sent = "".join(letters)
    assert not resembles(sent.translate(OTHERS), sent)


OTHERS = str.maketrans("abcdefghij", "klmnopqrst")


@given(st.text(), st.text())
def test_every_pair_of_prompts_has_an_answer(one, other):
    """Whatever the characters: the same both ways, and a prompt is always its own."""
    assert repeats(one, other) == repeats(other, one)
    assert resembles(one, other) == resembles(other, one)
    assert repeats(one, one)
    assert resembles(one, one)
    assert (likeness(one) == likeness(other)) == (normalised(one) == normalised(other))


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=127)))
def test_the_short_way_for_plain_text_leads_to_the_same(text):
    """What is compared of a prompt does not depend on how fast it was found."""
    assert normalised(text) == _composed(text, _is_kept)
