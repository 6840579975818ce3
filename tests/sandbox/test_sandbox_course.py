"""What becomes of tasks that do not simply succeed."""

from __future__ import annotations

import asyncio

import pytest

from batchgen.sandbox import Fail, Faults, Partial, Point, Rule, Slow, Stuck

pytestmark = pytest.mark.looptime

IMAGES = "/services/aigc/text2image/image-synthesis"
HOUR = 3600


def fated(action, **match):
    return Faults(Rule(Point.TASK, action, **match))


@pytest.mark.parametrize(
    "action", [Slow(200), Fail("InternalError", "later", rendering=4 * HOUR)], ids=["slow", "fail"]
)
async def test_nothing_renders_longer_than_three_hours(serving, action):
    """What is not done by then fails with InternalError.Timeout, unbilled."""
    async with serving(faults=fated(action)) as client:
        task_id = await client.task("wan2.6-t2v")
        await asyncio.sleep(3 * HOUR)
        assert await client.status(task_id) == "RUNNING"
        await asyncio.sleep(2000)
        output = await client.output(task_id)
        assert (output["task_status"], output["code"]) == ("FAILED", "InternalError.Timeout")
        assert client.sandbox.bill().amount == 0


async def test_a_task_that_is_stuck_on_purpose_stays_stuck(serving):
    """RUNNING, and in its slot, for as long as anybody looks."""
    async with serving(faults=fated(Stuck())) as client:
        task_id = await client.task()
        await asyncio.sleep(48 * HOUR)
        assert await client.status(task_id) == "RUNNING"


async def test_a_task_that_is_stuck_in_the_queue_holds_nobody_up(serving):
    """PENDING for ever, while those behind it go by; it can be cancelled."""
    async with serving(faults=fated(Stuck(pending=True), calls={1})) as client:
        stuck, other = await client.task(), await client.task(prompt="hare")
        await asyncio.sleep(1000)
        assert [await client.status(each) for each in (stuck, other)] == ["PENDING", "SUCCEEDED"]
        await client.post(f"/tasks/{stuck}/cancel")
        assert await client.status(stuck) == "CANCELED"


async def test_a_slow_task_takes_its_factor_longer(serving):
    """And one with the factor 0 no time at all."""
    async with serving(faults=fated(Slow(3), prompt="slow")) as client:
        slow, usual = await client.task(prompt="slow fox"), await client.task("wan2.7-t2v", "fox")
        await asyncio.sleep(560)
        assert await client.status(slow) == "RUNNING"
        await asyncio.sleep(400)
        assert [await client.status(each) for each in (slow, usual)] == ["SUCCEEDED"] * 2
    async with serving(faults=fated(Slow(0))) as client:
        assert await client.status(await client.task()) == "SUCCEEDED"


async def test_images_fail_one_by_one(serving):
    """The others are delivered and billed, and the numbers say so."""
    async with serving(faults=fated(Partial(places=(2, 2, 9)))) as client:
        answer = await client.submit("wan2.5-t2i-preview", IMAGES, given={"prompt": "fox"}, n=3)
        await asyncio.sleep(60)
        answer = await client.get(f"/tasks/{answer['output']['task_id']}")
        output = answer["output"]
        assert output["task_status"] == "SUCCEEDED"
        assert output["task_metrics"] == {"TOTAL": 3, "SUCCEEDED": 2, "FAILED": 1}
        assert [sorted(result) for result in output["results"]][1] == ["code", "message"]
        assert answer["usage"]["image_count"] == 2
        assert await client.download(output["results"][2]["url"])
        bill = client.sandbox.bill()
        assert (bill.images, bill.amount) == (2, 60_000)


async def test_a_task_whose_images_all_fail_has_failed(serving):
    """With the code of its images."""
    async with serving(faults=fated(Partial(places=(1, 2)))) as client:
        answer = await client.submit("wan2.5-t2i-preview", IMAGES, given={"prompt": "fox"}, n=2)
        await asyncio.sleep(60)
        output = await client.output(answer["output"]["task_id"])
        assert (output["task_status"], output["code"]) == ("FAILED", "DataInspectionFailed")
        assert client.sandbox.bill().amount == 0


async def outcomes(serving, rate):
    async with serving(failure_rate=rate) as client:
        ids = []
        for number in range(60):
            ids.append(await client.task("wan2.6-t2v", f"fox {number}", seed=7))
            await asyncio.sleep(0.25)
        await asyncio.sleep(6 * HOUR)
        codes = []
        for task_id in ids:
            codes.append((await client.output(task_id)).get("code"))
            await asyncio.sleep(0.1)
        return codes


async def test_tasks_fail_by_chance_and_the_same_ones_each_time(serving):
    """About as many as was asked, with the codes of internal errors."""
    first, second = await outcomes(serving, 0.3), await outcomes(serving, 0.3)
    assert first == second
    failed = [code for code in first if code]
    assert 9 <= len(failed) <= 27
    assert all(code.startswith("InternalError") for code in failed)
    assert not any(await outcomes(serving, 0.0))
