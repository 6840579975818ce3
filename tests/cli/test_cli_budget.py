"""A budget is a promise: in the currency of the price list, and only where prices are known."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from batchgen.api import Place, Settings
from batchgen.catalog import Money
from batchgen.cli import batches
from batchgen.errors import Mistake
from batchgen.manifest import load


def test_the_currency_is_that_of_the_price_list(night):
    """The amount counts in the currency of the region that counts."""
    manifest = load(night)
    amount = Decimal("12.5")
    assert batches._budget(manifest, Place(), amount) == Money(12_500_000, "USD")
    assert batches._budget(manifest, Place(region="cn-beijing"), amount).currency == "CNY"
    assert batches._budget(manifest, Place(fallback="beijing"), amount).currency == "CNY"
    assert batches._budget(manifest, Place(), None) is None


def test_a_job_without_a_price_is_named(night):
    """A budget that could not be kept is refused before anything is sent."""
    manifest = load(night)
    fox, moon = manifest.jobs
    manifest = replace(manifest, jobs=(replace(fox, price=None), moon))
    with pytest.raises(Mistake, match=r"1 job without one: fox\."):
        batches._refuse_unpriced(manifest, Settings())
    batches._refuse_unpriced(manifest, Settings(only="moon"))
