"""Lost answers against the sandbox: each job is bought once, and ends on disk or with a person."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from batchgen.api import Settings
from batchgen.api.retrying import Choice, retry
from batchgen.core.facts import SubmitStarted
from batchgen.dashscope.answers import Accepted
from batchgen.dashscope.client import Service
from batchgen.dashscope.endpoint import Secret
from batchgen.errors import ExitCode
from batchgen.journal import Journal
from batchgen.manifest import load
from batchgen.sandbox import (
    Answer,
    Chance,
    Content,
    Delay,
    Fail,
    Faults,
    Lag,
    Omit,
    Page,
    Point,
    Reset,
    Rule,
)

pytestmark = pytest.mark.looptime

START = 1_790_000_000.0
KEY = "sk-canary-0123456789abcdef"
MODEL = "wan2.2-t2i-flash"
TWO = f"""
defaults: {{model: {MODEL}, size: 512*512}}
jobs:
  - {{id: owl, prompt: An owl turns its head in the rain.}}
  - {{id: fox, prompt: A fox crosses a frozen river at dawn.}}
"""
SILENT = """
defaults: {model: wan2.6-t2i, size: 1280*1280}
jobs:
  - {id: owl, prompt: An owl turns its head in the rain.}
  - {id: fox, prompt: A fox crosses a frozen river at dawn.}
"""
HOUR = 3600.0


def lost() -> Rule:
    """The first answer is lost, its task is made."""
    return Rule(Point.TASK_CREATED, Reset(), calls={1})


def never_made() -> Rule:
    """The first request is read, and nothing is made of it."""
    return Rule(Point.SUBMIT, Reset(), calls={1})


def images(rehearsal) -> set[str]:
    return {path.stem for path in rehearsal.output.glob("*.png")}


async def post(prompt: str, base_url: str, model: str = MODEL) -> None:
    """Another program of the account makes a task."""
    body = {"model": model, "input": {"prompt": prompt}, "parameters": {"size": "512*512", "n": 1}}
    path = "services/aigc/text2image/image-synthesis"
    async with Service(base_url, Secret(KEY)) as service:
        answer = await service.submit(path, body, {"X-DashScope-Async": "enable"})
        assert isinstance(answer, Accepted)


@pytest.mark.fault(3, 23)
async def test_a_task_whose_answer_was_lost_is_found_and_adopted(rehearsal):
    """The connection breaks after the task was made: one task, on disk, told by the sidecar."""
    seen = []
    rehearsal.faults = Faults(lost())
    summary = await rehearsal.run(TWO, on_progress=seen.append)
    assert summary.exit_code is ExitCode.DONE
    assert images(rehearsal) == {"owl", "fox"}
    assert rehearsal.bill.tasks_created == 2
    assert not any(progress.needs_a_person for progress in seen), "while it is looked for"
    assert summary.spent.micro == rehearsal.bill.amount
    assert summary.reserved.micro == 0
    sidecar = rehearsal.sidecar("owl")
    assert (sidecar["adopted"], rehearsal.sidecar("fox")["adopted"]) == (True, False)
    assert sidecar["task_id"]
    assert sidecar["request_id"]
    (attempt,) = sidecar["attempts"]
    assert (attempt["task_id"], attempt["outcome"]) == (sidecar["task_id"], "SUCCEEDED")
    assert sidecar["submitted_at"] < sidecar["finished_at"]
    again = await rehearsal.run()
    assert (again.exit_code, again.nothing_done) == (ExitCode.DONE, True)


@pytest.mark.fault(2, 23)
async def test_a_request_of_which_nothing_was_made_is_sent_again(rehearsal):
    """The list shows no task of it, twice over the settling time: that is proof."""
    rehearsal.faults = Faults(never_made())
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.DONE
    assert images(rehearsal) == {"owl", "fox"}
    assert rehearsal.bill.tasks_created == 2
    assert rehearsal.sidecar("owl")["adopted"] is False
    assert summary.seconds >= 30


@pytest.mark.fault(24)
async def test_an_answer_that_comes_too_late_is_no_second_task(rehearsal):
    """Seven minutes for an answer are too long for us, and the task is found all the same."""
    rehearsal.faults = Faults(Rule(Point.TASK_CREATED, Delay(420), calls={1}))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2
    assert rehearsal.sidecar("owl")["adopted"]


@pytest.mark.fault(24)
async def test_a_task_that_is_made_after_the_time_out_is_found(rehearsal):
    """The request waits in front of the service: it is not there at first, and then it is."""
    rehearsal.faults = Faults(Rule(Point.SUBMIT, Delay(310), calls={1}))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2


async def test_a_night_in_which_a_third_of_the_answers_is_lost(rehearsal):
    """Twenty jobs, no task too many, every file there, nobody needed, and within two hours."""
    rehearsal.faults = Faults(
        Rule(Point.TASK_CREATED, Reset(), calls=Chance(0.3, "a")),
        Rule(Point.SUBMIT, Reset(), calls=Chance(0.1, "b")),
    )
    jobs = "".join(
        f"  - {{id: j{number}, prompt: Postcard number {number} of a harbour.}}\n"
        for number in range(20)
    )
    summary = await rehearsal.run(f"defaults: {{model: {MODEL}, size: 512*512}}\njobs:\n{jobs}")
    assert summary.exit_code is ExitCode.DONE
    assert len(images(rehearsal)) == rehearsal.bill.tasks_created == 20
    adopted = sum(rehearsal.sidecar(f"j{number}")["adopted"] for number in range(20))
    assert adopted >= 4
    assert summary.seconds < 2 * HOUR


async def test_jobs_that_look_alike_are_not_taken_for_one_another(rehearsal):
    """One prompt with three seeds, an answer lost: three tasks, each job with its own."""
    rehearsal.faults = Faults(lost())
    jobs = "".join(
        f"  - {{id: s{seed}, prompt: A lighthouse., seed: {seed}}}\n" for seed in (1, 2, 3)
    )
    summary = await rehearsal.run(f"defaults: {{model: {MODEL}, size: 512*512}}\njobs:\n{jobs}")
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 3
    tasks = [rehearsal.sidecar(f"s{seed}")["task_id"] for seed in (1, 2, 3)]
    assert len(set(tasks)) == 3


async def test_a_task_without_a_prompt_is_adopted_where_nobody_else_makes_tasks(rehearsal):
    """Its answers repeat no prompt: with `exclusive_account` the only task there is ours."""
    rehearsal.faults = Faults(lost())
    summary = await rehearsal.run(f"exclusive_account: true\n{SILENT}")
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2
    assert rehearsal.sidecar("owl")["adopted"]


async def test_a_task_without_a_prompt_is_held_where_it_could_be_anybodys(rehearsal):
    """Without `exclusive_account` a person must decide; the other job is done all the same."""
    rehearsal.faults = Faults(lost())
    summary = await rehearsal.run(SILENT)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [(job.id, job.state) for job in summary.need_a_person] == [("owl", "in doubt")]
    assert images(rehearsal) == {"fox"}
    assert rehearsal.bill.tasks_created == 2


async def test_a_request_without_a_prompt_to_compare_may_be_seen_to_be_absent(rehearsal):
    """No task at all that it could be is proof as well."""
    rehearsal.faults = Faults(never_made())
    summary = await rehearsal.run(SILENT)
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2


@pytest.mark.parametrize("made", [True, False])
async def test_other_peoples_tasks_are_left_alone(rehearsal, made):
    """Another program of the account makes tasks of this model: they are neither adopted nor in
    the way.
    """
    rehearsal.faults = Faults(
        Rule(
            Point.TASK_CREATED if made else Point.SUBMIT,
            Reset(),
            calls={1},
            prompt="owl",
        )
    )
    rehearsal.visit = partial(post, "A tram climbs a hill in the morning fog.")
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 3
    assert rehearsal.sidecar("owl")["adopted"] is made
    assert "owl" in rehearsal.sidecar("owl")["orig_prompt"]


async def test_a_task_that_is_nearly_ours_is_a_persons_matter(rehearsal):
    """A prompt with another ending may be ours or not: nothing is adopted, nothing sent again."""
    rehearsal.faults = Faults(Rule(Point.SUBMIT, Reset(), calls={1}, prompt="in the rain."))
    rehearsal.visit = partial(post, "An owl turns its head in the rain, slowly.")
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [job.id for job in summary.need_a_person] == ["owl"]
    assert images(rehearsal) == {"fox"}
    assert rehearsal.bill.tasks_created == 2, "the stranger's and the fox"


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(429, "Throttling.RateQuota", "Requests rate limit exceeded.", retry_after="7"),
        Answer(500, "InternalError", "oops"),
        Page(Content.HTML, 502),
        Page(Content.EMPTY),
        Page(Content.HTML),
        Reset(),
        Omit(),
        Lag(120),
    ],
    ids=["throttled", "500", "502", "empty", "html", "reset", "omits", "lags"],
)
@pytest.mark.parametrize("made", [True, False])
async def test_a_list_that_does_not_work_at_first_is_asked_again(rehearsal, trouble, made):
    """Whatever it says instead, it never says that there is no task."""
    calls = None if isinstance(trouble, Lag) else range(1, 4)
    rehearsal.faults = Faults(
        lost() if made else never_made(), Rule(Point.LIST, trouble, calls=calls)
    )
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2
    assert rehearsal.sidecar("owl")["adopted"] is made


@pytest.mark.fault(3)
@pytest.mark.parametrize(
    "trouble",
    [Answer(403, "AccessDenied", "No permission to list."), Omit(), Lag(3 * HOUR)],
    ids=["403", "omits", "lags"],
)
async def test_a_list_that_never_works_leaves_the_job_to_a_person(rehearsal, trouble):
    """Exit 3 with the job named, the others done, and the next run, with a list, needs nobody."""
    rehearsal.faults = Faults(lost(), Rule(Point.LIST, trouble))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [(job.id, job.state) for job in summary.need_a_person] == [("owl", "in doubt")]
    assert "list" in summary.need_a_person[0].message
    assert images(rehearsal) == {"fox"}
    assert summary.seconds < HOUR
    assert rehearsal.bill.tasks_created == 2
    rehearsal.faults = Faults()
    again = await rehearsal.run()
    assert again.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2
    assert rehearsal.sidecar("owl")["adopted"]


async def test_requests_that_are_swallowed_are_not_made_for_ever(rehearsal):
    """The list answers, no request does: exit 8 after the give-up time, and nothing was bought."""
    rehearsal.faults = Faults(Rule(Point.SUBMIT, Reset()))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.UNREACHABLE
    assert HOUR <= summary.seconds < 1.2 * HOUR
    rehearsal.faults = Faults()
    assert (await rehearsal.run()).exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2


async def test_a_gateway_in_place_of_the_list_is_borne_for_an_hour(rehearsal):
    """Exit 8 after the give-up time; whoever runs it again gets the clip that was paid for."""
    rehearsal.faults = Faults(lost(), Rule(Point.LIST, Page(Content.HTML, 502)))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.UNREACHABLE
    assert images(rehearsal) == {"fox"}
    rehearsal.faults = Faults()
    assert (await rehearsal.run()).exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2


async def test_a_failed_task_of_a_lost_answer_is_as_good_as_none(rehearsal):
    """It was not billed: the request is sent again, and its next task is the job's first."""
    rehearsal.faults = Faults(lost(), Rule(Point.TASK, Fail(), calls={1}))
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 3
    assert rehearsal.bill.failed == 1
    assert summary.spent.micro == rehearsal.bill.amount


async def test_a_doubt_that_is_older_than_the_list_is_held(rehearsal):
    """After a weekend the list cannot tell any more: nothing is sent again."""
    rehearsal.faults = Faults(lost(), Rule(Point.LIST, Answer(403, "AccessDenied", "No.")))
    await rehearsal.run(TWO)
    rehearsal.faults = Faults()

    async def weekend(_base_url):
        await asyncio.sleep(50 * HOUR)

    rehearsal.visit = weekend
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [job.id for job in summary.need_a_person] == ["owl"]
    assert "older than" in summary.need_a_person[0].message
    assert rehearsal.bill.tasks_created == 2


@pytest.mark.parametrize("hours", [-9, -1, 1, 9])
@pytest.mark.parametrize("made", [True, False])
async def test_a_wrong_clock_of_this_machine_settles_no_doubt_wrongly(rehearsal, hours, made):
    """The list's times count against the service's own clock."""
    rehearsal.clock = hours * HOUR
    rehearsal.faults = Faults(lost() if made else never_made())
    summary = await rehearsal.run(TWO)
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 2
    assert rehearsal.sidecar("owl")["adopted"] is made
    told = [fact.service_time for fact in facts_of(rehearsal) if isinstance(fact, SubmitStarted)]
    assert all(START - 1 <= moment <= START + summary.seconds for moment in told)


def facts_of(rehearsal) -> list:
    with Journal.peek(rehearsal.output) as journal:
        return list(journal.replay())


class Died(BaseException):
    """Stands for the end of the process at this very moment."""


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        pytest.param("SubmitStarted", False, marks=pytest.mark.fault(1)),
        pytest.param("SubmitStarted", True, marks=pytest.mark.fault(2)),
        pytest.param("Submitted", False, marks=pytest.mark.fault(3, 4)),
        pytest.param("Submitted", True, marks=pytest.mark.fault(5)),
    ],
)
async def test_a_run_that_died_over_a_submit_is_continued_with_one_task(
    rehearsal, monkeypatch, kind, written
):
    """Before or after the intent or the task id was written down: the next run needs nobody."""
    real = Journal.commit

    async def dying(self, facts, **kwargs):
        struck = any(type(fact).__name__ == kind for fact in facts)
        if written or not struck:
            await real(self, facts, **kwargs)
        if struck:
            raise Died

    monkeypatch.setattr(Journal, "commit", dying)
    with pytest.raises(BaseException) as end:  # noqa: PT011 - in a group, or alone
        await rehearsal.run(TWO)
    assert not isinstance(end.value, Exception)
    monkeypatch.setattr(Journal, "commit", real)
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert images(rehearsal) == {"owl", "fox"}
    assert rehearsal.bill.tasks_created == 2
    assert rehearsal.sidecar("owl")["adopted"] is (kind == "Submitted" and not written)


async def test_an_attempt_that_a_person_wrote_off_stays_in_the_sidecar(rehearsal):
    """Bought again as asked, at the risk that was told: both attempts are there to be read."""
    rehearsal.faults = Faults(lost())
    await rehearsal.run(SILENT)
    settings = Settings(sandbox=True)
    await retry(load(rehearsal.folder / "film.yaml"), settings, [Choice.IN_DOUBT])
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.DONE
    assert rehearsal.bill.tasks_created == 3
    sidecar = rehearsal.sidecar("owl")
    assert sidecar["adopted"] is False
    lost_one, bought = sidecar["attempts"]
    assert (lost_one["attempt"], lost_one["task_id"], lost_one["outcome"]) == (1, None, None)
    assert lost_one["message"]
    assert (bought["attempt"], bought["outcome"]) == (2, "SUCCEEDED")
    assert bought["task_id"] == sidecar["task_id"]
