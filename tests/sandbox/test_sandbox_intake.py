"""What a POST waits for, and what it takes from the limits."""

from __future__ import annotations

import asyncio
import base64
import io
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from PIL import Image

from batchgen.sandbox import Faults, Limits, Point, Rule, Stuck

pytestmark = pytest.mark.looptime

AT_ONCE = "/services/aigc/multimodal-generation/generation"
DETECT = "/services/aigc/image2video/face-detect"


def picture(width=400):
    content = io.BytesIO()
    Image.new("RGB", (width, 400), (200, 80, 40)).save(content, "PNG")
    return content.getvalue()


def now():
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def pictures(seconds):
    """The address of a loopback server whose pictures take so long."""

    async def answer(_):
        await asyncio.sleep(seconds)
        return web.Response(body=picture())

    application = web.Application()
    application.router.add_get("/{name}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def test_stalled_media_hold_a_submit_for_five_seconds_together(serving):
    """Then it is answered, and the task fails at inspection as documented."""
    async with pictures(600) as url, serving(speed=60) as client:
        media = [{"type": "reference_image", "url": f"{url}{n}.png"} for n in range(4)]
        before = now()
        answer = await client.submit("wan2.7-r2v", given={"prompt": "x", "media": media})
        assert client.answer.status == 200
        assert 4 < now() - before < 6
        await asyncio.sleep(1)
        output = await client.output(answer["output"]["task_id"])
        assert (output["task_status"], output["code"]) == (
            "FAILED",
            "InvalidParameter.DataInspection",
        )
        assert "timed out" in output["message"]


async def test_media_are_fetched_at_the_same_time(serving):
    """Four that take three seconds each take three seconds."""
    async with pictures(3) as url, serving() as client:
        media = [{"type": "reference_image", "url": f"{url}{n}.png"} for n in range(4)]
        before = now()
        answer = await client.submit("wan2.7-r2v", given={"prompt": "x", "media": media})
        assert 3 <= now() - before < 4
        await asyncio.sleep(5)
        assert await client.status(answer["output"]["task_id"]) != "FAILED"


async def test_a_queue_is_not_overrun_while_media_are_fetched(serving):
    """Twenty submits at once find room for three, though all asked while it was empty."""
    rule = Rule(Point.SUBMIT, Limits(per_second=50, running=0, queue=3))
    async with pictures(2) as url, serving(faults=Faults(rule)) as client:

        async def submit():
            body = {"model": "wan2.6-i2v", "input": {"img_url": f"{url}x.png"}}
            headers = client.headers | {"X-DashScope-Async": "enable"}
            address = client.sandbox.base_url + "/services/aigc/video-generation/video-synthesis"
            async with client.session.post(address, json=body, headers=headers) as answer:
                return answer.status

        statuses = await asyncio.gather(*(submit() for _ in range(20)))
        assert sorted(statuses) == [200] * 3 + [429] * 17
        assert client.sandbox.bill().tasks_created == 3


async def test_a_refused_submit_takes_nothing_from_the_workspaces_limit(client):
    """What the model's own limit refuses is not counted by the other."""
    change = {"model": "wan2.6-t2v", "request_limit": 6, "request_limit_period": 60}
    await client.post("/models/limits", {"models": [change]})
    statuses = []
    for pause in (0, 0, 0, 0, 0, 0, 1.1, 1.1):
        await asyncio.sleep(pause)
        await client.submit("wan2.6-t2v", given={"prompt": "fox"})
        statuses.append(client.answer.status)
    assert statuses == [200] * 5 + [429, 200, 429]


def face(width, **parameters):
    url = "data:image/png;base64," + base64.b64encode(picture(width)).decode()
    return {"model": "wan2.2-s2v-detect", "input": {"image_url": url}, "parameters": parameters}


@pytest.mark.parametrize("seed", [-1, "x"])
async def test_a_look_at_a_face_with_parameters_that_are_none(client, seed):
    """400 InvalidParameter, and nothing to pay."""
    answer = await client.post(DETECT, face(500, seed=seed))
    assert (client.answer.status, answer["code"]) == (400, "InvalidParameter")
    assert "seed" in answer["message"]
    assert client.sandbox.bill().amount == 0


async def test_a_strict_sandbox_looks_at_a_bad_picture_too(serving):
    """That it does not pass is the answer, not a refusal."""
    async with serving(strict=True) as client:
        answer = await client.post(DETECT, face(90))
        assert client.answer.status == 200
        assert answer["output"]["check_pass"] is False


@pytest.mark.parametrize("headers", [{}, {"X-DashScope-SSE": "enable"}])
@pytest.mark.parametrize("pending", [True, False])
async def test_a_stuck_call_is_let_go_when_its_client_has_gone(serving, headers, pending):
    """It would be held for ever."""
    content = [{"role": "user", "content": [{"text": "fox"}]}]
    body = {"model": "wan2.6-t2i", "input": {"messages": content}, "parameters": {"n": 1}}
    async with serving(faults=Faults(Rule(Point.TASK, Stuck(pending=pending)))) as client:
        with pytest.raises(TimeoutError):
            await client.session.post(
                client.sandbox.base_url + AT_ONCE,
                json=body,
                headers=client.headers | headers,
                timeout=aiohttp.ClientTimeout(total=5),
            )
        assert client.sandbox._scheduler._waited_for
        await asyncio.sleep(20)
        assert not client.sandbox._scheduler._waited_for
