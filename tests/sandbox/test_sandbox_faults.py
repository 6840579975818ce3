from __future__ import annotations

import asyncio

import aiohttp
import pytest

from batchgen.sandbox import Answer, CutShort, Fail, Faults, Point, Reset, Rule, Stuck

pytestmark = pytest.mark.looptime


async def test_the_nth_submit_is_answered_with_the_error_of_choice(serving):
    """The others are not, and a refused one makes no task."""
    faults = Faults(Rule(Point.SUBMIT, Answer(503, "Throttling", "busy"), calls={2}))
    async with serving(faults=faults) as client:
        await client.task()
        answer = await client.submit("wan2.6-t2v", given={"prompt": "fox"})
        assert client.answer.status == 503
        assert (answer["code"], answer["message"]) == ("Throttling", "busy")
        await client.task()
        assert client.sandbox.bill().tasks_created == 2


@pytest.mark.parametrize(("point", "tasks"), [(Point.SUBMIT, 0), (Point.TASK_CREATED, 1)])
async def test_a_reset_comes_before_or_after_the_task(serving, point, tasks):
    """The client sees the same in both cases; only the list tells them apart."""
    async with serving(faults=Faults(Rule(point, Reset(), calls={1}))) as client:
        with pytest.raises(aiohttp.ClientOSError, match="reset by peer"):
            await client.task()
        assert (await client.get("/tasks"))["total"] == tasks
        assert client.sandbox.bill().tasks_created == tasks


async def test_moderation_fails_the_task(serving):
    """A prompt with the word is accepted, fails in seconds and is free."""
    async with serving(faults=Faults(Rule(Point.TASK, Fail(), prompt="violent"))) as client:
        bad, good = await client.task(prompt="a violent fox"), await client.task()
        await asyncio.sleep(4)
        output = await client.output(bad)
        assert (output["task_status"], output["code"]) == ("FAILED", "DataInspectionFailed")
        await asyncio.sleep(400)
        assert await client.status(good) == "SUCCEEDED"
        assert client.sandbox.bill().video_seconds == 5


async def test_a_task_can_fail_after_rendering(serving):
    """It runs for the time given and then ends in an error, with all its times."""
    fail = Fail("InternalError.Algo", "An internal error has occured.", rendering=50)
    async with serving(faults=Faults(Rule(Point.TASK, fail))) as client:
        task_id = await client.task()
        await asyncio.sleep(45)
        assert await client.status(task_id) == "RUNNING"
        await asyncio.sleep(20)
        output = await client.output(task_id)
        assert (output["task_status"], output["code"]) == ("FAILED", "InternalError.Algo")
        assert {"submit_time", "scheduled_time", "end_time"} <= output.keys()


async def test_a_stuck_task_runs_for_ever(serving):
    """After five hours it still does, and keeps its slot."""
    async with serving(faults=Faults(Rule(Point.TASK, Stuck(), prompt="stuck"))) as client:
        task_id = await client.task(prompt="stuck")
        await asyncio.sleep(5 * 3600)
        assert await client.status(task_id) == "RUNNING"


async def test_queries_and_lists_can_fail_too(serving):
    """Their faults leave the task alone."""
    faults = Faults(
        Rule(Point.QUERY, Answer(500, "InternalError", "")),
        Rule(Point.LIST, Reset(), calls={1}),
    )
    async with serving(faults=faults) as client:
        task_id = await client.task()
        await client.get(f"/tasks/{task_id}")
        assert client.answer.status == 500
        # A GET on a fresh connection is repeated by aiohttp itself, once.
        assert (await client.get("/tasks"))["total"] == 1


async def test_a_download_is_cut_short(serving):
    """The length announced is the whole one; what arrives is the beginning."""
    async with serving(faults=Faults(Rule(Point.RESULT, CutShort(100), calls={1}))) as client:
        task_id = await client.task(size="1280*720", duration=2)
        await asyncio.sleep(400)
        url = (await client.output(task_id))["video_url"]
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.download(url)
        assert int(client.answer.headers["Content-Length"]) > 100
        whole = await client.download(url)
        assert len(whole) == int(client.answer.headers["Content-Length"])


async def test_a_rule_counts_only_its_own_calls():
    """A call that another model or prompt makes is not the first."""
    faults = Faults(Rule(Point.TASK, Stuck(), calls={2}, model="m", prompt="fox"))
    calls = [("m", "fox"), ("n", "fox"), ("m", "cat"), ("m", "a fox"), ("m", "fox")]
    seen = [faults.at(Point.TASK, model=model, prompt=prompt) for model, prompt in calls]
    assert seen == [None, None, None, Stuck(), None]


async def test_an_action_that_makes_no_sense_there_is_an_error():
    """A submit cannot be cut short, and a download cannot fail a task."""
    with pytest.raises(TypeError, match="CutShort cannot happen at 'submit'"):
        Rule(Point.SUBMIT, CutShort(1))
