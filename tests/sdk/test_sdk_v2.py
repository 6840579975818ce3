"""The official SDK's v2 client against the sandbox, blocking and asynchronous."""

from __future__ import annotations

import pytest
import requests
from dashscope import AsyncClient, Client
from dashscope.v2.errors import AuthenticationError, BadRequestError, DashScopeError

from batchgen.sandbox import Sandbox

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def client(served):
    with Client(api_key="sk-sandbox", base_url=served.base_url) as client:
        yield client


def test_videos_are_generated(client, files):
    """From words, from a local first frame by its old name, and by the newer list of media."""
    scene = files["scene"]
    jobs = [
        client.videos.generate(model="wan2.6-t2v", prompt="A fox", size="1280*720", duration=2),
        client.videos.generate(model="wan2.6-i2v", prompt="It waves", image_url=scene),
        client.videos.generate(model="wan2.7-i2v", prompt="It waves", image_url=scene),
    ]
    for job in jobs:
        assert job.succeeded, job.output
        assert requests.get(job.video_url, timeout=60).content[4:8] == b"ftyp"
        assert job.finished_at


def test_images_are_generated_at_once_and_as_tasks(client, files):
    """A size with an `x`, a local picture to edit, and the older models' tasks."""
    at_once = client.images.generate(
        model="wan2.6-image", prompt="Paint it red", image_urls=[files["scene"]], n=1
    )
    assert len(at_once.image_urls) == 1
    task = client.images.generate(model="wan2.2-t2i-flash", prompt="A tea house", n=2)
    assert task.succeeded
    assert len(task.image_urls) == 2


def test_a_task_is_fetched_and_cancelled(client):
    """What waits can be taken back, once."""
    waiting = client.videos.jobs.create(model="wan2.2-t2v-plus", prompt="[later]").task_id
    client.videos.jobs.cancel(waiting)
    assert client.videos.jobs.fetch(waiting).status == "CANCELED"
    with pytest.raises(BadRequestError) as refused:
        client.videos.jobs.cancel(waiting)
    assert refused.value.code == "UnsupportedOperation"


def test_refusals_are_errors_of_their_kind(client, served):
    """A wrong key, an unknown model and a failed task, each with the service's code."""
    with Client(api_key="sk-wrong", base_url=served.base_url) as stranger:
        with pytest.raises(AuthenticationError) as refused:
            stranger.videos.jobs.create(model="wan2.6-t2v", prompt="A fox")
        assert refused.value.code == "InvalidApiKey"
    with pytest.raises(BadRequestError) as unknown:
        client.videos.jobs.create(model="wan9.9-t2v", prompt="A fox")
    assert unknown.value.code == "InvalidParameter"
    with pytest.raises(DashScopeError) as failed:
        client.videos.generate(model="wan2.6-t2v", prompt="A fox", size="1*1")
    assert failed.value.code == "InvalidParameter"


@pytest.mark.looptime(start=1000)
async def test_the_asynchronous_client_waits_for_its_video():
    """In virtual time, with the rendering taking as long as it does."""
    async with (
        Sandbox() as sandbox,
        AsyncClient(api_key="sk-sandbox", base_url=sandbox.base_url) as client,
    ):
        job = await client.videos.generate(model="wan2.6-t2v", prompt="A fox", duration=2)
        assert job.succeeded
        assert sandbox.bill().tasks_created == 1
