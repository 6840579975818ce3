from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.artifacts import folded, names_of, problem_with, result_name, slug


@pytest.mark.parametrize(
    "job_id",
    ["fox", "fox-1", "a.b", "Fox in a coat", "夜の街", "café", "👩\u200d🚀", "x" * 191, "console"],
)
def test_ordinary_ids_are_safe(job_id):
    """What people call their jobs is accepted, in any script."""
    assert problem_with(job_id) is None


@pytest.mark.fault(87, 89)
@pytest.mark.parametrize(
    ("job_id", "words"),
    [
        ("", "must not be empty"),
        ("  ", "must not be empty"),
        ("a/b", "must not hold '/'; use '-'"),
        ("..\\b", "must not hold '\\\\'"),
        ("what?", "must not hold '?'"),
        ("a\nb", "invisible character U+000A"),
        ("a\0b", "invisible character U+0000"),
        ("fox\u202egpm", "invisible character U+202E"),
        ("a\ud800", "surrogate"),
        (".", "must not begin with '.'"),
        ("..", "must not begin with '.'"),
        (".batchgen", "must not begin with '.'"),
        ("-rf", "must not begin with '-'"),
        (" a", "begin or end with a space"),
        ("a ", "begin or end with a space"),
        ("a.", "end with a dot"),
        ("con", "for a device"),
        ("Aux.v2", "for a device"),
        ("LPT1", "for a device"),
        ("x" * 192, "longer than 191 bytes of UTF-8 (it has 192)"),
        ("夜" * 64, "longer than 191 bytes of UTF-8 (it has 192)"),
    ],
)
def test_unsafe_ids_are_refused_in_words(job_id, words):
    """An id that would be no file name somewhere is refused, and the words say why."""
    assert words in problem_with(job_id)


@given(st.text(max_size=250))
def test_safe_ids_make_safe_names(job_id):
    """An accepted id never leaves its folder and leaves room in the 255 bytes of a file name."""
    if problem_with(job_id) is None:
        for name in names_of(job_id, 12, ".webp"):
            assert "/" not in name
            assert name not in {".", ".."}
            assert len(name.encode()) <= 200


@pytest.mark.fault(88)
@pytest.mark.parametrize(
    ("one", "other"),
    [("Fox", "fox"), ("café", "cafe\u0301"), ("STRASSE", "straße"), ("ab", "a\u200db")],
)
def test_names_that_collide_somewhere_fold_together(one, other):
    """Case, Unicode form and joiners do not tell two names apart on every file system."""
    assert folded(one) == folded(other)


@given(st.text())
def test_folding_is_stable_and_ignores_the_unicode_form(name):
    """A folded name folds to itself, and so does every Unicode form of the name."""
    key = folded(name)
    assert folded(key) == key
    assert folded(unicodedata.normalize("NFD", name)) == key
    assert folded(unicodedata.normalize("NFC", name)) == key


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("A Fox, in a trench-coat!", "a-fox-in-a-trench-coat"),
        ("夜の街を歩く猫", "夜の街を歩く猫"),
        ("Ünïcode \uff37\uff49\uff44\uff45", "ünïcode-wide"),
        ("../../etc/passwd", "etc-passwd"),
        ("?!", "job"),
        ("", "job"),
        ("CON", "con-job"),
        ("word " * 20, "word-word-word-word-word-word-word-word"),
        ("猫" * 60, "猫" * 40),
    ],
)
def test_slug_reminds_of_the_prompt(prompt, expected):
    """A slug keeps the first whole words of a prompt, in its own script."""
    assert slug(prompt) == expected


@given(st.text())
def test_slug_is_a_safe_id_with_a_hash_behind_it(prompt):
    """Whatever the prompt, the slug is short, lower case and safe, alone and as part of an id."""
    made = slug(prompt)
    assert 1 <= len(made) <= 40
    assert problem_with(made) is None
    assert problem_with(f"{made}-0385dc79") is None


def test_result_names_count_from_one_where_there_are_several():
    """One result takes the id itself; several are numbered by their place in the answer."""
    assert result_name("fox", 0, 1, ".mp4") == "fox.mp4"
    assert [result_name("fox", index, 2, ".png") for index in (0, 1)] == ["fox-1.png", "fox-2.png"]


def test_place_beyond_the_request_is_an_error():
    """A third result of a request for two has no name."""
    with pytest.raises(IndexError, match="2 results"):
        result_name("fox", 2, 2, ".png")


def test_names_of_shows_collisions_between_jobs():
    """The name that two different ids both claim is seen before anything is sent."""
    several, single = names_of("fox", 2, ".png"), names_of("fox-1", 1, ".png")
    assert several == ("fox-1.png", "fox-2.png", "fox.json")
    assert set(several) & set(single) == {"fox-1.png"}
