"""Where a batch stands."""

from __future__ import annotations

import json

from batchgen.catalog import Money
from batchgen.report.status import status_data, status_view


def test_a_running_batch(job, batch, shown):
    """Counts by state, who is at it, money so far."""
    report = batch(
        job("a"),
        job("b", state="rendering"),
        job("c", state="rendering"),
        holder="process 7 on mill",
        spent=Money(500_000, "USD"),
        reserved=Money(1_000_000, "USD"),
    )
    assert shown(status_view(report)).splitlines() == [
        "night: 3 jobs: 1 done, 2 rendering",
        "results: /out/night",
        "running: process 7 on mill",
        "money: spent USD 0.50, up to USD 1.00 more for what is under way or in doubt",
    ]


def test_money_to_the_end(job, batch, shown):
    """What is spent, reserved and still to buy, and what it comes to at most."""
    report = batch(
        job("a"),
        job("b", state="rendering"),
        job("c", state="new"),
        job("d", state="pending", price=Money(2_000_000, "USD")),
        spent=Money(500_000, "USD"),
        reserved=Money(1_000_000, "USD"),
    )
    assert (
        "money: spent USD 0.50, up to USD 1.00 more for what is under way or in doubt, up to"
        " USD 2.50 for what is still to buy, USD 4.00 in all at most"
    ) in shown(status_view(report))
    assert status_data(report)["to_spend"] == [{"amount": 2.5, "currency": "USD"}]
    assert "money: up to USD 0.50 for what is still to buy" in shown(
        status_view(batch(job("c", state="new")))
    )


def test_each_kind_of_trouble_has_its_advice(job, batch, shown):
    """Every state that needs a person says what the person can do."""
    states = ("in doubt", "stuck", "lost", "expired", "cancelled", "partial", "failed", "changed")
    jobs = [job(f"job-{number}", state=state) for number, state in enumerate(states)]
    seen = shown(status_view(batch(*jobs)), width=2_000)
    for number, state in enumerate(states):
        lines = seen.splitlines()
        title = lines.index(f"1 job {state}")
        assert lines[title + 1].startswith(f"  job-{number}: ")
        assert len(lines[title + 2]) > 30, state


def test_a_lost_task_is_named(job, batch, shown):
    """The task's id is what the service's support asks for."""
    seen = shown(status_view(batch(job("fox", state="lost", task_id="0385dc79"))))
    assert "fox: wan2.6-t2v, task 0385dc79" in seen


def test_status_json(job, batch):
    """A program finds the same."""
    told = status_data(batch(job("a"), holder="process 7 on mill"))
    assert json.loads(json.dumps(told)) == told
    assert told["holder"] == "process 7 on mill"
    assert told["counts"] == {"done": 1}
    assert told["jobs"][0]["price"] == {"amount": 0.5, "currency": "USD"}
