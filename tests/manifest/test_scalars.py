from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.manifest.scalars import control_in, typed


@pytest.mark.parametrize(
    "word",
    [
        "NO",
        "no",
        "yes",
        "on",
        "off",
        "y",
        "12:30",
        "12:30:45",
        "2024-01-31",
        "1_000",
        "010",
        "0o17",
        "0x1F",
        ".inf",
        "-.inf",
        ".nan",
        "nan",
        "inf",
        "1e999",
        "+5",
        ".5",
        "5.",
        "1280*720",
        "١٢",
        "tRUE",
        "<<",
        "=",
        "99999999999999999999999999999999999999999",
    ],
)
def test_guesses_of_yaml_stay_text(word):
    """What readers of YAML disagree about is the text that somebody wrote."""
    assert typed(word) == word


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-7", -7),
        ("2147483647", 2147483647),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("9" * 40, int("9" * 40)),
    ],
)
def test_plain_words_mean_what_json_means(word, value):
    """Numbers, truth values and null are read, each with its own type."""
    assert typed(word) == value
    assert type(typed(word)) is type(value)


@given(st.one_of(st.integers(-(10**38), 10**38), st.floats(allow_nan=False, allow_infinity=False)))
def test_every_json_number_is_read_back(number):
    """A number written as JSON comes back as itself."""
    assert typed(json.dumps(number)) == number


@given(st.text())
def test_typed_values_are_always_json(word):
    """Whatever is written without quotes can be sent as JSON."""
    json.dumps(typed(word), allow_nan=False)


@pytest.mark.parametrize("character", ["\0", "\b", "\x1b", "\x7f", "\x9b", "\ud800"])
def test_control_characters_are_found(character):
    """A character that would break a terminal or a file name is found where it stands."""
    assert control_in(f"ab{character}") == 2


def test_line_breaks_tabs_and_all_scripts_are_allowed():
    """Prompts may have lines, tabs, accents, Chinese and emoji."""
    assert control_in("a\tb\r\nc é 中文 🦊") is None
