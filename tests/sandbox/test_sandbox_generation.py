"""POSTs that answer with their result: images, whole and streamed, and the look at a face."""

from __future__ import annotations

import asyncio
import base64
import io
import json

import aiohttp
import pytest
from PIL import Image

from batchgen.sandbox import Delay, Fail, Faults, Partial, Point, Rule, Stuck

pytestmark = pytest.mark.looptime

AT_ONCE = "/services/aigc/multimodal-generation/generation"
DETECT = "/services/aigc/image2video/face-detect"
TASKS = "/services/aigc/image-generation/generation"
SSE = {"X-DashScope-SSE": "enable"}


def asked(model="wan2.6-t2i", *images, prompt="a fox", **parameters):
    content = [{"text": prompt}, *({"image": image} for image in images)]
    messages = [{"role": "user", "content": content}]
    return {"model": model, "input": {"messages": messages}, "parameters": parameters}


def now():
    return asyncio.get_running_loop().time()


async def test_the_answer_takes_as_long_as_the_images_and_has_them(client):
    """The result of a task without a task: 15 to 30 seconds for wan2.6-t2i."""
    before = now()
    answer = await client.post(AT_ONCE, asked(n=2))
    assert 15 < now() - before < 31
    assert answer.keys() == {"output", "usage", "request_id"}
    assert answer["output"].keys() == {"finished", "choices"}
    assert client.answer.headers["x-request-id"] == answer["request_id"]
    urls = [choice["message"]["content"][0]["image"] for choice in answer["output"]["choices"]]
    assert len(urls) == answer["usage"]["image_count"] == 2
    with Image.open(io.BytesIO(await client.download(urls[1]))) as image:
        assert image.size == (1280, 1280)


async def test_no_task_can_be_asked_for(client):
    """It is on the bill, but in no list, and its id is unknown."""
    answer = await client.post(AT_ONCE, asked(n=1))
    url = answer["output"]["choices"][0]["message"]["content"][0]["image"]
    task_id = url.rpartition("/")[2][:36]
    assert (await client.output(task_id))["task_status"] == "UNKNOWN"
    assert (await client.get("/tasks"))["total"] == 0
    bill = client.sandbox.bill()
    assert (bill.tasks_created, bill.images, bill.amount) == (1, 1, 30_000)


async def test_a_client_that_hangs_up_pays_all_the_same(client):
    """What was asked for is made; the next one does not notice."""
    await client.get("/tasks")
    with pytest.raises(TimeoutError):
        await client.session.post(
            client.sandbox.base_url + AT_ONCE,
            json=asked(n=1),
            headers=client.headers,
            timeout=aiohttp.ClientTimeout(total=5),
        )
    await asyncio.sleep(60)
    assert client.sandbox.bill().succeeded == 1


async def test_it_takes_a_slot_and_waits_for_one(client):
    """Five at once of a model, whether tasks or not: the sixth takes its turn."""
    ids = [
        (await client.submit("wan2.6-t2i", TASKS, given=asked()["input"]))["output"]["task_id"]
        for _ in range(5)
    ]
    await asyncio.sleep(1)
    before = now()
    await client.post(AT_ONCE, asked(n=1))
    assert now() - before > 28
    assert "SUCCEEDED" in [await client.status(task_id) for task_id in ids]
    assert client.sandbox.bill().succeeded >= 2


async def test_the_submit_rate_counts_both_ways(client):
    """Tasks and answers at once are requests of one model."""
    for _ in range(5):
        await client.submit("wan2.6-t2i", TASKS, given=asked()["input"])
    answer = await client.post(AT_ONCE, asked())
    assert (client.answer.status, answer["code"]) == (429, "Throttling.RateQuota")


@pytest.mark.parametrize("path", [AT_ONCE, DETECT])
async def test_there_is_no_asynchronous_call(client, path):
    """The header of tasks is refused here."""
    answer = await client.post(path, asked(), **{"X-DashScope-Async": "enable"})
    assert (client.answer.status, answer["code"]) == (403, "AccessDenied")
    assert answer["message"] == "current user api does not support asynchronous calls"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (asked("wan2.6-t2v"), "url error, please check url!"),
        (asked("wan2.5-t2i-preview"), "url error, please check url!"),
        (asked(size="1*1"), "The size is not match the model: 1*1"),
        (asked("wan2.6-image"), "media needs 1 or more of image"),
    ],
)
async def test_flaws_are_refused_with_400(client, body, message):
    """There is no task that could fail."""
    answer = await client.post(AT_ONCE, body)
    assert (client.answer.status, answer["code"]) == (400, "InvalidParameter")
    assert answer["message"] == message
    assert answer.keys() == {"code", "message", "request_id"}
    assert client.sandbox.bill().amount == 0


@pytest.mark.parametrize(
    ("fate", "status"),
    [
        (Fail(), 400),
        (Fail("InternalError", "An internal error has occured.", rendering=5.0), 500),
        (Partial(places=(1, 2)), 400),
    ],
)
async def test_a_fate_is_answered_with_its_status(serving, fate, status):
    """As the code is documented."""
    async with serving(faults=Faults(Rule(Point.TASK, fate))) as client:
        answer = await client.post(AT_ONCE, asked(n=2))
        assert (client.answer.status, answer["code"]) == (status, fate.code)


async def test_images_that_fail_are_left_out_and_free(serving):
    """The others come."""
    async with serving(faults=Faults(Rule(Point.TASK, Partial(places=(2,))))) as client:
        answer = await client.post(AT_ONCE, asked(n=3))
        assert len(answer["output"]["choices"]) == answer["usage"]["image_count"] == 2
        assert client.sandbox.bill().amount == 60_000


async def read_events(response):
    """Number, seconds since the start, and data of each event."""
    start, events, frame = now(), [], []
    async for line in response.content:
        if line.strip():
            frame.append(line.decode().rstrip("\n"))
            continue
        number, kind, comment, data = frame
        assert (kind, comment) == ("event:result", ":HTTP_STATUS/200")
        events.append((number, now() - start, json.loads(data.removeprefix("data:"))))
        frame = []
    return events


async def test_text_and_images_are_streamed_as_they_are_made(client):
    """Framed as all streams of the service; the last event ends it, and holds the usage."""
    await client.get("/tasks")
    body = asked("wan2.6-image", enable_interleave=True, max_images=3, stream=True)
    url = client.sandbox.base_url + AT_ONCE
    async with client.session.post(url, json=body, headers=client.headers | SSE) as response:
        assert response.content_type == "text/event-stream"
        assert response.headers["x-request-id"]
        events = await read_events(response)
    assert [number for number, *_ in events] == [f"id:{n}" for n in range(1, len(events) + 1)]
    moments = [moment for _, moment, _ in events]
    assert moments == sorted(set(moments))
    last = events[-1][2]
    assert last["output"]["finished"] is True
    parts = [
        part
        for _, _, data in events
        for choice in data["output"]["choices"]
        for part in choice["message"]["content"]
    ]
    images = [part["image"] for part in parts if part["type"] == "image"]
    assert len(images) == last["usage"]["image_count"]
    assert any(part["type"] == "text" for part in parts)
    assert (await client.download(images[0])).startswith(b"\x89PNG")


async def test_a_streamed_image_can_be_fetched_while_the_others_are_made(client):
    """Its URL is told before the end, and is good."""
    await client.get("/tasks")
    body = asked("wan2.6-image", enable_interleave=True, max_images=5, stream=True)
    url = client.sandbox.base_url + AT_ONCE
    async with client.session.post(url, json=body, headers=client.headers | SSE) as response:
        async for line in response.content:
            if b'"image"' in line:
                data = json.loads(line.removeprefix(b"data:"))
                break
        assert client.sandbox.bill().succeeded == 0
        (part,) = data["output"]["choices"][0]["message"]["content"]
        assert (await client.download(part["image"])).startswith(b"\x89PNG")


async def test_a_rule_about_another_model_stops_no_stream(serving):
    """The first image comes before the last is made, as if there were no rule."""
    faults = Faults(Rule(Point.GENERATED, Delay(1), model="wan2.6-t2i"))
    async with serving(faults=faults) as client:
        body = asked("wan2.6-image", enable_interleave=True, max_images=5, stream=True)
        url = client.sandbox.base_url + AT_ONCE
        async with client.session.post(url, json=body, headers=client.headers | SSE) as response:
            await response.content.readline()
            assert client.sandbox.bill().succeeded == 0


async def test_interleaving_needs_a_stream(client):
    """Over this path there is no other way to it, and the header is what asks for one."""
    body = asked("wan2.6-image", enable_interleave=True, stream=True)
    answer = await client.post(AT_ONCE, body)
    assert (client.answer.status, answer["code"]) == (400, "InvalidParameter")
    assert client.sandbox.bill().tasks_created == 0


async def test_a_stream_that_would_fail_never_begins(serving):
    """It is refused in plain JSON."""
    async with serving(faults=Faults(Rule(Point.TASK, Fail()))) as client:
        body = asked("wan2.6-image", enable_interleave=True, stream=True)
        answer = await client.post(AT_ONCE, body, **SSE)
        assert (client.answer.status, answer["code"]) == (400, "DataInspectionFailed")


async def test_a_sandbox_closes_while_a_client_waits(serving):
    """One that would wait for ever is cut off."""
    faults = Faults(Rule(Point.TASK, Stuck()))
    async with serving(faults=faults) as client:
        waiting = asyncio.create_task(client.post(AT_ONCE, asked()))
        await asyncio.sleep(100)
        assert not waiting.done()
    with pytest.raises(aiohttp.ClientError):
        await waiting


def portrait(width):
    content = io.BytesIO()
    Image.new("RGB", (width, 500), (200, 80, 40)).save(content, "PNG")
    return content


@pytest.mark.parametrize(("width", "passed"), [(500, True), (90, False)])
async def test_a_face_is_looked_at_and_billed(client, width, passed):
    """At once, and whatever comes of it."""
    url = "data:image/png;base64," + base64.b64encode(portrait(width).getvalue()).decode()
    before = now()
    answer = await client.post(
        DETECT, {"model": "wan2.2-s2v-detect", "input": {"image_url": url}, "parameters": {}}
    )
    assert client.answer.status == 200
    assert now() - before < 3
    assert answer["output"]["check_pass"] is passed
    assert ("code" in answer["output"]) is not passed
    assert answer["usage"] == {"image_count": 1}
    bill = client.sandbox.bill()
    assert (bill.succeeded, bill.images, bill.amount) == (1, 1, 545)
