from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.sandbox.tasks.lanes import Lane
from batchgen.sandbox.tasks.scheduler import Scheduler
from batchgen.sandbox.tasks.task import Status, Task

looptime = pytest.mark.looptime


async def statuses(client, ids):
    await asyncio.sleep(1)
    return [await client.status(task_id) for task_id in ids]


@looptime
async def test_a_task_goes_from_pending_over_running_to_its_result(client):
    """wan2.6-t2v waits 7 to 10 seconds and renders 200 to 310; each state has its times."""
    task_id = await client.task()
    await asyncio.sleep(6)
    assert (await client.output(task_id)).keys() == {"task_id", "task_status", "submit_time"}
    await asyncio.sleep(6)
    output = await client.output(task_id)
    assert output["task_status"] == "RUNNING"
    assert output["scheduled_time"] > output["submit_time"]
    await asyncio.sleep(186)
    assert await client.status(task_id) == "RUNNING"
    await asyncio.sleep(130)
    output = await client.output(task_id)
    assert output["task_status"] == "SUCCEEDED"
    assert output["end_time"] > output["scheduled_time"]


@looptime
async def test_speed_makes_a_minute_a_second(serving):
    """At 60, a rendering of five minutes is over in five seconds."""
    async with serving(speed=60) as client:
        task_id = await client.task()
        await asyncio.sleep(3.4)
        assert await client.status(task_id) == "RUNNING"
        await asyncio.sleep(2)
        assert await client.status(task_id) == "SUCCEEDED"


@looptime
async def test_two_run_and_the_others_wait_their_turn(client):
    """First come, first served, in the slots of the account and model."""
    ids = []
    for number in range(4):
        ids.append(await client.task("wan2.2-t2v-plus", f"fox {number}"))
        await asyncio.sleep(1)
    other = await client.task("wan2.6-t2v")
    await asyncio.sleep(20)
    assert await statuses(client, [*ids, other]) == [
        "RUNNING",
        "RUNNING",
        "PENDING",
        "PENDING",
        "RUNNING",
    ]
    await asyncio.sleep(330)
    assert await statuses(client, ids) == ["SUCCEEDED", "SUCCEEDED", "RUNNING", "RUNNING"]


@looptime
async def test_the_same_prompt_seed_and_number_take_the_same_time(serving):
    """A night can be repeated; another seed is another night."""
    spans = []
    for seed in (7, 7, 8):
        async with serving() as client:
            task_id = await client.task(seed=seed)
            await asyncio.sleep(400)
            (row,) = (await client.get("/tasks"))["data"]
            assert row["task_id"] == task_id
            spans.append(row["end_time"] - row["gmt_create"])
    assert spans[0] == pytest.approx(spans[1], abs=2)
    assert abs(spans[0] - spans[2]) > 100


@looptime
async def test_equal_requests_make_a_task_each(client):
    """There is no idempotency; the bill counts such pairs."""
    first, second = await client.task(), await client.task()
    await client.task(prompt="another")
    await asyncio.sleep(400)
    assert first != second
    bill = client.sandbox.bill()
    assert (bill.tasks_created, bill.succeeded, bill.equal_requests) == (3, 3, 1)


@looptime
async def test_a_task_is_forgotten_a_day_after_its_end(client):
    """Then it is UNKNOWN, with HTTP 200 and two keys; the bill stays."""
    task_id = await client.task()
    await asyncio.sleep(400)
    assert await client.status(task_id) == "SUCCEEDED"
    await asyncio.sleep(86_000)
    assert await client.status(task_id) == "SUCCEEDED"
    await asyncio.sleep(400)
    assert await client.output(task_id) == {"task_id": task_id, "task_status": "UNKNOWN"}
    assert client.sandbox.bill().succeeded == 1


@looptime
async def test_a_cancelled_task_gives_its_place_up(client):
    """The next in line starts when it would have, and nothing is billed for the other."""
    ids = []
    for number in range(3):
        ids.append(await client.task("wan2.2-t2v-plus", f"fox {number}"))
        await asyncio.sleep(1)
    await client.post(f"/tasks/{ids[1]}/cancel")
    await asyncio.sleep(20)
    assert await statuses(client, ids) == ["RUNNING", "CANCELED", "RUNNING"]


def a_task(number, ready, run):
    return Task(
        number=number,
        id=str(number),
        request_id="",
        account="a",
        model="m",
        digest="",
        work=None,
        code=None,
        message=None,
        created=0,
        ready=ready,
        run=run,
    )


times = st.floats(0, 100, allow_nan=False).map(lambda x: round(x, 2))


@given(
    st.lists(st.tuples(times, times.map(lambda x: x + 0.5)), max_size=12),
    st.integers(1, 3),
    st.lists(times, max_size=6),
)
def test_looking_more_often_changes_nothing(work, slots, looks):
    """The times of all starts and ends are the same, whenever anybody looks."""

    def history(moments):
        lane = Lane()
        for number, (ready, run) in enumerate(work):
            lane.add(a_task(number, ready, run))
        return [task for moment in moments for task in lane.settle(moment, slots)]

    assert history([*sorted(looks), 10_000]) == history([10_000])


@given(
    st.lists(st.tuples(times, times.map(lambda x: x + 0.5)), min_size=1, max_size=12),
    st.lists(st.tuples(times, st.integers(0, 4)), max_size=8),
)
def test_slots_that_come_and_go_lose_nothing(work, looks):
    """Whatever the number of slots at each look, every task ends once, in the order of its times;
    none is stopped when slots are taken away.
    """
    lane = Lane()
    for number, (ready, run) in enumerate(work):
        lane.add(a_task(number, ready, run))
    history = [task for moment, slots in sorted(looks) for task in lane.settle(moment, slots)]
    history += lane.settle(10_000, 1)
    ended = [task for task in history if task.status is Status.SUCCEEDED]
    assert sorted(task.number for task in ended) == list(range(len(work)))
    assert all(task.ended == task.scheduled + task.run for task in ended)
    assert not lane.busy


@given(
    st.lists(st.tuples(times, times.map(lambda x: x + 0.5)), min_size=1, max_size=12),
    st.integers(1, 3),
)
def test_slots_are_never_exceeded_and_nobody_overtakes(work, slots):
    """At every start fewer than all slots are taken, and starts are in the order of arrival."""
    lane = Lane()
    for number, (ready, run) in enumerate(work):
        lane.add(a_task(number, ready, run))
    ended = [task for task in lane.settle(10_000, slots) if task.status is Status.SUCCEEDED]
    assert len(ended) == len(work)
    ended.sort(key=lambda task: task.number)
    starts = [task.scheduled for task in ended]
    assert starts == sorted(starts)
    for task in ended:
        running = [t for t in ended if t.scheduled <= task.scheduled < t.ended]
        assert len(running) <= slots
        assert task.scheduled >= task.ready


@looptime
async def test_the_list_forgets_with_the_query(client):
    """A day after its end a task is unknown to both, whatever window is asked for."""
    task_id = await client.task()
    start = {"start_time": "20260921000000", "end_time": "20260921235959"}
    await asyncio.sleep(23 * 3600)
    assert (await client.get("/tasks", **start))["total"] == 1
    await asyncio.sleep(2 * 3600)
    assert await client.status(task_id) == "UNKNOWN"
    assert (await client.get("/tasks", **start))["total"] == 0


@looptime
async def test_the_list_of_another_region_is_empty(client):
    """A sandbox plays one."""
    await client.task()
    assert (await client.get("/tasks", region="ap-southeast-1"))["total"] == 1
    assert (await client.get("/tasks", region="cn-beijing"))["total"] == 0


@looptime
async def test_a_fast_sandbox_does_not_look_without_a_pause(serving, monkeypatch):
    """Its alarms are a second apart at least, however many of its minutes pass in one."""
    looks = []
    ring = Scheduler._ring
    monkeypatch.setattr(Scheduler, "_ring", lambda self: (looks.append(1), ring(self)))
    async with serving(speed=1_000_000, events="http://127.0.0.1:9/") as client:
        await client.get("/tasks")
        await asyncio.sleep(20)
        assert 10 <= len(looks) <= 21
