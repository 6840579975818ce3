"""Values to report on, and consoles that keep what they were given."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from batchgen.api.standing import BatchReport, JobReport
from batchgen.api.summary import Summary
from batchgen.catalog import Money
from batchgen.runner.progress import Progress


@pytest.fixture
def job():
    """Makes a job's report; what is not given is that of a job that is done."""

    def make(name, **changes):
        facts = {
            "state": "done",
            "model": "wan2.6-t2v",
            "price": Money(500_000, "USD"),
            "spent": None,
            "task_id": None,
            "submitted_at": None,
            "files": (),
            "code": None,
            "message": None,
            "listed": True,
        }
        return JobReport(id=name, **{**facts, **changes})

    return make


@pytest.fixture
def batch():
    """Makes a batch's report."""

    def make(*jobs, **changes):
        facts = {"holder": None, "spent": None, "reserved": None}
        values = {**facts, **changes}
        return BatchReport(name="night", folder=Path("/out/night"), jobs=jobs, **values)

    return make


@pytest.fixture
def summary():
    """Makes a run's summary."""

    def make(*jobs, **changes):
        facts = {
            "changed": (),
            "submitted": len(jobs),
            "saved": 0,
            "spent": None,
            "reserved": None,
            "seconds": 7_500.0,
            "budget_reached": False,
        }
        values = {**facts, **changes}
        return Summary(name="night", folder=Path("/out/night"), jobs=jobs, **values)

    return make


@pytest.fixture
def progress():
    """Makes a moment of a run of ten jobs."""

    def make(**changes):
        facts = {
            "total": 10,
            "waiting": 8,
            "at_service": 2,
            "downloading": 0,
            "done": 0,
            "failed": 0,
            "needs_a_person": 0,
            "spent": 0,
            "reserved": 1_000_000,
            "currency": "USD",
            "seconds_left": None,
        }
        return Progress(**{**facts, **changes})

    return make


@pytest.fixture
def shown():
    """The plain text that somebody sees of a view."""

    def show(view, width=300):
        file = io.StringIO()
        Console(file=file, width=width, markup=False, highlight=False).print(view)
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines())

    return show
