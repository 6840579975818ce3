"""What others wrote is shown, and cannot do harm."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.report.text import clean, clipped, count, counts, duration, size

ANY_TEXT = st.text(st.characters() | st.characters(categories=["Cs", "Cc", "Cf"]))


@given(ANY_TEXT)
def test_nothing_harmful_gets_through(text):
    """Whatever somebody writes, no control, override or surrogate is left, on one line."""
    shown = clean(text)
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(char) for char in shown} & {
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
    }  # fmt: skip
    shown.encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_words_stay_as_they_are(text):
    """Letters of any script, numbers, signs and spaces are shown untouched."""
    assert clean(text) == text


def test_escapes_are_visible():
    """A sequence that would retitle the window is shown as what it is."""
    assert clean("a\x1b]0;owned\x07b\nc") == r"a\x1b]0;owned\x07b c"
    assert clean("fox\u202egnp.exe") == r"fox\u202egnp.exe"


def test_emoji_and_other_scripts_stay():
    """Joiners inside an emoji are no controls."""
    assert clean("狐狸 👩‍🚀 café") == "狐狸 👩‍🚀 café"


def test_a_web_page_is_cut():
    """Words of a gateway do not fill the screen."""
    assert clipped("x" * 9_000, 10) == "xxxxxxx..."
    assert clipped("short", 10) == "short"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (44.6, "45 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (1_500, "25 min"),
        (7_500, "2 h 05 min"),
        (273_600, "3 d 4 h"),
        (-3, "0 s"),
    ],
)
def test_durations(seconds, words):
    """A duration has two units at most, and a clock that went back gives none below zero."""
    assert duration(seconds) == words


def test_counts():
    """Numbers agree with their nouns, and what there is none of is not mentioned."""
    assert count(1, "job") == "1 job"
    assert count(1_200, "job") == "1,200 jobs"
    assert counts({"done": 2, "failed": 0, "waiting": 1_000}) == "2 done, 1,000 waiting"


def test_sizes():
    """The largest unit that leaves a number to read."""
    shown = [size(number) for number in (1, 312, 4_404_019, 3 << 30, 1_830 << 30)]
    assert shown == ["1 byte", "312 bytes", "4.2 MiB", "3.0 GiB", "1,830.0 GiB"]
