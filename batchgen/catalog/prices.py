"""What a request can cost, and what its answer's usage is billed.

Video is billed by the second of the result in the tier of its resolution, and some models count
seconds of the videos that go in as well; images are billed by the piece; failed tasks and failed
images are free (Model pricing, 2026-05). What is not known before the answer is reserved at the
most that the reference allows, so that no cost is above its price. Where a file tells how long
something is, a little more may be billed than was measured or is allowed: an encoder's last frames
(a sound of 18.0 seconds: 18.13, Wan digital human; a video of five: 5.2, Wan animate; 2026).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Annotated, Any, Self

from pydantic import Discriminator, NonNegativeInt, Tag, model_validator

from batchgen.catalog.data import Data
from batchgen.catalog.money import Amount, Money
from batchgen.catalog.request import Media, MediaKind, Request

_MOST = 1_000_000
"""Seconds or images: no task makes as many, so a usage that says more is no usage."""


class Unit(StrEnum):
    """What is counted."""

    SECOND = "second"
    IMAGE = "image"

    @property
    def asked(self) -> str:
        """The parameter that commonly says how many of it a request asks for."""
        return {Unit.SECOND: "duration", Unit.IMAGE: "n"}[self]

    @property
    def billed(self) -> tuple[str, ...]:
        """The fields of ``usage`` that say how many were made; older models have the later one."""
        return {Unit.SECOND: ("duration", "video_duration"), Unit.IMAGE: ("image_count",)}[self]


def _form(amounts: object) -> str:
    return "tiers" if isinstance(amounts, Mapping) else "all"


Amounts = Annotated[
    Annotated[Amount, Tag("all")] | Annotated[Mapping[str, Amount], Tag("tiers")],
    Discriminator(_form),
]
"""One for all tiers, or one for each."""


class Rate(Data):
    """Amounts a unit, by currency."""

    when: Mapping[str, bool | str] = {}
    """The settings for which the rate holds; none: it holds always."""
    amounts: Mapping[str, Amounts]

    def holds(self, settings: Mapping[str, Any]) -> bool:
        return all(settings.get(name) == value for name, value in self.when.items())


class Quantity(Data):
    """How much of the unit a request asks for: a number, a parameter's, or some media's seconds."""

    when: Mapping[str, bool | int | str] = {}
    """The parameters for which it is asked for in this way; none: always."""
    fixed: NonNegativeInt | None = None
    parameter: str | None = None
    stands_for: Mapping[int, NonNegativeInt] = {}
    """The most that a special value of the parameter asks for (-1: the model decides)."""
    media: tuple[str, ...] = ()
    """Keys, or types of the items of a list, whose files' seconds count."""
    at_most: NonNegativeInt = 0
    """Seconds of all these media together; they count whole where a file is not measured."""
    cut_to: str | None = None
    """The parameter that the media are cut to, unless it is 0."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.fixed is not None) + (self.parameter is not None) + bool(self.media) != 1:
            raise ValueError("it must have one of fixed, parameter and media")
        if self.media and not self.at_most:
            raise ValueError("the seconds of media must have an at_most")
        return self

    def holds(self, parameters: Mapping[str, Any]) -> bool:
        return all(parameters.get(name) == value for name, value in self.when.items())

    def worst(self, request: Request) -> int:
        """The most that the request can ask for."""
        if self.fixed is not None:
            return self.fixed
        if self.parameter is not None:
            asked = int(request.parameters[self.parameter])
            return self.stands_for.get(asked, asked)
        cut = request.parameters.get(self.cut_to or "") or self.at_most
        return min(cut, self.at_most, self._seconds(request))

    def _seconds(self, request: Request) -> int:
        seconds = 0
        for medium in self._counted(request):
            measured = medium.measured.seconds if medium.measured else None
            seconds += self.at_most if measured is None else math.ceil(measured)
        return seconds

    def _counted(self, request: Request) -> Iterator[Media]:
        for key, items in request.media.items():
            for medium in items:
                is_named = key in self.media or medium.role in self.media
                if is_named and medium.kind is not MediaKind.IMAGE:
                    yield medium


class Prices(Data):
    """A model's price list. The first rate that holds is the one that counts."""

    source: str
    unit: Unit
    rates: tuple[Rate, ...]
    result: tuple[Quantity, ...] = ()
    """How much is made; the first that holds counts. Empty: as the unit's own parameter says."""
    sources: Quantity | None = None
    """Seconds of what goes in, where they are billed too."""
    at_most: NonNegativeInt | None = None
    """Of result and sources together, where sources count."""
    slack: NonNegativeInt = 0
    """Seconds that may be billed above all that, where the length of a file counts."""

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        return self.result or (Quantity(parameter=self.unit.asked),)

    def worst(self, request: Request, tier: str | None, currency: str) -> Money | None:
        """The price if the service makes everything that the request asks for."""
        each = self._each(request.parameters, (tier,), currency)
        return None if each is None else _times(each, self.quantity(request))

    def quantity(self, request: Request) -> int:
        """How much can be billed at most: seconds or images."""
        made, measured = self._made(request)
        put_in = self.sources.worst(request) if self.sources else 0
        if not (put_in or measured):
            return made
        both = made + put_in
        return self.slack + (both if self.at_most is None else min(both, self.at_most))

    def made(self, request: Request) -> int:
        """How much can come of the request at most: seconds or images."""
        made, measured = self._made(request)
        return made + self.slack if measured else made

    def _made(self, request: Request) -> tuple[int, bool]:
        """What is asked for, and whether the length of a file tells it."""
        asked = next(one for one in self.quantities if one.holds(request.parameters))
        return asked.worst(request), bool(asked.media)

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
        return None if amounts is None else _money(amounts, currency)


# A batch has few prices and many jobs: equal ones are one object.
_money = lru_cache(maxsize=1000)(Money.of)
_times = lru_cache(maxsize=1000)(Money.__mul__)
