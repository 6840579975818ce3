"""What a model costs, in the currency of the region that sells it.

Rules.
1. Beijing's list is in CNY, that of the other regions in USD (Model pricing, 2026-05; its CNY for
   Singapore are dollars at `CNY_PER_USD`, which makes nearly all of them round).
2. A model that only one list has costs the other currency's worth elsewhere (*chosen*), so that
   everything can be rehearsed everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

CNY_PER_USD = Decimal("7.33924")


class Currency(StrEnum):
    """By its ISO 4217 code."""

    USD = "USD"
    CNY = "CNY"


_RATES = {Currency.USD: Decimal(1), Currency.CNY: CNY_PER_USD}

Prices = Mapping[str, int]
"""Micro-units of one currency: per second of video by tier or mode, `<tier> silent` where silence
is cheaper; per `image` for the others."""


def currency_of(region: str) -> Currency:
    """What is paid in a region, by its city or by the name that its hosts have."""
    return Currency.CNY if region in {"beijing", "cn-beijing"} else Currency.USD


def prices_in(currency: Currency, lists: Mapping[Currency, Prices]) -> Prices:
    """A model's own list, or another one converted; to the nearest millionth."""
    if currency in lists:
        return lists[currency]
    known, prices = next(iter(lists.items()))
    rate = _RATES[currency] / _RATES[known]
    return {grade: round(price * rate) for grade, price in prices.items()}
