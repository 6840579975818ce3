"""Every model of the catalog by its own example: planned, submitted, polled, fetched, billed."""

from __future__ import annotations

import pytest
import yaml

from batchgen.catalog import load
from batchgen.errors import ExitCode

pytestmark = pytest.mark.looptime

CATALOG = load()
NAMES = sorted(CATALOG.models)


@pytest.mark.parametrize("name", NAMES)
async def test_its_example_ends_as_files_with_what_they_cost(rehearsal, name):
    """One task, the files it promises, a sidecar with the usage, and the cost that was billed."""
    model = CATALOG.models[name]
    rehearsal.region = model.regions[0]
    job = {"id": "example", "model": name, **model.example}
    summary = await rehearsal.run(yaml.safe_dump({"region": model.regions[0], "jobs": [job]}))
    assert summary.exit_code is ExitCode.DONE, summary
    told = rehearsal.sidecar("example")
    assert told["usage"]
    assert told["cost"]["estimated"] is False
    assert told["cost"]["currency"] == rehearsal.bill.currency
    assert round(told["cost"]["amount"] * 1_000_000) == pytest.approx(rehearsal.bill.amount, abs=1)
    assert rehearsal.bill.tasks_created == 1
    assert all(path.endswith(model.suffix) for job in summary.jobs for path in job.files)
