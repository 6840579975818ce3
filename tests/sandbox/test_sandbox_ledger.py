"""The bill that anybody at this machine can read."""

from __future__ import annotations

import asyncio
import json

import pytest

pytestmark = pytest.mark.looptime

IMAGES = "/services/aigc/text2image/image-synthesis"
SPEECH = "/services/aigc/image2video/video-synthesis"


async def ledger(client, **headers):
    url = client.sandbox.base_url.replace("/api/v1", "/sandbox/bill")
    return json.loads(await client.download(url, **headers))


async def test_the_bill_is_served_without_a_key(client):
    """As JSON, at a path of the sandbox's own: the totals, and a line for each model."""
    task_id = await client.task(duration=2, size="1280*720")
    await client.task(duration=2, size="1*1")
    await asyncio.sleep(400)
    assert await ledger(client) == {
        "tasks_created": 2,
        "succeeded": 1,
        "failed": 1,
        "canceled": 0,
        "video_seconds": 2,
        "images": 0,
        "amount": 200_000,
        "equal_requests": 0,
        "models": [
            {
                "account": "sandbox",
                "model": "wan2.6-t2v",
                "tasks": 2,
                "succeeded": 1,
                "failed": 1,
                "canceled": 0,
                "seconds": 2,
                "images": 0,
                "amount": 200_000,
            }
        ],
        "equal": [],
        "currency": "USD",
    }
    assert await client.status(task_id) == "SUCCEEDED"


async def test_the_bill_answers_this_machines_names_alone(client):
    """A web page whose name was made to lead here cannot read it."""
    await client.task()
    answer = await ledger(client, Host="evil.example")
    assert (client.answer.status, answer["code"]) == (403, "Forbidden")


async def test_accounts_and_models_have_lines_of_their_own(serving):
    """The lines add up to the totals."""
    async with serving(keys={"sk-a": "one", "sk-b": "two"}, key="sk-a") as client:
        await client.task("wan2.6-t2v", duration=2, size="1280*720")
        await client.submit("wan2.5-t2i-preview", IMAGES, given={"prompt": "fox"}, n=3)
        client.headers = {"Authorization": "Bearer sk-b"}
        await client.task("wan2.6-t2v", duration=3, size="1280*720")
        await asyncio.sleep(400)
        bill = client.sandbox.bill()
        lines = {(line.account, line.model): line for line in bill.models}
        assert {key: (line.seconds, line.images) for key, line in lines.items()} == {
            ("one", "wan2.6-t2v"): (2, 0),
            ("one", "wan2.5-t2i-preview"): (0, 3),
            ("two", "wan2.6-t2v"): (3, 0),
        }
        assert sum(line.amount for line in bill.models) == bill.amount == 590_000


async def test_requests_made_twice_are_named_with_their_tasks(serving):
    """By account: what two accounts ask for is no repetition."""
    async with serving(keys={"sk-a": "one", "sk-b": "two"}, key="sk-a") as client:
        first = await client.task(prompt="fox", duration=2)
        await client.task(prompt="hare", duration=2)
        second = await client.task(prompt="fox", duration=2)
        client.headers = {"Authorization": "Bearer sk-b"}
        await client.task(prompt="fox", duration=2)
        bill = await ledger(client)
        assert bill["equal_requests"] == 1
        assert bill["equal"] == [
            {"account": "one", "model": "wan2.6-t2v", "tasks": [first, second]}
        ]
