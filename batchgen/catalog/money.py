"""Amounts of money, exact."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import Field

_DIGITS = 6
_MOST = 1_000_000

Amount = Annotated[Decimal, Field(ge=0, le=_MOST, decimal_places=_DIGITS)]
"""What a unit costs, in units of a currency: a whole number of millionths."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in millionths of a currency's unit; amounts of two currencies never mix."""

    micro: int
    currency: str

    @classmethod
    def of(cls, amount: Decimal, currency: str) -> Money:
        """The amount in units of the currency; ValueError where it is finer than a millionth."""
        micro = amount.scaleb(_DIGITS)
        if not micro.is_finite() or micro != micro.to_integral_value():
            raise ValueError(f"{amount} {currency} is no whole number of millionths")
        return cls(int(micro), currency)

    def __add__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.micro + other.micro, self.currency)

    def __mul__(self, times: int) -> Money:
        if not isinstance(times, int):
            return NotImplemented
        return Money(self.micro * times, self.currency)

    __rmul__ = __mul__

    def __str__(self) -> str:
        """``USD 0.50``: two decimals, more only where the amount has them."""
        units, fraction = f"{Decimal(self.micro).scaleb(-_DIGITS):f}".split(".")
        return f"{self.currency} {units}.{fraction.rstrip('0').ljust(2, '0')}"
