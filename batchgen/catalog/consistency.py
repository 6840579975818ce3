"""Whether the facts of a model fit together, found when they are read and not when a job is paid.

A field's own bounds stand with the field; here is what one fact asks of another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from batchgen.catalog.cases import Case, Terms, settle, together
from batchgen.catalog.keys import (
    Boxes,
    Integer,
    Key,
    MediaKey,
    MediaList,
    Steps,
    TypedMedia,
    Words,
)
from batchgen.catalog.prices import Prices, Quantity

_NO_KEY = "the model has no such key"


class Contradiction(ValueError):
    """Facts that cannot hold together; ``steps`` lead to the one at fault."""

    def __init__(self, message: str, *steps: str | int) -> None:
        super().__init__(message)
        self.steps = steps


def check_facts(keys: Mapping[str, Key], cases: Sequence[Case], prices: Prices | None) -> None:
    """Raise Contradiction, or another ValueError, for the first that is found."""
    _check_keys(keys)
    _check_cases(keys, cases)
    if prices:
        _check_prices(keys, prices)
    for key in keys:
        for held in together([case for case in cases if key in case.keys]):
            _check_terms(settle(keys, held), prices)


def _check_keys(keys: Mapping[str, Key]) -> None:
    for key, takes in keys.items():
        if isinstance(takes, Boxes | Words) and not isinstance(keys.get(takes.along), MediaList):
            message = f"{key} goes along with {takes.along}, which is no list of media"
            raise Contradiction(message, "keys", key, takes.type, "along")


def _check_cases(keys: Mapping[str, Key], cases: Sequence[Case]) -> None:
    for number, case in enumerate(cases):
        for key in (*case.when, *case.any_of, *case.keys):
            if key not in keys:
                message = f"a case speaks of {key}, which is no key of the model"
                raise Contradiction(message, "cases", number)


def _check_prices(keys: Mapping[str, Key], prices: Prices) -> None:
    if not prices.rates or prices.rates[-1].when or prices.quantities[-1].when:
        raise Contradiction("some request would have no price", "prices")
    for number, rate in enumerate(prices.rates):
        _check_names(rate.when, keys, _NO_KEY, "prices", "rates", number, "when")
    for number, quantity in enumerate(prices.result):
        _check_quantity(keys, quantity, "prices", "result", number)
    if prices.sources:
        _check_quantity(keys, prices.sources, "prices", "sources")


def _check_quantity(keys: Mapping[str, Key], quantity: Quantity, *steps: str | int) -> None:
    _check_names(quantity.when, keys, _NO_KEY, *steps, "when")
    types = [name for one in keys.values() if isinstance(one, TypedMedia) for name in one.types]
    media = [key for key, takes in keys.items() if isinstance(takes, MediaKey)]
    _check_names(quantity.media, (*media, *types), "the model takes no such media", *steps, "media")
    numbers = [key for key, takes in keys.items() if isinstance(takes, Integer | Steps)]
    for field in ("parameter", "cut_to"):
        if name := getattr(quantity, field):
            _check_names((name,), numbers, "no key that takes whole numbers", *steps, field)


def _check_names(
    names: Iterable[str], known: Collection[str], words: str, *steps: str | int
) -> None:
    if unknown := [name for name in names if name not in known]:
        raise Contradiction(f"{words}: {', '.join(unknown)}", *steps)


def _check_terms(terms: Terms, prices: Prices | None) -> None:
    for key, default in terms.defaults.items():
        for fault in terms.keys[key].faults(default):
            raise Contradiction(f"the default of {key} {fault.message}")
    for quantity in prices.quantities if prices else ():
        asked = quantity.parameter
        if asked is None or quantity.when:
            continue
        if asked not in {*terms.defaults, *terms.required}:
            raise Contradiction(f"some request would have no price: nothing says its {asked}")
        if not isinstance(terms.keys[asked], Integer | Steps):
            raise Contradiction(f"some request would have no price: {asked} is no whole number")
