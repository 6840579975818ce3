"""A check of a picture by the service itself, before the paid request that builds on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchgen.catalog.data import Data
from batchgen.catalog.money import Amount, Money
from batchgen.catalog.routes import Route


class Inspection(Data):
    """A model that looks at one input and answers at once; billed whatever it answers."""

    model: str
    source: str
    route: Route
    key: str
    """The media key of the job that is looked at."""
    amounts: Mapping[str, Amount]
    """For one look, by currency."""

    def body(self, url: str) -> dict[str, Any]:
        """The JSON to POST; ``url`` is where the service finds the medium."""
        return {"model": self.model, "input": {self.key: url}, "parameters": {}}

    def price(self, currency: str) -> Money | None:
        amount = self.amounts.get(currency)
        return None if amount is None else Money.of(amount, currency)
