"""The plan says what the next run buys, and when it would end."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from batchgen.catalog import Money
from batchgen.errors import Problem
from batchgen.manifest import load
from batchgen.report.plan import MOST_ROWS, plan_data, plan_view
from batchgen.report.screen import Screen


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "night.yaml"
    entries = [f"  - {{id: fox-{n}, prompt: fox {n}, duration: 5}}" for n in range(MOST_ROWS)]
    text = "defaults: {model: wan2.6-t2v, size: 1280*720}\njobs:\n" + "\n".join(entries)
    path.write_text(text)
    return load(path)


def reports(manifest, job):
    return [job(one.id, state="new", price=one.price) for one in manifest.jobs]


def test_what_the_next_run_buys(manifest, job, batch, shown):
    """Jobs, seconds and money by model, and the sum in words."""
    seen = shown(plan_view(manifest, batch(*reports(manifest, job))))
    assert "night: 40 jobs" in seen
    assert ["wan2.6-t2v", "40", "200", "seconds", "USD", "20.00", "40", "min"] in [
        line.split() for line in seen.splitlines()
    ]
    assert "The next run buys 40 jobs for USD 20.00 at most" in seen
    assert ["fox-7", "new", "wan2.6-t2v", "USD", "0.50"] in [
        line.split() for line in seen.splitlines()
    ]


def test_many_jobs_are_only_counted(manifest, job, batch, shown):
    """Beyond a screenful each job is shown only when all are asked for."""
    report = batch(*reports(manifest, job), job("one-more", state="new"))
    assert "fox-7" not in shown(plan_view(manifest, report))
    assert "fox-7" in shown(plan_view(manifest, report, every_job=True))


def test_what_was_bought_is_not_bought_again(manifest, job, batch, shown):
    """Jobs that are done or under way are told apart, with what they cost."""
    first, second, *others = reports(manifest, job)
    done = job(first.id, state="done")
    doubt = job(second.id, state="in doubt")
    report = batch(done, doubt, *others, spent=Money(500_000, "USD"))
    seen = shown(plan_view(manifest, report))
    assert "The next run buys 38 jobs for USD 19.00 at most" in seen
    assert "Not bought again: 1 done, 1 in doubt." in seen
    assert "So far: spent USD 0.50." in seen
    assert "never sends it again by itself" in seen


def test_an_unknown_price_is_said(manifest, job, batch, shown):
    """A sum that leaves something out says so."""
    report = batch(*reports(manifest, job)[:2], job("fox-2", state="new", price=None))
    seen = shown(plan_view(manifest, report))
    assert "for USD 1.00 and 1 job of unknown price at most" in seen
    assert plan_data(manifest, report)["without_price"] == ["fox-2"]


def test_two_currencies_stay_apart(manifest, job, batch):
    """Amounts of two currencies are never added."""
    yuan = job("fox-1", state="new", price=Money(3_000_000, "CNY"))
    told = plan_data(manifest, batch(job("fox-0", state="new"), yuan))
    assert told["to_spend"] == [
        {"amount": 0.5, "currency": "USD"},
        {"amount": 3.0, "currency": "CNY"},
    ]


def test_a_job_that_was_taken_out_is_counted_apart(manifest, job, batch, shown):
    """The manifest has as many jobs as it names; what was sent before is still told."""
    gone = job("gone", state="rendering", listed=False)
    seen = shown(plan_view(manifest, batch(*reports(manifest, job)[:3], gone)))
    assert seen.startswith("night: 3 jobs (and 1 that the manifest no longer names)\n")
    assert plan_data(manifest, batch(gone))["jobs"][0]["listed"] is False


def test_nothing_left_to_buy(manifest, job, batch, shown):
    """A finished batch says that it costs nothing more."""
    assert "The next run buys nothing." in shown(plan_view(manifest, batch(job("fox-0"))))


def test_plan_json(manifest, job, batch):
    """A program finds the ids that would be bought."""
    told = plan_data(manifest, batch(job("fox-0"), job("fox-1", state="pending")))
    assert json.loads(json.dumps(told)) == told
    assert told["to_buy"] == ["fox-1"]
    assert told["counts"] == {"done": 1, "pending": 1}


def test_an_id_is_no_markup(manifest, job, batch, capsys):
    """Brackets in what a person wrote are brackets, not colours and no error."""
    Screen().tell(plan_view(manifest, batch(job("fox[/nope]", state="done"))))
    assert "fox[/nope]" in capsys.readouterr().out


def test_when_it_would_end(manifest, job, batch, shown):
    """The time under the limits is told as an estimate, with the moment that it comes to."""
    report = batch(*reports(manifest, job))
    seen = shown(plan_view(manifest, report, now=1_700_000_000))
    assert (
        "An estimate under the service's limits: it takes 40 min, begun now until "
        "2023-11-14 22:53 UTC."
    ) in seen
    told = plan_data(manifest, report)
    (model,) = told["models"]
    assert (model["model"], model["jobs"]) == ("wan2.6-t2v", 40)
    assert model["to_spend"] == [{"amount": 20.0, "currency": "USD"}]
    assert model["seconds"] == told["seconds"] == pytest.approx(2_408)


def test_what_a_budget_lacks(manifest, job, batch, shown):
    """A budget that cannot hold the worst case is told before the night, not after it."""
    spent = batch(*reports(manifest, job), spent=Money(4_000_000, "USD"))
    tight, wide = (replace(manifest, budget=Money(n * 1_000_000, "USD")) for n in (20, 24))
    assert "USD 4.00 more than the budget allows." in shown(plan_view(tight, spent))
    assert "more than the budget" not in shown(plan_view(wide, spent))
    told = plan_data(tight, spent)
    assert told["missing"] == {"amount": 4.0, "currency": "USD"}
    assert told["budget"] == {"amount": 20.0, "currency": "USD"}
    assert plan_data(wide, spent)["missing"] is None


def test_warnings_are_told_to_programs(manifest, job, batch):
    """A program gets every warning with its place."""
    warned = replace(
        manifest, warnings=(Problem("night.yaml", 3, 5, "nothing checks extra_input"),)
    )
    told = plan_data(warned, batch(job("fox-0")))
    assert told["warnings"] == [
        {
            "file": "night.yaml",
            "line": 3,
            "column": 5,
            "message": "nothing checks extra_input",
            "hint": None,
        }
    ]
