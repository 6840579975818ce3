"""A budget is a promise: in the currency of the price list, and only where prices are known."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from batchgen.api import Place
from batchgen.catalog import Money
from batchgen.cli import batches, main
from batchgen.manifest import load


def test_the_currency_is_that_of_the_price_list(night):
    """The amount counts in the currency of the region that counts."""
    manifest = load(night)
    amount = Decimal("12.5")
    assert batches._budget(manifest, Place(), amount) == Money(12_500_000, "USD")
    assert batches._budget(manifest, Place(region="cn-beijing"), amount).currency == "CNY"
    assert batches._budget(manifest, Place(fallback="beijing"), amount).currency == "CNY"
    assert batches._budget(manifest, Place(), None) is None


UNPRICED = """\
models:
  wan-next: {like: wan2.2-t2v-plus, title: Wan next, prices: null}
"""

PRICED = """\
models:
  wan-next:
    like: wan2.2-t2v-plus
    title: Wan next
    prices: {source: "my invoice, 2026-10", unit: second, rates: [{amounts: {USD: 0.20}}],
             result: [{parameter: duration}]}
"""


@pytest.fixture
def unpriced(night):
    """A manifest with one job of a model whose price nobody knows."""
    night.write_text(night.read_text().replace("wan2.2-t2v-plus", "wan-next"))
    (night.parent / "unpriced.yaml").write_text(UNPRICED)
    return night


@pytest.mark.parametrize("command", [["plan"], ["run", "--sandbox"]])
def test_a_job_without_a_price_and_a_budget_exclude_each_other(unpriced, capsys, command):
    """A budget that could not be kept is refused before anything is sent, and says what to do."""
    unpriced.write_text("budget: {amount: 5, currency: USD}\n" + unpriced.read_text())
    assert main([*command, "night.yaml", "--catalog", "unpriced.yaml"]) == 2
    told = capsys.readouterr().err
    assert "night.yaml has 1 job without one: fox." in told
    assert "Give their models `prices:` in a catalog file and name it with --catalog" in told
    assert not (unpriced.parent / "output").exists()


def test_a_budget_on_the_command_line_needs_prices_as_well(unpriced, capsys):
    """The flag is as strict as the manifest, and only about what is chosen."""
    run = ["run", "night.yaml", "--sandbox", "--catalog", "unpriced.yaml", "--budget", "5"]
    assert main(run) == 2
    assert "without one: fox." in capsys.readouterr().err


def test_a_price_from_a_catalog_file_counts(unpriced, capsys):
    """What the hint says helps: the user's own price is planned with."""
    (unpriced.parent / "priced.yaml").write_text(PRICED)
    unpriced.write_text("budget: {amount: 5, currency: USD}\n" + unpriced.read_text())
    assert main(["plan", "night.yaml", "--catalog", "priced.yaml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["jobs"][0]["price"] == {"amount": 1.0, "currency": "USD"}


def test_many_jobs_without_a_price_are_not_all_named(unpriced, capsys):
    """A thousand ids would hide what to do about them."""
    jobs = "".join(f"  - {{id: j{n}, model: wan-next, prompt: p{n}}}\n" for n in range(1_000))
    unpriced.write_text(f"budget: {{amount: 5, currency: USD}}\njobs:\n{jobs}")
    assert main(["plan", "night.yaml", "--catalog", "unpriced.yaml"]) == 2
    assert "has 1,000 jobs without one: j0, j1, j2, j3, j4, j5, j6, j7, j8, j9...." in (
        capsys.readouterr().err
    )
