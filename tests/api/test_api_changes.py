"""The manifest edited between runs: what was paid for stays, and is bought anew only when told."""

from __future__ import annotations

import pytest

from batchgen.core import facts as f
from batchgen.errors import ExitCode
from batchgen.manifest import load
from batchgen.report.plan import plan_data
from batchgen.sandbox import Fail, Faults, Point, Rule

pytestmark = pytest.mark.looptime

ONE = """
jobs:
  - {id: owl, prompt: An owl turns its head., model: wan2.2-t2v-plus, size: 832*480}
"""
EDITED = ONE.replace("turns", "lifts")
TWO = ONE + "  - {id: fox, prompt: A fox sits., model: wan2.2-t2v-plus, size: 832*480}\n"
PICTURES = """
jobs:
  - {id: moon, prompt: A moon., model: wan2.2-t2i-flash, size: 1024*1024, n: 2}
"""


def at_service(progress):
    return progress.at_service > 0


@pytest.mark.fault(108)
async def test_a_result_stays_as_it_was_bought(night):
    """A prompt that is edited after the job is done: told, exit 3, no request, the same bytes."""
    await night.go(ONE)
    before = (night.output / "owl.mp4").read_bytes()
    night.manifest(EDITED)
    assert night.states() == {"owl": "changed"}
    assert not night.look().to_buy
    summary = await night.go()
    assert (summary.exit_code, summary.submitted) == (ExitCode.NEEDS_A_PERSON, 0)
    assert summary.changed == ("owl",)
    assert (night.output / "owl.mp4").read_bytes() == before
    assert night.sidecar("owl")["prompt"] == "An owl turns its head."
    assert night.bill.tasks_created == 1


@pytest.mark.fault(108)
async def test_a_changed_job_is_bought_anew_when_told(night):
    """`--rerun-changed`: its price in the plan, one more task, the old result kept aside."""
    await night.go(ONE)
    before = (night.output / "owl.mp4").read_bytes()
    night.manifest(EDITED)
    planned = night.look(rerun_changed=True)
    assert [job.id for job in planned.to_buy] == ["owl"]
    assert planned.to_spend["wan2.2-t2v-plus"].micro > 0
    summary = await night.go(rerun_changed=True)
    assert (summary.exit_code, summary.submitted, summary.changed) == (ExitCode.DONE, 1, ())
    assert night.sidecar("owl")["prompt"] == "An owl lifts its head."
    assert night.replaced == ["owl~1.json", "owl~1.mp4"]
    aside = night.output / ".batchgen" / "replaced" / "owl~1.mp4"
    assert aside.read_bytes() == before
    again = await night.go(rerun_changed=True)
    assert (again.exit_code, again.submitted) == (ExitCode.DONE, 0)
    assert night.bill.tasks_created == 2


async def test_the_budget_counts_what_was_bought_before(night):
    """What the budget does not allow is not taken from its place: exit 5 says what is missing."""
    await night.go(TWO)
    price = night.look().jobs[0].price
    text = TWO.replace("turns", "lifts").replace("sits", "runs")
    night.manifest(text)
    summary = await night.go(rerun_changed=True, budget=price + price + price)
    assert (summary.submitted, summary.exit_code) == (1, ExitCode.ACCOUNT)
    assert summary.changed == ("fox",)
    assert summary.missing == price
    assert night.replaced == ["owl~1.json", "owl~1.mp4"]
    assert night.sidecar("fox")["prompt"] == "A fox sits."


async def test_only_what_was_chosen_is_bought_anew(night):
    """`--only` and `--rerun-changed` together: the other changed job stays."""
    await night.go(TWO)
    night.manifest(TWO.replace("turns", "lifts").replace("sits", "runs"))
    summary = await night.go(rerun_changed=True, only="fox")
    assert (summary.submitted, summary.exit_code) == (1, ExitCode.DONE)
    assert night.sidecar("owl")["prompt"] == "An owl turns its head."
    assert night.sidecar("fox")["prompt"] == "A fox runs."


async def test_a_death_before_the_old_result_is_moved_is_healed(night):
    """The journal says that it is bought anew, the old files still stand: the next run goes on."""
    await night.go(ONE)
    night.manifest(EDITED)
    attempt = {"at": night.wall(), "account": "default", "job": "owl", "attempt": 1}
    night.note(f.Renewed(**attempt, reason="its request was changed"))
    summary = await night.go()
    assert (summary.exit_code, summary.submitted) == (ExitCode.DONE, 1)
    assert night.replaced == ["owl~1.json", "owl~1.mp4"]
    assert night.sidecar("owl")["prompt"] == "An owl lifts its head."


async def test_what_is_at_the_service_is_waited_for_first(night):
    """A job that is changed while it renders is collected; only then it can be bought anew."""
    await night.go(ONE, stop_when=at_service)
    night.manifest(EDITED)
    first = await night.go(rerun_changed=True)
    assert (first.exit_code, first.submitted, first.saved) == (ExitCode.NEEDS_A_PERSON, 0, 1)
    assert night.sidecar("owl")["prompt"] == "An owl turns its head."
    second = await night.go(rerun_changed=True)
    assert (second.exit_code, second.submitted) == (ExitCode.DONE, 1)


async def test_a_doubt_is_not_settled_by_an_edit(night):
    """Nobody knows whether a job in doubt was bought: a change of it buys nothing."""
    await night.go(TWO, only="fox")
    says = {"at": night.wall(), "account": "default", "job": "owl", "attempt": 1}
    night.note(f.SubmitStarted(**says), f.SubmitLost(**says, reason="the connection broke"))
    night.note(f.Held(**says, reason="the list is not to be had"))
    night.manifest(TWO.replace("turns", "lifts"))
    assert not night.look(rerun_changed=True).to_buy


async def test_a_change_before_it_was_paid_takes_its_place(night):
    """A job that failed was not paid for: its new words are sent without a flag."""
    night.faults = Faults(Rule(Point.TASK, Fail(), prompt="turns"))
    assert (await night.go(ONE)).exit_code is ExitCode.SOME_FAILED
    summary = await night.go(EDITED)
    assert (summary.exit_code, summary.submitted) == (ExitCode.DONE, 1)
    assert night.sidecar("owl")["prompt"] == "An owl lifts its head."


async def test_a_job_that_is_removed_in_flight_is_still_collected(night):
    """What is paid for comes, and is told as no longer named by the manifest."""
    await night.go(TWO, only="owl", stop_when=at_service)
    text = "".join(line for line in TWO.splitlines(keepends=True) if "owl" not in line)
    summary = await night.go(text)
    assert (summary.exit_code, summary.saved) == (ExitCode.DONE, 2)
    assert (night.output / "owl.json").is_file()
    assert [job.id for job in night.look().jobs if not job.listed] == ["owl"]


async def test_another_id_is_another_job(night):
    """Renamed after it was paid for: the old result stays, and the new one is bought beside it."""
    await night.go(ONE)
    summary = await night.go(ONE.replace("id: owl", "id: eagle"))
    assert (summary.exit_code, summary.submitted) == (ExitCode.DONE, 1)
    assert (night.output / "owl.mp4").is_file()
    assert (night.output / "eagle.mp4").is_file()
    assert night.bill.tasks_created == 2


_SAME = {
    "reordered": "jobs:\n"
    "  - {id: fox, prompt: A fox sits., model: wan2.2-t2v-plus, size: 832*480}\n"
    "  - {id: owl, prompt: An owl turns its head., model: wan2.2-t2v-plus, size: 832*480}\n",
    "other order of keys": "jobs:\n"
    "  - {size: 832*480, model: wan2.2-t2v-plus, prompt: An owl turns its head., id: owl}\n"
    "  - {model: wan2.2-t2v-plus, id: fox, size: 832*480, prompt: A fox sits.}\n",
    "comments and blanks": "# a film\njobs:\n\n"
    "  - id: owl  # the first\n    prompt: 'An owl turns its head.'\n"
    "    model: wan2.2-t2v-plus\n    size: '832*480'\n"
    "  - id: fox\n    prompt: >-\n      A fox\n      sits.\n"
    "    model: wan2.2-t2v-plus\n    size: 832*480\n",
    "defaults moved": "defaults: {model: wan2.2-t2v-plus, size: 832*480}\njobs:\n"
    "  - {id: owl, prompt: An owl turns its head.}\n  - {id: fox, prompt: A fox sits.}\n",
    "what is sent anyhow, written out": "defaults: {model: wan2.2-t2v-plus, size: 832*480}\njobs:\n"
    "  - {id: owl, prompt: An owl turns its head., seed: null}\n"
    "  - {id: fox, prompt: A fox sits.}\n"
    "limits: {max_in_flight: 3}\nretry: {attempts: 3}\n",
}


@pytest.mark.fault(109)
@pytest.mark.parametrize("text", _SAME.values(), ids=_SAME)
async def test_the_same_jobs_in_other_words_cost_nothing(night, text):
    """Order, comments, blanks, order of keys, defaults: not a byte is sent or changed."""
    await night.go(TWO)
    files = {path: path.stat().st_mtime_ns for path in night.output.glob("[!.]*")}
    night.bill = None
    summary = await night.go(text)
    assert (summary.exit_code, summary.submitted, summary.saved) == (ExitCode.DONE, 0, 0)
    assert night.bill is None, "the service was not even asked"
    assert {path: path.stat().st_mtime_ns for path in night.output.glob("[!.]*")} == files


async def test_a_run_works_on_what_it_began_with(night):
    """The manifest is edited while its run is going: the run buys what it has read."""
    night.manifest(TWO)

    def edit(progress):
        if progress.at_service:
            night.manifest(TWO.replace("sits", "runs"))
        return False

    assert (await night.go(stop_when=edit)).exit_code is ExitCode.DONE
    assert night.sidecar("fox")["prompt"] == "A fox sits."
    assert night.states() == {"owl": "done", "fox": "changed"}


async def test_fewer_pictures_than_before_leave_none_of_the_old(night):
    """A changed number of results: the old ones make room, also under names that are not needed."""
    await night.go(PICTURES)
    assert (await night.go(PICTURES.replace("n: 2", "n: 1"), rerun_changed=True)).submitted == 1
    assert sorted(path.name for path in night.output.glob("[!.]*")) == ["moon.json", "moon.png"]
    assert night.replaced == ["moon-1~1.png", "moon-2~1.png", "moon~1.json"]


async def test_the_plan_for_a_program_tells_what_is_bought_anew(night):
    """`plan --rerun-changed --json` lists the job among those to buy."""
    await night.go(ONE)
    night.manifest(EDITED)

    told = plan_data(load(night.path), night.look(rerun_changed=True))
    assert told["to_buy"] == ["owl"]
    assert plan_data(load(night.path), night.look())["to_buy"] == []
