"""What would settle a doubt wrongly: clocks, keys and lists that are not what they seem, and tasks
of others. Each is bought once, or left to a person; none has somebody else's result.
"""

from __future__ import annotations

import asyncio
import json
from functools import partial

import pytest

from batchgen.api import Settings
from batchgen.api.rebuilding import rebuild
from batchgen.api.retrying import Choice, retry
from batchgen.core import facts as f
from batchgen.dashscope.answers import Accepted
from batchgen.dashscope.client import Service
from batchgen.dashscope.endpoint import Secret
from batchgen.errors import ExitCode
from batchgen.journal import Journal
from batchgen.manifest import load
from batchgen.runner.clock import Clock
from batchgen.sandbox import Answer, Delay, Faults, Lag, Point, Reset, Rule, Slow

pytestmark = pytest.mark.looptime

HOUR = 3600.0
START = 1_790_000_000.0
KEY = "sk-canary-0123456789abcdef"
OTHER = "sk-other-0123456789abcdef"
MODEL = "wan2.2-t2i-flash"
OWL = "An owl turns its head in the rain."
FOX = "  - {id: fox, prompt: A fox crosses a frozen river at dawn.}\n"
ONE = f"""
defaults: {{model: {MODEL}, size: 512*512}}
jobs:
  - {{id: owl, prompt: {OWL}}}
"""
SILENT = """
exclusive_account: true
defaults: {model: wan2.6-t2i, size: 1280*1280}
jobs:
"""


class Died(BaseException):
    """Stands for the end of the process at this very moment."""


@pytest.fixture
def dies(rehearsal, monkeypatch):
    """Run until the first answer that names a task, which is not written down any more."""
    real = Journal.commit

    async def commit(self, facts, **kwargs):
        if any(isinstance(fact, f.Submitted) for fact in facts):
            raise Died
        await real(self, facts, **kwargs)

    async def run(text: str) -> None:
        monkeypatch.setattr(Journal, "commit", commit)
        with pytest.raises(BaseException) as end:  # noqa: PT011 - in a group, or alone
            await rehearsal.run(text)
        assert not isinstance(end.value, Exception)
        monkeypatch.setattr(Journal, "commit", real)

    return run


def lost() -> Rule:
    return Rule(Point.TASK_CREATED, Reset(), calls={1})


def never_made() -> Rule:
    return Rule(Point.SUBMIT, Reset(), calls={1})


async def passes(seconds: float, _base_url: str) -> None:
    """Time goes by before the run."""
    await asyncio.sleep(seconds)


async def post(base_url: str) -> str:
    """Another program of the account makes a task of the owl's prompt."""
    body = {"model": MODEL, "input": {"prompt": OWL}, "parameters": {"size": "512*512", "n": 1}}
    path = "services/aigc/text2image/image-synthesis"
    async with Service(base_url, Secret(KEY)) as service:
        answer = await service.submit(path, body, {"X-DashScope-Async": "enable"})
    assert isinstance(answer, Accepted)
    return answer.task_id


def facts_of(rehearsal) -> list:
    with Journal.peek(rehearsal.output) as journal:
        return list(journal.replay())


def task_of(rehearsal, batch: str, job: str) -> str:
    path = rehearsal.folder / "output" / "sandbox" / batch / f"{job}.json"
    return json.loads(path.read_text(encoding="utf-8"))["task_id"]


# -- clocks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("back", [300, 1500, 5 * HOUR])
async def test_a_clock_set_back_between_two_runs_hides_no_task(rehearsal, dies, back):
    """The first request of a run, whose answer nobody saw, is found by the service's clock."""
    await dies(ONE + FOX)
    rehearsal.clock = -back
    rehearsal.visit = partial(passes, HOUR)
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2
    assert rehearsal.sidecar("owl")["adopted"]


async def test_a_clock_that_was_ahead_makes_no_doubt_younger(rehearsal, dies):
    """Thirty hours later the list cannot show the task, though our clock says it is yet to come."""
    rehearsal.clock = 40 * HOUR
    await dies(ONE)
    rehearsal.clock = 0
    rehearsal.visit = partial(passes, 30 * HOUR)
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert rehearsal.bill.tasks_created == 1


async def test_a_machine_that_sleeps_over_its_first_request_finds_the_task(rehearsal, monkeypatch):
    """Our clock stands still for two hours, the service's goes on."""
    now, slept = Clock.now, []
    monkeypatch.setattr(Clock, "now", lambda self: now(self) - sum(slept))
    asyncio.get_running_loop().call_later(290, slept.append, 285.0)
    rehearsal.faults = Faults(Rule(Point.TASK_CREATED, Delay(7200), calls={1}))
    summary = await rehearsal.run(ONE + FOX)
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2


async def test_the_services_clock_is_known_before_the_first_request(rehearsal):
    """Also to a run that is the first to say anything."""
    await rehearsal.run(ONE)
    (started,) = [fact for fact in facts_of(rehearsal) if isinstance(fact, f.SubmitStarted)]
    assert started.service_time is not None
    assert 0 <= started.at - started.service_time <= 2


# -- another key -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [ONE, ONE + FOX], ids=["one", "two"])
async def test_with_the_key_of_another_account_nothing_is_missed(rehearsal, dies, text):
    """Its list is empty: a person is told which key to use, and with that all is well."""
    rehearsal.keys[OTHER] = "another account"
    await dies(text)
    rehearsal.key = OTHER
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert "another key" in summary.need_a_person[0].message
    rehearsal.key = KEY
    again = await rehearsal.run()
    assert again.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == text.count("id:")


async def test_a_key_that_becomes_another_accounts_in_mid_run_misses_nothing(rehearsal):
    """What was sent before counts to the old key, what is sent later to the new one."""
    rehearsal.keys = {KEY: "account"}
    rehearsal.faults = Faults(
        lost(),
        Rule(Point.LIST, Answer(401, "InvalidApiKey", "Revoked."), calls={2}),
    )
    rehearsal.keys[OTHER] = "another account"
    rehearsal.renew = lambda: Secret(OTHER)
    summary = await rehearsal.run(ONE + FOX)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [job.id for job in summary.need_a_person] == ["owl"]
    assert rehearsal.bill.tasks_created == 2
    places = [fact.endpoint for fact in facts_of(rehearsal) if isinstance(fact, f.Connected)]
    assert len(set(places)) == 2


async def test_a_task_that_another_key_does_not_know_is_not_given_up(rehearsal):
    """A day after the submit its result still lives: whoever comes with the right key has it."""
    rehearsal.keys[OTHER] = "another account"
    rehearsal.faults = Faults(Rule(Point.TASK, Slow(700)))
    run = rehearsal.start(ONE)
    asyncio.get_running_loop().call_later(30, run.stop)
    await run.run()
    rehearsal.key, rehearsal.visit = OTHER, partial(passes, 24.2 * HOUR)
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert "key" in summary.need_a_person[0].message
    rehearsal.key, rehearsal.visit = KEY, None
    assert (await rehearsal.run()).exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 1


# -- tasks of others -------------------------------------------------------------------------------


async def test_a_task_of_an_earlier_batch_of_ours_is_not_taken(rehearsal):
    """An account of our own, a model without prompts, two manifests one after another: the second
    one's first request came to nothing.
    """
    first = f"{SILENT}  - {{id: owl, prompt: {OWL}}}\n"
    await rehearsal.run(f"name: first\n{first}")
    rehearsal.faults = Faults(never_made())
    summary = await rehearsal.run(f"name: second\n{SILENT}{FOX}")
    if summary.exit_code is ExitCode.DONE:
        assert task_of(rehearsal, "second", "fox") != task_of(rehearsal, "first", "owl")
    else:
        assert summary.exit_code is ExitCode.NEEDS_A_PERSON
        assert rehearsal.bill.tasks_created == 1


@pytest.mark.parametrize("gap", [0, 30, 300])
async def test_a_draft_is_not_taken_for_the_final_clip(rehearsal, gap):
    """The same prompts in another size, some seconds or minutes before."""
    await rehearsal.run(f"name: draft\n{ONE}")
    rehearsal.visit = partial(passes, gap)
    rehearsal.faults = Faults(never_made())
    summary = await rehearsal.run(f"name: final\n{ONE}".replace("512*512", "1024*1024"))
    if gap == 300:
        assert summary.exit_code is ExitCode.DONE
        assert task_of(rehearsal, "final", "owl") != task_of(rehearsal, "draft", "owl")
    else:
        assert summary.exit_code is ExitCode.NEEDS_A_PERSON
        assert rehearsal.bill.tasks_created == 1


@pytest.mark.parametrize("gap", [30, 90])
async def test_a_strangers_task_of_the_same_prompt_is_not_taken_for_ours(rehearsal, gap):
    """It stands on the list already when ours does not yet."""
    strangers = []

    async def visit(base_url: str) -> None:
        strangers.append(await post(base_url))
        await asyncio.sleep(gap)

    rehearsal.visit = visit
    rehearsal.faults = Faults(
        Rule(Point.TASK_CREATED, Reset(), calls={2}), Rule(Point.LIST, Lag(40))
    )
    summary = await rehearsal.run(ONE)
    if summary.exit_code is ExitCode.DONE:
        assert rehearsal.sidecar("owl")["task_id"] not in strangers
    else:
        assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert rehearsal.bill.tasks_created == 2


# -- a list that lags ------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [35, 60, 115])
@pytest.mark.parametrize("alone", [True, False])
async def test_a_late_list_is_believed_later_where_nothing_shows_how_late_it_is(
    rehearsal, lag, alone
):
    """The only job of its batch, or one whose neighbours were named minutes ago."""
    text = ONE if alone else ONE + FOX
    if not alone:
        await rehearsal.run(text.replace(f"  - {{id: owl, prompt: {OWL}}}\n", ""))
        rehearsal.visit = partial(passes, 300)
    rehearsal.faults = Faults(lost(), Rule(Point.LIST, Lag(lag)))
    summary = await rehearsal.run(text)
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.sidecar("owl")["adopted"]
    assert rehearsal.bill.tasks_created == text.count("id:")


# -- attempts that were written off ----------------------------------------------------------------


async def test_attempts_that_a_person_wrote_off_do_not_hide_the_last_one(rehearsal):
    """Bought again and again while the list was refused; when it works, the newest task is its."""
    rehearsal.faults = Faults(
        Rule(Point.TASK_CREATED, Reset()), Rule(Point.LIST, Answer(403, "AccessDenied", "No."))
    )
    await rehearsal.run(ONE)
    for _ in range(2):
        rehearsal.visit = partial(passes, 600)
        manifest = load(rehearsal.folder / "film.yaml")
        await retry(manifest, Settings(sandbox=True), [Choice.IN_DOUBT])
        await rehearsal.run()
    rehearsal.faults = Faults()
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 3


async def test_tasks_of_a_journal_that_is_lost_are_found_by_their_prompts(rehearsal):
    """None of them had a sidecar yet, and nobody knows when they were sent, nor with which key."""
    rehearsal.faults = Faults(Rule(Point.TASK, Slow(300)))
    run = rehearsal.start(ONE + FOX)
    asyncio.get_running_loop().call_later(20, run.stop)
    await run.run()
    (rehearsal.output / ".batchgen" / "journal.sqlite").write_bytes(b"lost")
    manifest = load(rehearsal.folder / "film.yaml")
    await rebuild(manifest, Settings(sandbox=True), now=START + asyncio.get_running_loop().time())
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2
    assert {rehearsal.sidecar(job)["adopted"] for job in ("owl", "fox")} == {True}
