"""Rows are numbered without a gap, and each vouches for the one before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.core.facts import Fact
from batchgen.journal.chain import Broken, Chain, Row, seal


def rows_of(facts: list[Fact]) -> list[Row]:
    return list(Chain().extend(facts))


def follow(rows: list[Row]) -> Chain:
    chain = Chain()
    for row in rows:
        chain.follow(row)
    return chain


def test_rows_are_numbered_in_all_and_by_subject(story: list[Fact]):
    """``seq`` counts facts, ``version`` counts those of a subject."""
    rows = rows_of(story)
    assert [row.seq for row in rows] == list(range(1, len(story) + 1))
    assert [row.version for row in rows if row.job == "fox"] == [1, 2, 3, 4, 5, 6, 7]


def test_a_chain_that_was_read_goes_on_where_it_ended(story: list[Fact]):
    """Writing after reading gives the rows that writing at once had given."""
    chain = follow(rows_of(story[:9]))
    assert list(chain.extend(story[9:])) == rows_of(story)[9:]


@pytest.mark.parametrize("column", Row._fields)
def test_a_change_in_any_column_shows(story: list[Fact], column: str):
    """No column can change unseen."""
    rows = rows_of(story)
    value = getattr(rows[8], column)
    other = value + "x" if isinstance(value, str) else value + 1
    rows[8] = rows[8]._replace(**{column: other})
    with pytest.raises(Broken, match=r"row \d+ does not match"):
        follow(rows)


def test_a_missing_row_shows(story: list[Fact]):
    """A log with a hole is not a shorter log."""
    rows = rows_of(story)
    with pytest.raises(Broken, match="row 9 does not match"):
        follow(rows[:7] + rows[8:])


def test_numbers_out_of_order_show_even_under_a_right_checksum(story: list[Fact]):
    """A program that seals its rows but miscounts is caught, too."""
    row = rows_of(story)[0]
    odd = row._replace(version=2)
    with pytest.raises(Broken, match="row 1 is out of order"):
        follow([odd._replace(checksum=seal(*odd[:-1]))])


@given(st.lists(st.text() | st.integers() | st.none(), max_size=4))
def test_a_seal_tells_columns_apart(columns: list[str | int | None]):
    """Moving text from one column to the next changes the checksum."""
    assert seal(*columns, "ab", "c") != seal(*columns, "a", "bc")


def test_a_seal_is_the_documented_one():
    """The checksum is plain CRC-32 of a JSON array, the same on every Python."""
    assert seal("é", 1, 0.1, None) == 0x768ACDEA
