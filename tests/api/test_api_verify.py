"""Files against what was saved: what is free is mended, what is lost is named with its cost."""

from __future__ import annotations

import asyncio
import json

import pytest

from batchgen.api import Place
from batchgen.api.inspection import Flaw
from batchgen.api.verifying import Fate, verify
from batchgen.core.policy import HOUR
from batchgen.errors import BatchHeld, ExitCode
from batchgen.journal import Journal
from batchgen.sandbox import Faults, Point, Reset, Rule

pytestmark = pytest.mark.looptime

TWO = """
jobs:
  - {id: owl, prompt: An owl turns its head., model: wan2.2-t2v-plus, size: 832*480}
  - {id: moon, prompt: A moon., model: wan2.2-t2i-flash, size: 1024*1024, n: 2}
"""


def found(verification):
    return {one.file: (one.flaw, one.fate) for one in verification.findings}


def snapshot(night):
    return {path.name: path.read_bytes() for path in night.output.glob("[!.]*")}


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


async def test_a_whole_batch_is_whole(night):
    """Nothing is asked of anybody, nothing changes, and what was looked at is counted."""
    await night.go(TWO)
    before, night.bill = snapshot(night), None
    verification = await night.verify()
    assert (verification.exit_code, verification.findings) == (ExitCode.DONE, ())
    assert (verification.jobs, verification.files) == (2, 3)
    media = [content for name, content in before.items() if not name.endswith(".json")]
    assert verification.bytes == sum(map(len, media))
    assert snapshot(night) == before
    assert night.bill is None


@pytest.mark.fault(92)
@pytest.mark.parametrize(
    ("harm", "flaw", "kept"),
    [
        (lambda path: path.unlink(), Flaw.MISSING, []),
        (lambda path: path.write_bytes(path.read_bytes()[:999]), Flaw.CUT, ["owl~1.mp4"]),
        (flipped, Flaw.CHANGED, ["owl~1.mp4"]),
    ],
    ids=["deleted", "truncated", "a flipped bit"],
)
async def test_a_damaged_result_is_fetched_again(night, harm, flaw, kept):
    """While the service has it: free of charge, and the damaged one is set aside."""
    await night.go(TWO)
    before = snapshot(night)
    harm(night.output / "owl.mp4")
    told = await night.verify(fix=False)
    assert found(told) == {"owl.mp4": (flaw, Fate.TO_FETCH)}
    assert told.exit_code is ExitCode.NEEDS_A_PERSON
    assert night.replaced == [], "a look changes nothing"
    mended = await night.verify()
    assert found(mended) == {"owl.mp4": (flaw, Fate.MENDED)}
    assert mended.exit_code is ExitCode.DONE
    assert night.replaced == kept
    after = snapshot(night)
    assert after["owl.mp4"] == before["owl.mp4"]
    assert (night.bill.tasks_created, (await night.verify()).findings) == (2, ())


@pytest.mark.parametrize(
    ("harm", "flaw", "kept"),
    [
        (lambda path: path.unlink(), Flaw.NO_SIDECAR, []),
        (lambda path: path.write_text('{"half'), Flaw.NO_SIDECAR, ["owl~1.json"]),
        (
            lambda path: path.write_text(
                json.dumps({**json.loads(path.read_text()), "prompt": "A crow."})
            ),
            Flaw.OTHER_WORDS,
            [],
        ),
    ],
    ids=["deleted", "cut", "edited"],
)
async def test_a_sidecar_is_written_again_without_key_and_network(night, harm, flaw, kept):
    """The journal knows all that it says: the same bytes as before."""
    await night.go(TWO)
    before, night.bill = snapshot(night), None
    harm(night.output / "owl.json")
    told = await night.verify(fix=False)
    assert found(told) == {"owl.json": (flaw, Fate.TO_WRITE)}
    mended = await night.verify()
    assert (found(mended), mended.exit_code) == ({"owl.json": (flaw, Fate.MENDED)}, ExitCode.DONE)
    assert snapshot(night) == before
    assert (night.replaced, night.bill) == (kept, None)


async def test_what_is_lost_for_good_is_named_with_its_cost(night):
    """Beyond the 24 hours: left as it is, exit 3, the money once for each job."""
    await night.go(TWO)
    for name in ("moon-1.png", "moon-2.png"):
        flipped(night.output / name)
    before, night.later, night.bill = snapshot(night), 30 * HOUR, None
    verification = await night.verify()
    assert found(verification) == {
        "moon-1.png": (Flaw.CHANGED, Fate.EXPIRED),
        "moon-2.png": (Flaw.CHANGED, Fate.EXPIRED),
    }
    assert verification.exit_code is ExitCode.NEEDS_A_PERSON
    assert verification.findings[0].cost.micro == 50_000
    assert (snapshot(night), night.replaced, night.bill) == (before, [], None)


async def test_a_service_that_does_not_give_it_back_is_told(night):
    """The download fails until the run gives up: the file stays to be fetched, with the reason."""
    await night.go(TWO)
    (night.output / "owl.mp4").unlink()
    night.faults = Faults(Rule(Point.QUERY, Reset()))
    verification = await night.verify(give_up=60)
    assert found(verification)["owl.mp4"] == (Flaw.MISSING, Fate.TO_FETCH)
    assert verification.exit_code is ExitCode.UNREACHABLE
    night.faults = Faults()
    assert (await night.collect()).exit_code is ExitCode.DONE
    assert (night.output / "owl.mp4").is_file()


async def test_without_a_key_the_rest_is_still_told(night):
    """No key: exit 2 says so, and what was found is in the answer."""
    await night.go(TWO)
    (night.output / "owl.mp4").unlink()
    place = Place(url="http://127.0.0.1:9/api/v1")
    verification = await verify(night.begun(), night.chosen(), place=place, wall=night.wall)
    assert "no API key" in verification.error.message
    assert found(verification)["owl.mp4"] == (Flaw.MISSING, Fate.TO_FETCH)


async def test_what_is_rendering_is_not_waited_for(night):
    """A damaged file comes back, and a task that takes long goes on for the next run."""
    await night.go(TWO, only="moon")
    await night.go(stop_when=lambda progress: progress.at_service)
    (night.output / "moon-1.png").unlink()
    verification = await night.verify()
    assert found(verification) == {"moon-1.png": (Flaw.MISSING, Fate.MENDED)}
    assert night.states()["owl"] == "rendering"
    assert (await night.go()).exit_code is ExitCode.DONE


async def test_only_what_was_chosen_is_read(night):
    """`--only` looks at these jobs alone."""
    await night.go(TWO)
    (night.output / "owl.mp4").unlink()
    verification = await night.verify(only="moon")
    assert (verification.files, verification.findings) == (2, ())


async def test_no_look_while_a_run_is_at_it(night):
    """A run moves files: exit 4."""
    await night.go(TWO)
    with (
        Journal.open(night.output, kind="sandbox", manifest="film", source=night.path),
        pytest.raises(BatchHeld),
    ):
        await night.verify()


async def test_a_service_that_is_away_keeps_nobody_waiting_for_ever(night):
    """After the silence that was allowed the batch is let go, and the findings are told."""
    await night.go(TWO)
    (night.output / "owl.mp4").unlink()
    night.faults = Faults(Rule(Point.QUERY, Reset()), Rule(Point.RESULT, Reset()))
    began = asyncio.get_running_loop().time()
    verification = await night.verify(give_up=120.0)
    assert asyncio.get_running_loop().time() - began < 600
    assert verification.exit_code is ExitCode.UNREACHABLE
    assert found(verification) == {"owl.mp4": (Flaw.MISSING, Fate.TO_FETCH)}
    with Journal.open(night.output, kind="sandbox", manifest="film"):
        pass  # nobody holds it
