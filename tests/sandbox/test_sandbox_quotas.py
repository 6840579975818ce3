from __future__ import annotations

import asyncio

import pytest

from batchgen.sandbox.service.quotas import Quotas

pytestmark = pytest.mark.looptime


async def test_the_sixth_submit_within_a_second_is_refused(client):
    """429 Throttling.RateQuota, no task; the next second is a new chance."""
    for _ in range(5):
        await client.task()
    answer = await client.submit("wan2.6-t2v", given={"prompt": "fox"})
    assert client.answer.status == 429
    assert answer["code"] == "Throttling.RateQuota"
    assert client.sandbox.bill().tasks_created == 5
    await asyncio.sleep(1)
    await client.task()


async def test_the_rate_is_the_accounts_and_the_models_own(client):
    """The 2.2 models take two a second, whatever the others do."""
    for _ in range(5):
        await client.task("wan2.6-t2v")
    for _ in range(2):
        await client.task("wan2.2-t2v-plus")
    await client.submit("wan2.2-t2v-plus", given={"prompt": "fox"})
    assert client.answer.status == 429


@pytest.mark.parametrize("speed", [1, 60])
async def test_queries_are_twenty_a_second_at_any_speed(serving, speed):
    """Rendering is sped up, the pace of clients is not."""
    async with serving(speed=speed) as client:
        codes = []
        for _ in range(21):
            await client.get("/tasks/x")
            codes.append(client.answer.status)
        assert codes == [200] * 20 + [429]
        await client.get("/tasks")
        assert client.answer.status == 200
        await asyncio.sleep(1)
        await client.get("/tasks/x")
        assert client.answer.status == 200


async def test_any_window_of_a_second_holds_the_limit():
    """A burst at the end of one second leaves no room for another at the start of the next."""
    quotas = Quotas(asyncio.get_running_loop())
    await asyncio.sleep(0.9)
    assert [quotas.admits("a", 5) for _ in range(6)] == [True] * 5 + [False]
    await asyncio.sleep(0.9)
    assert not quotas.admits("a", 5)
    await asyncio.sleep(0.11)
    assert quotas.admits("a", 5)


async def test_a_full_queue_refuses(client):
    """Five run, five hundred wait, and the next is refused until one has started."""
    for number in range(505):
        await client.task(prompt=f"fox {number}", seed=1)
        await asyncio.sleep(0.21)
        if number == 4:
            await asyncio.sleep(15)
    answer = await client.submit("wan2.6-t2v", given={"prompt": "one more"})
    assert (client.answer.status, answer["code"]) == (429, "Throttling")
    await asyncio.sleep(200)
    await client.task()
