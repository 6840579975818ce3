"""Amounts of money are exact and never mix currencies."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.catalog import Money


@pytest.mark.parametrize(
    ("micro", "shown"),
    [
        (500_000, "USD 0.50"),
        (0, "USD 0.00"),
        (37_500, "USD 0.0375"),
        (1, "USD 0.000001"),
        (25_000_000, "USD 25.00"),
        (-1_250_000, "USD -1.25"),
    ],
)
def test_money_shows_two_decimals_and_more_only_if_needed(micro, shown):
    """A price reads like a price, and no fraction of a cent is lost."""
    assert str(Money(micro, "USD")) == shown


def test_money_adds_in_one_currency_only():
    """Yuan never disappear in a sum of dollars."""
    assert Money(1, "USD") + Money(2, "USD") == Money(3, "USD")
    with pytest.raises(ValueError, match="cannot add CNY to USD"):
        Money(1, "USD") + Money(2, "CNY")


def test_money_multiplies_by_whole_numbers_only():
    """A float never comes near an amount."""
    assert Money(5, "USD") * 3 == 3 * Money(5, "USD") == Money(15, "USD")
    with pytest.raises(TypeError):
        Money(5, "USD") * 1.5
    with pytest.raises(TypeError):
        Money(5, "USD") + 1


@pytest.mark.parametrize("amount", ["0.0000001", "NaN", "Infinity"])
def test_money_refuses_an_amount_that_is_no_whole_number_of_millionths(amount):
    """An amount is never rounded on its way in."""
    with pytest.raises(ValueError, match="no whole number of millionths"):
        Money.of(Decimal(amount), "USD")


@given(st.integers(min_value=-(10**18), max_value=10**18))
def test_what_money_shows_is_what_it_is(micro):
    """Reading the shown amount gives the same amount back."""
    money = Money(micro, "CNY")
    assert Money.of(Decimal(str(money).removeprefix("CNY ")), "CNY") == money
