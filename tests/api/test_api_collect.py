"""Collecting: what is paid for comes, whatever the manifest says by now, and nothing is bought."""

from __future__ import annotations

import pytest

from batchgen.api import Place
from batchgen.api.begun import begun
from batchgen.errors import ExitCode, ManifestError, Mistake
from batchgen.sandbox import Fail, Faults, Partial, Point, Reset, Rule

pytestmark = pytest.mark.looptime

TWO = """
limits: {max_in_flight: 1}
defaults: {model: wan2.2-t2v-plus, size: 832*480}
jobs:
  - {id: owl, prompt: An owl turns its head.}
  - {id: fox, prompt: A fox reads a case file.}
"""


def one_sent(progress):
    return progress.at_service == 1


async def test_only_what_is_paid_for_is_fetched(night):
    """What renders is waited for; a job that was never sent stays so, and the code is 0."""
    stopped = await night.go(TWO, stop_when=one_sent)
    assert (stopped.submitted, stopped.exit_code) == (1, ExitCode.MORE_TO_DO)
    collected = await night.collect()
    assert (collected.submitted, collected.saved) == (0, 1)
    assert collected.exit_code is ExitCode.DONE
    assert (night.output / "owl.mp4").is_file()
    assert (night.output / "owl.json").is_file()
    assert not (night.output / "fox.mp4").exists()
    assert night.bill.tasks_created == 1
    assert (await night.go()).exit_code is ExitCode.DONE
    assert night.bill.tasks_created == 2


async def test_what_failed_was_not_paid_for(night):
    """A failed job is no reason for collect to say that something is missing."""
    night.faults = Faults(Rule(Point.TASK, Fail(), prompt="owl"))
    assert (await night.go(TWO)).exit_code is ExitCode.SOME_FAILED
    assert (await night.collect()).exit_code is ExitCode.DONE


async def test_what_came_in_part_is_all_that_was_paid_for(night):
    """One of two pictures was not made, and not billed: nothing is left to collect."""
    night.faults = Faults(Rule(Point.TASK, Partial((2,))))
    pictures = "{id: moon, prompt: A moon., model: wan2.2-t2i-flash, size: 1024*1024, n: 2}"
    assert (await night.go(f"jobs: [{pictures}]")).exit_code is ExitCode.SOME_FAILED
    assert (await night.collect()).exit_code is ExitCode.DONE


async def test_a_lost_answer_is_searched_for(night):
    """The task exists, its answer never came: collect finds it at the service and fetches it."""
    night.faults = Faults(Rule(Point.TASK_CREATED, Reset(), calls={1}))
    in_doubt = await night.go(TWO, stop_when=lambda _: night.states().get("owl") == "in doubt")
    assert in_doubt.exit_code is ExitCode.NEEDS_A_PERSON
    collected = await night.collect()
    assert (collected.submitted, collected.saved, collected.adopted) == (0, 1, 1)
    assert collected.exit_code is ExitCode.DONE
    assert night.sidecar("owl")["adopted"] is True
    assert night.look().adopted == 1
    assert night.bill.tasks_created == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TWO.replace("turns", "lifts"), None),
        (TWO.replace("  - {id: owl, prompt: An owl turns its head.}\n", ""), None),
        (TWO.replace("prompt: A fox", "promt: A fox"), "unknown key `promt`"),
        (TWO.replace("832*480", "1*1"), "1*1"),
        (TWO.replace("limits: {max_in_flight: 1}", "limits: [1"), "not closed"),
        (TWO + "name: film/strip", "cannot name the output folder"),
        (TWO + "catalog: nowhere.yaml", "no such file"),
        ("", "the manifest is empty"),
        (None, "no such file"),
        (TWO + "name: other", None),
    ],
    ids=[
        *("edited", "removed", "misspelt", "wrong value", "no YAML", "wrong name", "no catalog"),
        *("empty", "gone", "renamed"),
    ],
)
async def test_no_change_of_the_manifest_keeps_from_collecting(night, text, told):
    """Edited, removed, wrong or gone: what was bought comes, and the mistake is told."""
    await night.go(TWO, stop_when=one_sent)
    if text is None:
        night.path.unlink()
    else:
        night.manifest(text)
    warnings = " ".join(map(str, night.begun().warnings))
    assert told in warnings if told else not warnings
    collected = await night.collect()
    assert (collected.saved, collected.exit_code) == (1, ExitCode.DONE)
    assert (night.output / "owl.mp4").is_file()
    assert night.bill.tasks_created == 1


async def test_collecting_does_not_change_what_the_next_run_buys(night):
    """A job that is not there for collect is not withdrawn, and an edit is not taken over."""
    await night.go(TWO, stop_when=one_sent)
    night.manifest(TWO.replace("A fox reads", "A fox eats"))
    await night.collect()
    assert night.states() == {"owl": "done", "fox": "pending"}
    await night.go()
    assert night.sidecar("fox")["prompt"] == "A fox eats a case file."


async def test_where_nothing_was_begun_there_is_nothing_to_collect(night):
    """Nothing is asked for, and not even a folder is made."""
    night.manifest(TWO)
    assert (await night.collect()).exit_code is ExitCode.DONE
    assert [path.name for path in night.folder.iterdir()] == ["film.yaml"]
    assert night.bill is None


def test_a_wrong_manifest_without_a_batch_is_a_mistake(night):
    """Where no journal tells which batch is meant, the mistake is the answer."""
    night.manifest("jobs: [")
    with pytest.raises(ManifestError):
        night.begun()
    night.path.unlink()
    with pytest.raises(Mistake, match="no such file"):
        night.begun()


async def test_every_batch_that_was_begun_with_a_file_is_found(night):
    """Under a name that no batch has, the journals say which ones the file has begun."""
    await night.go(TWO, stop_when=one_sent)
    night.manifest(TWO + "name: second")
    await night.go(stop_when=one_sent)
    night.manifest(TWO + "name: third")
    found = begun(night.path, night.chosen(), place=Place())
    assert [manifest.name for manifest in found] == ["film", "second"]
