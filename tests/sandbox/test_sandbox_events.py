"""Events of tasks that have ended."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from batchgen.sandbox import Fail, Faults, Point, Rule, Sandbox

pytestmark = pytest.mark.looptime


class Listener:
    """An address that is told of events, and remembers when."""

    def __init__(self) -> None:
        self.events = []
        self.status = 200
        self.headers = {}

    async def take(self, request):
        self.events.append((asyncio.get_running_loop().time(), await request.json()))
        return web.Response(status=self.status, headers=self.headers)

    def ids(self):
        return [event["data"]["task_id"] for _, event in self.events]


@asynccontextmanager
async def listening():
    listener = Listener()
    application = web.Application()
    application.router.add_post("/done", listener.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    listener.url = "http://127.0.0.1:{}/done".format(*runner.addresses[0][1:])
    try:
        yield listener
    finally:
        await runner.cleanup()


async def test_an_event_holds_what_a_query_would_answer(serving):
    """A CloudEvent of the documented type, 1 to 90 seconds after the end, though nobody looked."""
    async with listening() as listener, serving(events=listener.url) as client:
        task_id = await client.task()
        await asyncio.sleep(500)
        time, event = listener.events[0]
        row = (await client.get("/tasks"))["data"][0]
        assert 1 <= time - (row["end_time"] / 1000 - 1_790_000_000) <= 95
        assert event["specversion"] == "1.0"
        assert event["type"] == "dashscope:System:AsyncTaskFinish"
        assert (event["source"], event["aliyuneventbusname"]) == ("acs.dashscope", "default")
        data = event["data"]
        assert (data["task_id"], data["task_status"]) == (task_id, "SUCCEEDED")
        assert data["user_api_unique_key"] == row["user_api_unique_key"]
        assert len(data["end_time"]) == len("2026-09-21 22:18:20")
        answer = await client.get(f"/tasks/{task_id}")
        assert data["contain_result"] is True
        assert data["output_result"]["output"] == answer["output"]
        assert data["output_result"]["usage"] == answer["usage"]


async def test_events_come_in_time(serving):
    """Not when somebody looks next: the first task of a sandbox is told of within seconds."""
    async with listening() as listener, serving(events=listener.url) as client:
        await client.get("/tasks")
        await asyncio.sleep(30)
        await client.task(size="1*1")
        start = asyncio.get_running_loop().time()
        await asyncio.sleep(200)
        assert listener.events[0][0] - start < 15


async def test_failures_are_told_and_cancels_are_not(serving):
    """As the page says: on success and failure."""
    faults = Faults(Rule(Point.TASK, Fail(), prompt="forbidden"))
    async with listening() as listener, serving(events=listener.url, faults=faults) as client:
        failed = await client.task(prompt="forbidden")
        cancelled = await client.task()
        await client.post(f"/tasks/{cancelled}/cancel")
        await asyncio.sleep(500)
        assert set(listener.ids()) == {failed}
        assert listener.events[0][1]["data"]["task_status"] == "FAILED"


async def test_events_overtake_each_other_and_some_come_twice(serving):
    """Delays are drawn for each delivery."""
    async with listening() as listener, serving(events=listener.url) as client:
        ids = []
        for number in range(40):
            ids.append(await client.task("wan2.6-t2v", f"fox {number}"))
            await asyncio.sleep(0.3)
        await asyncio.sleep(4000)
        told = listener.ids()
        assert set(told) == set(ids)
        assert len(ids) < len(told) < 60
        rows = (await client.get("/tasks", page_size=50))["data"]
        ended = [row["task_id"] for row in sorted(rows, key=lambda row: row["end_time"])]
        assert list(dict.fromkeys(told)) != ended


async def test_a_listener_that_refuses_is_nobodys_trouble(serving):
    """Neither is one that is not there; the tasks go on."""
    async with listening() as listener:
        listener.status = 500
        async with serving(events=listener.url) as client:
            task_id = await client.task()
            await asyncio.sleep(500)
            assert listener.events
            assert await client.status(task_id) == "SUCCEEDED"
    async with serving(events=listener.url) as client:
        task_id = await client.task()
        await asyncio.sleep(500)
        assert await client.status(task_id) == "SUCCEEDED"


async def test_a_listener_cannot_send_an_event_elsewhere(serving):
    """A redirect is not followed: events stay at the address they were meant for."""
    async with listening() as listener, listening() as other:
        listener.status, listener.headers = 307, {"Location": other.url}
        async with serving(events=listener.url) as client:
            await client.task(size="1*1")
            await asyncio.sleep(200)
            assert listener.events
            assert other.events == []


async def test_what_a_post_has_answered_is_no_event(serving):
    """To the client there was no task that could end."""
    content = [{"role": "user", "content": [{"text": "fox"}]}]
    body = {"model": "wan2.6-t2i", "input": {"messages": content}, "parameters": {"n": 1}}
    async with listening() as listener, serving(events=listener.url) as client:
        await client.post("/services/aigc/multimodal-generation/generation", body)
        assert client.answer.status == 200
        await asyncio.sleep(300)
        assert listener.events == []


async def test_a_sandbox_closes_with_events_on_their_way(serving):
    """They are given up."""
    async with listening() as listener, serving(events=listener.url) as client:
        await client.task("wan2.6-t2v", "fox", size="1*1")
        await asyncio.sleep(3.5)
        listener.events.clear()
    await asyncio.sleep(200)
    assert listener.events == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com/", "this machine alone, not to example.com"),
        ("https://127.0.0.1/?key=1", r"begins with http://, not https://127\.0\.0\.1/$"),
        ("ftp://127.0.0.1/", "begins with http://, not ftp:"),
        ("nonsense", "begins with http://, not nonsense"),
    ],
)
def test_events_stay_on_this_machine(url, words):
    """Anything else is refused before the sandbox opens."""
    with pytest.raises(ValueError, match=words):
        Sandbox(events=url)
