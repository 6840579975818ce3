"""What goes wrong with questions about tasks, and with the tasks, as whoever runs them sees it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections import Counter
from contextlib import closing
from datetime import datetime

import aiohttp
import pytest

from batchgen.api import Run
from batchgen.core.actions import Poll, Submit
from batchgen.core.batch import Batch
from batchgen.core.policy import LaneLimits
from batchgen.core.wishes import Wish
from batchgen.errors import ExitCode
from batchgen.manifest import load
from batchgen.sandbox import (
    Answer,
    Content,
    CutShort,
    Fail,
    Flap,
    Page,
    Point,
    Reset,
    Rule,
    Slow,
    Stall,
    Stuck,
)
from tests.core.histories import World, policy
from tests.promises.oracle import keep_promises, words
from tests.promises.witnesses import Watch, most_in, tasks
from tests.runner.cloud import DONE, MADE, Cloud
from tests.runner.rehearsal import KEY, START

pytestmark = pytest.mark.looptime

HOUR = 3_600.0
THREE = """
defaults: {model: wan2.2-t2v-plus, size: 832*480}
jobs:
  - {id: owl, prompt: An owl turns its head in the rain.}
  - {id: fox, prompt: A fox crosses a frozen river.}
  - {id: tram, prompt: The last tram of the night., model: wan2.5-t2v-preview}
"""


def stills(count: int) -> str:
    jobs = [f"  - {{id: j{n}, prompt: Stamp no {n} of the sea.}}" for n in range(count)]
    return "\n".join(["defaults: {model: wan2.2-t2i-flash, size: 512*512}", "jobs:", *jobs, ""])


async def stopped_when(rehearsal, text: str, is_time) -> None:
    """A run that leaves when its progress says so; its tasks go on at the service."""

    def watch(progress):
        if is_time(progress):
            run.stop(ExitCode.SIGTERM)

    run = rehearsal.start(text, on_progress=watch)
    await run.run()


async def hours_pass(rehearsal, hours: float) -> None:
    """Nobody runs anything, and the service's clock goes on."""
    await asyncio.sleep(hours * HOUR)
    with closing(sqlite3.connect(rehearsal.folder / "service" / "sandbox.sqlite")) as memory:
        memory.execute("UPDATE memory SET value = value + ? WHERE name = 'clock'", (hours * HOUR,))
        memory.commit()


def url_of(rehearsal) -> str:
    with closing(sqlite3.connect(rehearsal.folder / "service" / "sandbox.sqlite")) as memory:
        rows = memory.execute("SELECT value FROM memory WHERE name = 'api port'")
        return f"http://127.0.0.1:{rows.fetchone()[0]}/api/v1"


# -- questions without an answer -------------------------------------------------------------------


@pytest.mark.fault(44)
async def test_an_hour_of_failed_questions_ends_no_job(rehearsal):
    """Resets, silence, pages, cut and foreign answers: everything is done when they are over."""
    rehearsal.faults = Watch(
        Rule(Point.QUERY, Reset(), calls=range(1, 999, 5), during=3_500),
        Rule(Point.QUERY, Stall(), calls=range(2, 999, 5), during=3_500),
        Rule(Point.QUERY, Page(Content.HTML, 502), calls=range(1, 999, 3), during=3_500),
        Rule(Point.QUERY, CutShort(), calls=range(2, 999, 3), during=3_500),
        Rule(Point.QUERY, Answer(500, "InternalError", "oops"), during=3_500),
    )
    summary = await rehearsal.run(THREE)
    assert summary.exit_code is ExitCode.DONE
    assert 3_500 <= summary.seconds < 3_600
    assert len(rehearsal.faults.at_point(Point.QUERY)) < 3 * 3_600 / 10, "asked at a calm pace"
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(44)
async def test_a_service_that_stays_silent_keeps_its_tasks_for_the_next_run(rehearsal):
    """After an hour exit 8 says so and how long results wait; later everything is collected."""
    rehearsal.faults = Watch(Rule(Point.QUERY, Reset(), during=2 * HOUR))
    first = await rehearsal.run(THREE)
    assert first.exit_code is ExitCode.UNREACHABLE
    assert first.count("rendering") == 3
    assert "results wait 24 hours at the service" in words(first)
    await keep_promises(rehearsal, first, again=False)
    await hours_pass(rehearsal, 2)
    rehearsal.faults.rules.clear()
    second = await rehearsal.run()
    assert second.exit_code is ExitCode.DONE
    await keep_promises(rehearsal, second)


@pytest.mark.fault(45)
async def test_throttled_questions_slow_down_all_questions_and_no_submit(rehearsal):
    """Ten minutes of 429 on polls: a handful of questions for all tasks, submits at their pace."""
    busy = Answer(429, "Throttling.RateQuota", "Requests rate limit exceeded.")
    rehearsal.faults = Watch(Rule(Point.QUERY, busy, during=600))
    rehearsal.settings = {"max_in_flight": 40}
    summary = await rehearsal.run(stills(40))
    assert summary.exit_code is ExitCode.DONE
    assert max(rehearsal.faults.at_point(Point.SUBMIT)) - START < 40
    asked = [at - START for at in rehearsal.faults.at_point(Point.QUERY)]
    assert sum(at < 60 for at in asked) < 60, "those under way when the first 429 came, and few"
    assert sum(60 <= at < 600 for at in asked) < 16 * 8
    await keep_promises(rehearsal, summary)


# -- tasks that nobody knows ----------------------------------------------------------------------


@pytest.mark.fault(46)
async def test_unknown_right_after_the_submit_is_borne(rehearsal):
    """The service may need a while to know its own tasks."""
    rehearsal.faults = Watch(Rule(Point.QUERY, Flap(), during=300))
    summary = await rehearsal.run(THREE)
    assert summary.exit_code is ExitCode.DONE
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(46, 47)
@pytest.mark.parametrize("seen", ["never", "running"])
async def test_unknown_for_good_is_a_named_loss(rehearsal, seen):
    """Not asked for ever, not bought again: exit 3 names the task; a later run may find it."""
    status = "RUNNING" if seen == "running" else ""
    rehearsal.faults = Watch(
        *([Rule(Point.QUERY, Flap("RUNNING"), prompt="owl", calls={1, 2})] if status else []),
        Rule(Point.QUERY, Flap(), prompt="owl"),
    )
    summary = await rehearsal.run(THREE)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [(job.id, job.state) for job in summary.need_a_person] == [("owl", "lost")]
    assert summary.need_a_person[0].task_id in words(summary)
    assert summary.reserved.micro == 100_000, "what it may cost stays counted"
    assert summary.seconds < HOUR
    await keep_promises(rehearsal, summary)
    again = await rehearsal.run()
    assert (again.exit_code, again.submitted) == (ExitCode.NEEDS_A_PERSON, 0)
    rehearsal.faults.rules.clear()
    found = await rehearsal.run()
    assert found.exit_code is ExitCode.DONE
    await keep_promises(rehearsal, found)


@pytest.mark.fault(47)
@pytest.mark.parametrize("hours", [25, 60])
async def test_results_that_outlived_their_day_are_a_loss_with_its_cost(rehearsal, hours):
    """Made, billed, never fetched: exit 3 says which and why, and nothing is bought for it."""
    rehearsal.faults = Watch(Rule(Point.RESULT, Answer(503, "SlowDown"), prompt="owl"))
    await stopped_when(rehearsal, THREE, lambda progress: progress.done == 2)
    await hours_pass(rehearsal, hours)
    rehearsal.faults.rules.clear()
    summary = await rehearsal.run()
    assert [(job.id, job.state) for job in summary.need_a_person] == [("owl", "expired")]
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert "24 hours" in words(summary)
    assert summary.submitted == 0
    await keep_promises(rehearsal, summary)
    assert (await rehearsal.run()).submitted == 0


@pytest.mark.fault(55)
async def test_after_a_weekend_each_loss_is_found_in_one_pass(rehearsal):
    """40 tasks expired while nothing ran: one question each, and a look at the list, no download,
    no purchase, exit 3."""
    rehearsal.settings = {"max_in_flight": 40}
    rehearsal.faults = Watch(Rule(Point.TASK, Slow(60)))
    await stopped_when(rehearsal, stills(40), lambda progress: progress.at_service == 40)
    await hours_pass(rehearsal, 60)
    before = len(rehearsal.faults.arrived)
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert summary.count("expired") == 40
    asked = Counter(point for _, point in rehearsal.faults.arrived[before:])
    assert asked == {Point.QUERY: 40, Point.LIST: 2}
    assert summary.seconds < 60
    await keep_promises(rehearsal, summary)
    again = await rehearsal.run()
    assert (again.exit_code, len(rehearsal.faults.arrived)) == (summary.exit_code, before + 42)


# -- what becomes of tasks ------------------------------------------------------------------------


@pytest.mark.fault(49)
async def test_a_task_cancelled_in_the_console_is_not_sent_again(rehearsal):
    """Somebody meant it: exit 3, unbilled, and no run buys it anew by itself."""
    rehearsal.faults = Watch(Rule(Point.TASK, Stuck(pending=True), prompt="owl"))
    asked = []

    async def cancel():
        task = tasks(rehearsal.folder / "service")[0].id
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:
            answer = await session.post(f"{url_of(rehearsal)}/tasks/{task}/cancel")
            assert answer.status == 200

    def watch(progress):
        if progress.done == 2 and not asked:
            asked.append(asyncio.create_task(cancel()))

    summary = await rehearsal.run(THREE, on_progress=watch)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [(job.id, job.state) for job in summary.need_a_person] == [("owl", "cancelled")]
    assert "Cancelled at the service" in words(summary)
    assert "not billed" in words(summary)
    assert summary.reserved.micro == 0
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(52)
async def test_an_internal_failure_gets_one_more_attempt_and_no_third(rehearsal):
    """The second attempt succeeds for one job and fails for the other: two tasks for each."""
    oops = Fail("InternalError.Algo", "An internal error has occured.", rendering=5)
    rehearsal.faults = Watch(
        Rule(Point.TASK, oops, prompt="owl", calls={1}), Rule(Point.TASK, oops, prompt="fox")
    )
    summary = await rehearsal.run(THREE)
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert [(job.id, job.code) for job in summary.failed] == [("fox", "InternalError.Algo")]
    outcomes = [attempt["outcome"] for attempt in rehearsal.sidecar("owl")["attempts"]]
    assert outcomes == ["FAILED", "SUCCEEDED"]
    assert len(tasks(rehearsal.folder / "service")) == 5
    assert summary.spent.micro == rehearsal.bill.amount
    await keep_promises(rehearsal, summary, retries=2)


@pytest.mark.fault(52)
async def test_moderation_is_final(rehearsal):
    """Its words are the job's end; the same words are never sent again."""
    rehearsal.faults = Watch(Rule(Point.TASK, Fail(), prompt="owl"))
    summary = await rehearsal.run(THREE)
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert "owl: DataInspectionFailed: Input data may contain inappropriate" in words(summary)
    await keep_promises(rehearsal, summary)


TWO_TALKS = """
region: beijing
defaults: {model: wan2.2-s2v, resolution: 480P, image_url: "https://example.com/a.png"}
jobs:
  - {id: one, audio_url: "https://example.com/1.wav"}
"""


def cloudy(tmp_path, cloud: Cloud) -> Run:
    (tmp_path / "film.yaml").write_text(TWO_TALKS)
    return Run(load(tmp_path / "film.yaml"), connect=cloud.serving)


@pytest.mark.fault(52)
async def test_a_failure_without_a_word_is_still_one(tmp_path):
    """No code, no message: the job has failed, is named, and is not sent again."""
    silent = {"request_id": "r", "output": {"task_id": "TASK", "task_status": "FAILED"}}
    cloud = Cloud(posts=[MADE], looks=[silent])
    for _ in range(2):
        summary = await cloudy(tmp_path, cloud).run()
        assert summary.exit_code is ExitCode.SOME_FAILED
        assert "one: Failed: the service says no more" in words(summary)
    assert len(cloud.posted) == 1


@pytest.mark.fault(53)
async def test_a_task_that_runs_for_ever_is_parked_after_four_hours(rehearsal):
    """Exit 3 tells it, the others are done; it is still asked for, and collected, by later runs."""
    rehearsal.faults = Watch(Rule(Point.TASK, Stuck(), prompt="owl"))
    summary = await rehearsal.run(THREE)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [(job.id, job.state) for job in summary.need_a_person] == [("owl", "stuck")]
    assert 4 * HOUR <= summary.seconds < 4.2 * HOUR
    assert "submitted 4 hours ago" in words(summary)
    assert summary.reserved.micro == 100_000
    await keep_promises(rehearsal, summary)
    with closing(sqlite3.connect(rehearsal.folder / "service" / "sandbox.sqlite")) as memory:
        memory.execute("UPDATE task SET run = 20000 WHERE status = 'RUNNING'")
        memory.commit()
    await hours_pass(rehearsal, 2)
    again = await rehearsal.run()
    assert (again.exit_code, again.submitted) == (ExitCode.DONE, 0)
    await keep_promises(rehearsal, again)


@pytest.mark.fault(53)
async def test_a_task_that_waits_for_ever_is_asked_for_slowly_for_a_day(rehearsal):
    """Pending is no failure for 24 hours and three more, run or not; then a person should look."""
    rehearsal.faults = Watch(Rule(Point.TASK, Stuck(pending=True), prompt="owl"))
    await stopped_when(rehearsal, THREE, lambda progress: progress.done == 2)
    await hours_pass(rehearsal, 22)
    summary = await rehearsal.run()
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [(job.id, job.state) for job in summary.need_a_person] == [("owl", "stuck")]
    assert 24 * HOUR < asyncio.get_running_loop().time() < 28 * HOUR
    assert len(rehearsal.faults.at_point(Point.QUERY)) < 5 * HOUR / 15 + 300
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(56)
def test_ten_thousand_tasks_share_the_queries_fairly():
    """Never more than the rate, and each task in its turn."""
    count = 10_000
    lanes = {"m": LaneLimits(submits_per_second=1e6, running=count, poll_seconds=15)}
    wanted = [Wish(job=f"j{n}", request=f"r{n}", model="m", order=n, price=1) for n in range(count)]
    world = World(Batch(policy(lanes=lanes)), wanted=wanted)
    world.start(wanted)
    looks: Counter[str] = Counter()
    looked_at: list[float] = []
    while len(looked_at) < 4 * count:
        actions = world.decide()
        for action in actions:
            if isinstance(action, Poll):
                looks[action.job] += 1
                looked_at.append(world.now)
            world.finish(action, *(world.outcomes(action)[0]() if _posts(action) else ()))
        if not actions:
            world.wait()
    assert most_in(looked_at, 1.0) <= 20
    assert set(looks) == {wish.job for wish in wanted}
    assert max(looks.values()) - min(looks.values()) <= 2


def _posts(action) -> bool:
    return isinstance(action, Submit)


@pytest.mark.fault(57)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Shanghai"])
async def test_times_without_a_zone_are_the_services_own(rehearsal, monkeypatch, zone):
    """Wherever this machine stands, the sidecar tells the moment at which the task ended."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        summary = await rehearsal.run(THREE)
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert summary.exit_code is ExitCode.DONE
    ended = {task.id: task.ended for task in tasks(rehearsal.folder / "service")}
    for job in ("owl", "fox", "tram"):
        sidecar = rehearsal.sidecar(job)
        told = _unix(sidecar["finished_at"])
        assert abs(told - ended[sidecar["task_id"]]) < 0.01
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(57)
async def test_a_foreign_end_time_takes_no_result_away(tmp_path):
    """A time of the last century is shown, and decides nothing: a broken download is repeated."""
    old = json.loads(json.dumps(DONE))
    old["output"] |= {"end_time": "1999-12-31 23:59:59.000", "submit_time": "tomorrow"}
    summary = await cloudy(tmp_path, Cloud(posts=[MADE], looks=[old], dead=1)).run()
    assert summary.exit_code is ExitCode.DONE
    sidecar = json.loads((tmp_path / "output" / "film" / "one.json").read_text())
    assert sidecar["finished_at"] == "1999-12-31T15:59:59.000+00:00"


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
