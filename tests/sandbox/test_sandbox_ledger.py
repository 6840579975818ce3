"""The bill that anybody at this machine can read."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.sandbox.database import Database
from batchgen.sandbox.models import Currency
from batchgen.sandbox.orders import Order
from batchgen.sandbox.tasks.store import Store
from batchgen.sandbox.tasks.task import Task

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


@given(
    made=st.lists(
        st.tuples(
            st.sampled_from(["one", "two"]),
            st.sampled_from(["wan2.6-t2v", "wan2.5-t2v-preview"]),
            st.integers(0, 3),
            st.sampled_from(["succeeds", "fails", "cancelled", "runs", "waits"]),
        ),
        max_size=30,
    )
)
def test_running_totals_are_what_the_file_says(made):
    """Whatever was made and became of it: a bill that is added up anew is the same one."""
    database = Database(None)
    store = Store(database, Currency.USD)
    for number, (account, model, digest, end) in enumerate(made, 1):
        work = Order(
            model=model, prompt="fox", seed=1, width=624, height=624, tier="480P", ratio="",
            seconds=number, fps=30, sound=True, images=0, together=False, story=False,
            extend=True, watermark=False, inputs=(), cost=number,
        )  # fmt: skip
        task = Task(
            number=number, id=f"task {number}", request_id="r", account=account, model=model,
            digest=f"{model}|{digest}", work=work,
            code="E" if end == "fails" else None, message=None, created=1.0, ready=2.0, run=3.0,
        )  # fmt: skip
        store.create(task)
        if end == "cancelled":
            store.cancel(task.canceled(2.0))
        elif end != "waits":
            started = task.started(2.0)
            store.update([started] if end == "runs" else [started, started.finished(5.0)])
    assert store.bill() == Store(database, Currency.USD).bill()
    assert store.bill().tasks_created == len(made)
    database.close()


def test_the_latest_repetitions_are_named(tmp_path):
    """At most a hundred, the latest first, before and after a restart."""
    database = Database(tmp_path / "sandbox.sqlite")
    store = Store(database, Currency.USD)
    for number in range(1, 251):
        store.create(
            Task(
                number=number, id=f"task {number}", request_id="r", account="a", model="m",
                digest=str(number % 125), work=None, code="E", message=None, created=1.0,
                ready=2.0, run=None,
            )
        )  # fmt: skip
    bill = store.bill()
    assert (bill.equal_requests, len(bill.equal)) == (125, 100)
    assert bill.equal[0].tasks == ("task 125", "task 250")
    assert Store(database, Currency.USD).bill() == bill
    database.close()
