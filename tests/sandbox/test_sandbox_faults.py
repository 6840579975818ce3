from __future__ import annotations

import asyncio
import json
from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from batchgen.sandbox import (
    Answer,
    Content,
    CutShort,
    Delay,
    Ending,
    Fail,
    Faults,
    Flap,
    Lag,
    Limits,
    Omit,
    Page,
    Partial,
    Point,
    Redirect,
    Reset,
    Rule,
    Slow,
    Stuck,
)

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


@pytest.mark.parametrize(
    ("point", "tasks"), [(Point.SUBMIT, 0), (Point.TASK_CREATED, 1)], ids=["before", "after"]
)
@pytest.mark.parametrize(
    "action",
    [Answer(500, "InternalError"), Page(Content.HTML, 504), Page(Content.EMPTY), Redirect("/x")],
)
async def test_another_answer_comes_before_or_after_the_task(serving, action, point, tasks):
    """The client reads the same; whether there is a task is another matter."""
    async with serving(faults=Faults(Rule(point, action))) as client:
        await posted(client)
        assert client.answer.status == action.status
        assert client.sandbox.bill().tasks_created == tasks


async def posted(client) -> bytes:
    """The bytes that answer a submit, whatever they are."""
    body = {"model": "wan2.6-t2v", "input": {"prompt": "fox"}}
    async with client.session.post(
        client.sandbox.base_url + "/services/aigc/video-generation/video-synthesis",
        json=body,
        headers=client.headers | {"X-DashScope-Async": "enable"},
        allow_redirects=False,
    ) as client.answer:
        return await client.answer.read()


async def test_half_the_json_of_a_submit_leaves_a_whole_task(serving):
    """The answer is well-formed HTTP and no JSON; the task is there to be found."""
    cut = CutShort(ending=Ending.WHOLE)
    async with serving(faults=Faults(Rule(Point.TASK_CREATED, cut))) as client:
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            json.loads(await posted(client))
        assert client.sandbox.bill().tasks_created == 1


@pytest.mark.parametrize(("point", "tasks"), [(Point.SUBMIT, 0), (Point.TASK_CREATED, 1)])
async def test_a_client_that_will_not_wait_leaves_a_task_or_none(serving, point, tasks):
    """An answer that is late by a minute: who leaves earlier has bought what was made."""
    async with serving(faults=Faults(Rule(point, Delay(60)))) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(posted(client), 30)
        await asyncio.sleep(60)
        assert client.sandbox.bill().tasks_created == tasks


async def test_a_faulty_answer_tells_the_sandboxs_time(serving):
    """Its `Date` is that of the clock, like every other answer's."""
    async with serving(faults=Faults(Rule(Point.LIST, Page(Content.HTML, 502)))) as client:
        url = client.sandbox.base_url + "/tasks"
        async with client.session.get(url, headers=client.headers) as answer:
            told = parsedate_to_datetime(answer.headers["Date"]).timestamp()
        assert abs(told - client.sandbox.clock.now()) < 2


async def test_a_task_flaps(serving):
    """One query does not know the task, the next one does."""
    faults = Faults(
        Rule(Point.QUERY, Flap(), calls={2}), Rule(Point.QUERY, Flap("PENDING"), calls={3})
    )
    async with serving(faults=faults) as client:
        task_id = await client.task()
        await asyncio.sleep(60)
        assert await client.status(task_id) == "RUNNING"
        unknown = await client.get(f"/tasks/{task_id}")
        assert unknown["output"] == {"task_id": task_id, "task_status": "UNKNOWN"}
        assert unknown.keys() == {"request_id", "output"}
        assert await client.status(task_id) == "PENDING"
        assert await client.status(task_id) == "RUNNING"


async def test_a_list_leaves_rows_out(serving):
    """The newest task is missing, then all are, then none."""
    faults = Faults(Rule(Point.LIST, Omit(1), calls={1}), Rule(Point.LIST, Omit(), calls={2}))
    async with serving(faults=faults) as client:
        tasks = [await client.task(), await client.task()]
        pages = [(await client.get("/tasks"))["data"] for _ in range(3)]
        assert [[row["task_id"] for row in page] for page in pages] == [
            tasks[:1],
            [],
            tasks[::-1],
        ]


async def test_a_cancel_is_lost_before_or_after_it_was_done(serving):
    """The answer says nothing of it; the task does."""
    faults = Faults(
        Rule(Point.CANCEL, Answer(500, "InternalError"), calls={1}),
        Rule(Point.CANCELED, Answer(500, "InternalError"), calls={1}),
    )
    async with serving(faults=faults) as client:
        task_id = await client.task()
        for status in ("PENDING", "CANCELED"):
            await client.post(f"/tasks/{task_id}/cancel")
            assert client.answer.status == 500
            assert await client.status(task_id) == status


async def test_a_fault_is_for_one_account_or_one_status_alone(serving):
    """Of two accounts one is throttled; of one task only the queries while it renders."""
    faults = Faults(
        Rule(Point.SUBMIT, Answer(429, "Throttling"), account="other"),
        Rule(Point.QUERY, Answer(502, ""), status="RUNNING"),
    )
    async with serving(faults=faults, keys={"sk-sandbox": "own", "sk-2": "other"}) as client:
        task_id = await client.task()
        assert await client.status(task_id) == "PENDING"
        await asyncio.sleep(60)
        await client.get(f"/tasks/{task_id}")
        assert client.answer.status == 502
        client.headers["Authorization"] = "Bearer sk-2"
        await posted(client)
        assert client.answer.status == 429


async def test_a_refused_key_meets_no_fault(serving):
    """Whose request it is comes before all else."""
    async with serving(faults=Faults(Rule(Point.LIST, Reset())), key="sk-wrong") as client:
        assert (await client.get("/tasks"))["code"] == "InvalidApiKey"


async def test_what_fired_is_remembered_with_its_task(serving):
    """Time, place, what and to whom, as a person would want to read it."""
    rule = Rule(Point.TASK_CREATED, Answer(503, "Throttling"), model="wan2.6-*", name="busy")
    async with serving(faults=Faults(rule)) as client:
        await posted(client)
        (row,) = (await client.get("/tasks"))["data"]
        (fired,) = client.sandbox.faults.fired
        assert (fired.rule, fired.point, fired.call) == ("busy", "task created", 1)
        assert fired.what == "answer (status 503, code Throttling)"
        assert (fired.model, fired.account) == ("wan2.6-t2v", "sandbox")
        assert fired.task == row["task_id"]
        assert fired.time == pytest.approx(client.sandbox.clock.now(), abs=1)


async def test_a_list_does_not_know_young_tasks_yet(serving):
    """A task is listed once it is as old as the lag; a query knows it at once."""
    async with serving(faults=Faults(Rule(Point.LIST, Lag(30)))) as client:
        task_id = await client.task()
        assert (await client.get("/tasks"))["total"] == 0
        assert await client.status(task_id) == "PENDING"
        await asyncio.sleep(31)
        assert (await client.get("/tasks"))["total"] == 1


async def test_a_quota_falls_in_the_middle_of_the_run(serving):
    """From the second submit on one a second is admitted; a minute later none may wait."""
    faults = Faults(
        Rule(Point.SUBMIT, Limits(per_second=1), calls=range(2, 4)),
        Rule(Point.SUBMIT, Limits(queue=0), after=60),
    )
    async with serving(faults=faults) as client:
        await client.task()
        assert (await client.submit("wan2.6-t2v", given={"prompt": "fox"}))["code"].startswith(
            "Throttling"
        )
        await asyncio.sleep(2)
        await client.task()
        await asyncio.sleep(60)
        assert (await client.submit("wan2.6-t2v", given={"prompt": "fox"}))["code"] == "Throttling"


async def test_a_task_takes_its_time_or_none(serving):
    """Ten times as slow it still renders when others are long done; stuck in the queue it waits."""
    faults = Faults(
        Rule(Point.TASK, Slow(10), prompt="snail"),
        Rule(Point.TASK, Slow(0), prompt="hare"),
        Rule(Point.TASK, Stuck(pending=True), prompt="sloth"),
    )
    async with serving(faults=faults) as client:
        # Each in a queue of its own: a slow first one holds up those behind it.
        snail = await client.task(prompt="snail")
        hare = await client.task("wan2.7-t2v", prompt="hare")
        sloth = await client.task("wan2.5-t2v-preview", prompt="sloth")
        assert await client.status(hare) == "SUCCEEDED"
        await asyncio.sleep(1000)
        assert await client.status(snail) == "RUNNING"
        assert await client.status(sloth) == "PENDING"


async def test_some_images_of_a_task_fail(serving):
    """The others are there and alone are billed."""
    faults = Faults(Rule(Point.TASK, Partial((2,), "InternalError.Timeout", "late")))
    async with serving(faults=faults) as client:
        answer = await client.submit(
            "wan2.2-t2i-flash",
            "/services/aigc/text2image/image-synthesis",
            given={"prompt": "fox"},
            n=3,
        )
        await asyncio.sleep(400)
        output = await client.output(answer["output"]["task_id"])
        assert output["task_status"] == "SUCCEEDED"
        assert [item.get("code") for item in output["results"]] == [
            None,
            "InternalError.Timeout",
            None,
        ]
        assert client.sandbox.bill().images == 2
