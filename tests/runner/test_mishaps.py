"""A bug of ours strikes one job: the others are done, nothing is bought twice, and it is told."""

from __future__ import annotations

import asyncio
import wave

import pytest
from PIL import Image

from batchgen.api import plan
from batchgen.core import facts as f
from batchgen.core.job import IllegalStep
from batchgen.errors import ExitCode
from batchgen.manifest import load
from batchgen.runner.fetcher import Fetcher
from batchgen.runner.inspector import Inspector
from batchgen.runner.loop import PATIENCE
from batchgen.runner.outcome import Outcome, about
from batchgen.runner.poller import Poller
from batchgen.runner.sealer import Sealer
from batchgen.runner.searcher import Searcher
from batchgen.runner.submitter import Submitter
from batchgen.runner.uploader import Uploader
from batchgen.sandbox import Faults, Point, Reset, Rule

pytestmark = [pytest.mark.looptime, pytest.mark.fault(21)]

TWO = """
defaults: {model: wan2.2-t2i-flash, size: 512*512}
jobs:
  - {id: owl, prompt: An owl turns its head in the rain.}
  - {id: fox, prompt: A fox crosses a frozen river at dawn.}
"""
SPEECH = """
region: beijing
jobs:
  - {id: owl, model: wan2.2-s2v, resolution: 480P, image_url: face.png, audio_url: speech.wav,
     detect: true}
  - {id: fox, model: wan2.2-t2i-flash, size: 512*512, prompt: A fox.}
"""
SECRET = "sk-canary-in-an-exception"


def strike(monkeypatch, worker: type, method: str, *, after: bool = False) -> None:
    """From now on the worker breaks over the owl, before or after it has done its work."""
    real = getattr(worker, method)

    async def struck(self, job, *rest):
        if job.id == "owl" and not after:
            raise KeyError(SECRET)
        outcome = await real(self, job, *rest)
        if job.id == "owl":
            raise KeyError(SECRET)
        return outcome

    monkeypatch.setattr(worker, method, struck)


def state_of(rehearsal, job: str):
    report = plan(load(rehearsal.folder / "film.yaml"), rehearsal.start()._settings)
    return next(found for found in report.jobs if found.id == job)


@pytest.mark.parametrize(
    "where",
    [
        (Submitter, "_body", "failed"),
        (Submitter, "_send", "in doubt"),
        (Poller, "poll", "stuck"),
        (Fetcher, "fetch", "stuck"),
        (Sealer, "seal", "stuck"),
    ],
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_bug_stops_its_job_alone(rehearsal, monkeypatch, where, after):
    """The fox is done; the owl waits with the reason; the next run ends it, bought once."""
    worker, method, state = where
    with monkeypatch.context() as broken:
        strike(broken, worker, method, after=after)
        summary = await rehearsal.run(TWO)
    assert (repr(summary.bug), summary.exit_code) == (repr(KeyError(SECRET)), ExitCode.BUG)
    assert rehearsal.sidecar("fox")["job"] == "fox"
    owl = state_of(rehearsal, "owl")
    assert owl.state == state
    assert owl.message.startswith("a bug of batchgen: KeyError in test_mishaps.py, line ")
    assert SECRET not in owl.message
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.sidecar("owl")["job"] == "owl"
    assert rehearsal.bill.tasks_created == 2


@pytest.mark.parametrize(
    ("worker", "method"), [(Uploader, "upload"), (Inspector, "inspect")], ids=["upload", "check"]
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_bug_in_what_comes_before_a_submit_sends_nothing(
    rehearsal, monkeypatch, worker, method, after
):
    """The job that needs the upload or the check fails in this run; the next one does it all."""
    rehearsal.region = "cn-beijing"
    Image.effect_noise((640, 640), 60).convert("RGB").save(rehearsal.folder / "face.png")
    with wave.open(str(rehearsal.folder / "speech.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\0" * 8000 * 3)
    with monkeypatch.context() as broken:
        strike(broken, worker, method, after=after)
        summary = await rehearsal.run(SPEECH)
    assert (repr(summary.bug), summary.exit_code) == (repr(KeyError(SECRET)), ExitCode.BUG)
    assert rehearsal.sidecar("fox")["job"] == "fox"
    owl = state_of(rehearsal, "owl")
    assert (owl.state, owl.code) == ("failed", "Bug")
    assert SECRET not in owl.message
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.sidecar("owl")["job"] == "owl"


async def test_a_bug_in_a_search_holds_the_doubts_it_was_about(rehearsal, monkeypatch):
    """Nothing is sent again on a search that broke; the next run searches, and adopts."""

    async def struck(self, action):
        raise KeyError(SECRET)

    rehearsal.faults = Faults(Rule(Point.TASK_CREATED, Reset(), calls={1}))
    with monkeypatch.context() as broken:
        broken.setattr(Searcher, "search", struck)
        summary = await rehearsal.run(TWO)
    assert (repr(summary.bug), summary.exit_code) == (repr(KeyError(SECRET)), ExitCode.BUG)
    assert rehearsal.sidecar("fox")["job"] == "fox"
    assert state_of(rehearsal, "owl").state == "in doubt"
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.sidecar("owl")["adopted"]
    assert rehearsal.bill.tasks_created == 2


@pytest.mark.parametrize("failure", [IllegalStep, MemoryError])
async def test_a_submit_without_an_outcome_is_not_waited_for(rehearsal, monkeypatch, failure):
    """What came fits nothing, or could not be told: the run ends at once, with the job in doubt;
    the next one finds its task.
    """
    real = Submitter.submit

    async def mistaken(self, job):
        await real(self, job)
        if failure is MemoryError:
            raise failure
        return Outcome((f.TaskCanceled(**about(job, self._errand.clock.now())),))

    began = asyncio.get_running_loop().time()
    with monkeypatch.context() as broken:
        broken.setattr(Submitter, "submit", mistaken)
        assert isinstance((await rehearsal.run(TWO)).bug, failure)
    assert asyncio.get_running_loop().time() - began < PATIENCE
    assert state_of(rehearsal, "owl").state == "in doubt"
    summary = await rehearsal.run()
    assert (summary.exit_code, rehearsal.bill.tasks_created) == (ExitCode.DONE, 2)


FIVE = TWO + "".join(f"  - {{id: j{n}, prompt: Wave {n} breaks on the pier.}}\n" for n in range(5))


@pytest.mark.parametrize(("bug", "made"), [(KeyError, 2), (MemoryError, 1)])
async def test_a_bug_that_strikes_submits_again_stops_them(rehearsal, monkeypatch, bug, made):
    """Two requests may have gone wrong by it, not all of them; for want of memory only one. All
    are found by the next run, which buys nothing twice.
    """
    real = Submitter._send

    async def struck(self, *given):
        await real(self, *given)
        raise bug(SECRET)

    with monkeypatch.context() as patched:
        patched.setattr(Submitter, "_send", struck)
        assert isinstance((await rehearsal.run(FIVE)).bug, bug)
    assert rehearsal.bill.tasks_created == made
    summary = await rehearsal.run()
    assert (summary.exit_code, rehearsal.bill.tasks_created) == (ExitCode.DONE, 7)
