"""The example of a rough night, against the client."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from batchgen.api import Endpoint, Run, Settings
from batchgen.dashscope.endpoint import Secret
from batchgen.errors import ExitCode
from batchgen.manifest import load as manifest
from batchgen.sandbox import Sandbox
from batchgen.sandbox.faults import load

pytestmark = pytest.mark.looptime

EXAMPLE = Path(__file__).parents[2] / "jobs" / "faults" / "rough-night.yaml"
START = 1_790_000_000.0
JOBS = 24


async def night(folder: Path):
    """A batch of pictures, one of a volcano, through the rough night: summary, bill, faults."""
    film = folder / "film.yaml"
    prompts = [f"  - {{id: p{number}, prompt: Lantern {number}.}}" for number in range(1, JOBS)]
    film.write_text(
        "defaults: {model: wan2.2-t2i-flash, size: 512*512}\njobs:\n"
        + "\n".join([*prompts, "  - {id: mountain, prompt: A volcano at dawn.}"])
    )
    faults, loop, bills = load(EXAMPLE), asyncio.get_running_loop(), []

    @asynccontextmanager
    async def connect():
        async with Sandbox(folder / "service", faults=faults, start=START) as sandbox:
            yield Endpoint(base_url=sandbox.base_url, key=Secret("sk-sandbox"))
            bills.append(sandbox.bill())

    run = Run(
        manifest(film),
        Settings(sandbox=True),
        connect=connect,
        wall=lambda: START + loop.time(),
    )
    return await run.run(), bills[0], faults


async def test_a_rough_night_ends_well(tmp_path):
    """One job is refused by name, all others are on disk, and nothing was bought twice."""
    summary, bill, faults = await night(tmp_path)
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert [(job.id, job.code) for job in summary.failed] == [("mountain", "DataInspectionFailed")]
    assert summary.count("done") == JOBS - 1
    assert (bill.tasks_created, bill.equal_requests, bill.images) == (JOBS, 0, JOBS - 1)
    assert {fired.rule for fired in faults.fired} >= {
        "evening rush",
        "too fast",
        "bad gateway",
        "broken off",
        "damaged",
        "slow line",
        "an error page instead of the film",
        "moderation",
    }
