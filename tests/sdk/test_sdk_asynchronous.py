"""The official SDK's asynchronous 1.x classes against the sandbox, in virtual time: the waits of
the SDK and the rendering of the sandbox take as long as they do, and no time at all.
"""

from __future__ import annotations

import asyncio
import gc
from http import HTTPStatus

import dashscope
import pytest
from dashscope.aigc.image_generation import AioImageGeneration
from dashscope.aigc.image_synthesis import AioImageSynthesis
from dashscope.aigc.video_synthesis import AioVideoSynthesis

from batchgen.sandbox import Sandbox
from tests.sdk.families import GENERATIONS, IMAGES, VIDEOS, uploaded

pytestmark = [
    pytest.mark.looptime(start=1000),
    pytest.mark.filterwarnings(
        "ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
]


@pytest.fixture(autouse=True)
async def sandbox(monkeypatch):
    """The SDK, pointed at a sandbox on the same loop."""
    async with Sandbox() as sandbox:
        monkeypatch.setattr(dashscope, "api_key", "sk-sandbox")
        monkeypatch.setattr(dashscope, "base_http_api_url", sandbox.base_url)
        yield sandbox
    # The SDK never closes its sessions: let them complain here, where it is known.
    gc.collect()


async def test_every_family_is_made_and_waited_for(files):
    """Each through its own class, ten in flight together: more would poll faster than is allowed,
    and the SDK gives up a task whose query was refused.
    """
    classes = {"VideoSynthesis": AioVideoSynthesis, "ImageSynthesis": AioImageSynthesis}
    slots = asyncio.Semaphore(10)

    async def made(family, stored):
        async with slots:
            return await classes[family.kind].call(**family.arguments(stored))

    families = [*VIDEOS, *IMAGES]
    # Uploads block, also in these classes: they would wait for the loop that they stop.
    stored = [await asyncio.to_thread(uploaded, family.model, files) for family in families]
    ended = await asyncio.gather(*map(made, families, stored))
    failed = [
        (family.model, answer.code, answer.message, answer.output)
        for family, answer in zip(families, ended, strict=True)
        if answer.status_code != HTTPStatus.OK or answer.output["task_status"] != "SUCCEEDED"
    ]
    assert not failed


async def test_image_generation_answers_at_once_or_as_a_task(files):
    """The POST takes as long as the image and returns it; the task is polled."""
    generation = AioImageGeneration
    for family in GENERATIONS:
        arguments = family.arguments(await asyncio.to_thread(uploaded, family.model, files))
        before = asyncio.get_running_loop().time()
        at_once = await generation.call(**arguments)
        assert at_once.status_code == HTTPStatus.OK, at_once
        assert asyncio.get_running_loop().time() - before > 5  # seconds, as the pages measured
        ended = await generation.wait(await generation.async_call(**arguments))
        assert ended.output["task_status"] == "SUCCEEDED", ended.output


async def test_tasks_are_listed_by_page_and_cancelled():
    """Pages of the list hold every task once; one that waits for a slot can be taken back."""
    videos = AioVideoSynthesis
    started = []
    for number in range(6):
        answer = await videos.async_call(model="wan2.6-t2v", prompt=f"Take {number}")
        started.append(answer.output["task_id"])
        await asyncio.sleep(0.3)  # five submits a second are allowed
    pages = [await videos.list(page_no=page, page_size=4) for page in (1, 2)]
    listed = [task["task_id"] for page in pages for task in page.output["data"]]
    assert sorted(listed) == sorted(started)
    waiting = started[-1]  # five run at once
    assert (await videos.cancel(waiting)).status_code == HTTPStatus.OK
    assert (await videos.fetch(waiting)).output["task_status"] == "CANCELED"


async def test_throttling_surfaces_with_its_code():
    """The sixth submit within a second is refused as the service words it."""
    videos = AioVideoSynthesis
    answers = await asyncio.gather(
        *(videos.async_call(model="wan2.6-t2v", prompt=f"Take {number}") for number in range(6))
    )
    refused = [answer for answer in answers if answer.status_code != HTTPStatus.OK]
    assert [(answer.status_code, answer.code) for answer in refused] == [
        (HTTPStatus.TOO_MANY_REQUESTS, "Throttling.RateQuota")
    ]
