"""Amounts in words and as JSON data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from batchgen.catalog import Money


def money_data(money: Money | None) -> dict[str, Any] | None:
    """``{"amount": 0.5, "currency": "USD"}``, as in a sidecar's ``cost``."""
    if money is None:
        return None
    return {"amount": money.micro / 1_000_000, "currency": money.currency}


def totals(prices: Iterable[Money | None]) -> list[Money]:
    """The sum of what is known, in each currency."""
    sums: dict[str, Money] = {}
    for price in filter(None, prices):
        known = sums.get(price.currency)
        sums[price.currency] = price if known is None else known + price
    return list(sums.values())


def spending(
    spent: Money | None, reserved: Money | None, to_spend: Sequence[Money] = ()
) -> str | None:
    """``spent USD 1.50, up to USD 0.50 more for tasks under way``; None before the first cent.

    ``to_spend`` is the worst case of what is still to buy.
    """
    parts = []
    if spent is not None and spent.micro:
        parts.append(f"spent {spent}")
    if reserved is not None and reserved.micro:
        more = " more" if parts else ""
        parts.append(f"up to {reserved}{more} for what is under way or in doubt")
    if to_spend:
        parts.append(f"up to {' and '.join(map(str, to_spend))} for what is still to buy")
    total = totals([spent, reserved, *to_spend])
    if to_spend and len(parts) > 1 and len(total) == 1:
        parts.append(f"{total[0]} in all at most")
    return ", ".join(parts) or None
