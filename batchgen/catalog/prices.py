"""What a request can cost, and what its answer's usage is billed.

Video is billed by the second of the result in the tier of its resolution, images by the piece;
failed tasks and failed images are free (Model pricing, 2026-05).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from batchgen.catalog.data import Data
from batchgen.catalog.money import Money

_MOST = 1_000_000
"""Seconds or images: no task makes as many, so a usage that says more is no usage."""


class Unit(StrEnum):
    """What is counted."""

    SECOND = "second"
    IMAGE = "image"

    @property
    def asked(self) -> str:
        """The parameter that says how many of it a request asks for."""
        return {Unit.SECOND: "duration", Unit.IMAGE: "n"}[self]

    @property
    def billed(self) -> tuple[str, ...]:
        """The fields of ``usage`` that say how many were made; older models have the later one."""
        return {Unit.SECOND: ("duration", "video_duration"), Unit.IMAGE: ("image_count",)}[self]


class Rate(Data):
    """Amounts a unit, by currency: one for all, or one for each tier."""

    when: Mapping[str, bool] = {}
    """The switches for which the rate holds; none: it holds always."""
    amounts: Mapping[str, Decimal | Mapping[str, Decimal]]

    def holds(self, settings: Mapping[str, Any]) -> bool:
        return all(settings.get(name) == value for name, value in self.when.items())


class Prices(Data):
    """A model's price list. The first rate that holds is the one that counts."""

    source: str
    unit: Unit
    rates: Annotated[tuple[Rate, ...], Field(min_length=1)]

    def worst(self, parameters: Mapping[str, Any], tier: str | None, currency: str) -> Money | None:
        """The price if the service makes everything that the parameters ask for."""
        each = self._each(parameters, (tier,), currency)
        return None if each is None else each * parameters[self.unit.asked]

    def billed(
        self,
        parameters: Mapping[str, Any],
        tier: str | None,
        usage: Mapping[str, Any],
        currency: str,
    ) -> Money | None:
        """What the usage costs; None where it does not say how much was made.

        ``usage`` outweighs the parameters. Numbers may be integers or floats, and its ``SR`` (720)
        may be text as well.
        """
        count = next((usage[name] for name in self.unit.billed if name in usage), None)
        if isinstance(count, bool) or not isinstance(count, int | float):
            return None
        if not 0 <= count <= _MOST:  # which is false for a NaN
            return None
        tiers = (str(usage.get("SR")).removesuffix(".0") + "P", tier)
        each = self._each({**parameters, **usage}, tiers, currency)
        return each and Money(round(each.micro * Decimal(str(count))), currency)

    def _each(
        self, settings: Mapping[str, Any], tiers: tuple[str | None, ...], currency: str
    ) -> Money | None:
        """The price of one unit, in the first of ``tiers`` that the list knows."""
        rate = next(rate for rate in self.rates if rate.holds(settings))
        amounts = rate.amounts.get(currency)
        if isinstance(amounts, Mapping):
            amounts = next((amounts[tier] for tier in tiers if tier and tier in amounts), None)
        return None if amounts is None else Money.of(amounts, currency)
