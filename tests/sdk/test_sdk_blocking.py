"""The official SDK's blocking 1.x classes against the sandbox: every family made, waited for,
fetched; local files uploaded by the SDK; tasks listed and cancelled; refusals with their codes.
"""

from __future__ import annotations

import io
from http import HTTPStatus

import av
import pytest
import requests
from dashscope.aigc.image_generation import ImageGeneration
from PIL import Image

from tests.sdk.families import GENERATIONS, IMAGES, VIDEOS, Family

pytestmark = pytest.mark.filterwarnings(
    # The SDK opens a session for each query and leaves closing it to the garbage collector.
    "ignore:unclosed:ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


def urls_of(family: Family, output) -> list[str]:
    """The results, where each family has them."""
    if family.kind == "ImageSynthesis":
        return [result["url"] for result in output["results"]]
    if family.kind == "ImageGeneration":
        parts = [part for choice in output["choices"] for part in choice["message"]["content"]]
        return [part["image"] for part in parts]
    return [output.get("video_url") or output["results"]["video_url"]]


def is_whole(content: bytes, suffix: str) -> bool:
    """Whether a player opens the file."""
    if suffix == ".png":
        with Image.open(io.BytesIO(content)) as image:
            return image.load() is not None
    with av.open(io.BytesIO(content)) as container:
        return sum(1 for _ in container.decode(video=0)) > 0


@pytest.mark.parametrize("family", [*VIDEOS, *IMAGES], ids=str)
def test_every_family_is_made_and_waited_for(family, sdk, files):
    """`call` submits, polls until the end, and the result is a file that plays."""
    response = getattr(sdk, family.kind).call(**family.arguments(files))
    assert response.status_code == HTTPStatus.OK, response
    assert response.output["task_status"] == "SUCCEEDED", response.output
    urls = urls_of(family, response.output)
    assert len(urls) == family.results
    assert response.usage
    assert is_whole(requests.get(urls[0], timeout=60).content, family.suffix)


@pytest.mark.parametrize("family", GENERATIONS, ids=str)
def test_image_generation_answers_at_once_or_as_a_task(family, sdk, files):
    """One request both ways: the POST returns the images, or a task that does."""
    at_once = ImageGeneration.call(**family.arguments(files))
    assert at_once.status_code == HTTPStatus.OK, at_once
    assert "task_id" not in at_once.output
    started = ImageGeneration.async_call(**family.arguments(files))
    ended = ImageGeneration.wait(started)
    assert ended.output["task_status"] == "SUCCEEDED", ended.output
    for response in (at_once, ended):
        urls = urls_of(family, response.output)
        assert len(urls) == family.results
        assert is_whole(requests.get(urls[0], timeout=60).content, ".png")
        assert response.usage["image_count"] == family.results


def test_interleaved_text_and_images_come_as_a_stream(sdk, files):
    """Server-sent events, each an answer of its own, text and images among them."""
    messages = [{"role": "user", "content": [{"text": "Three steps to a paper boat"}]}]
    responses = list(
        ImageGeneration.call(
            model="wan2.6-image",
            messages=messages,
            stream=True,
            enable_interleave=True,
            max_images=3,
        )
    )
    assert {response.status_code for response in responses} == {HTTPStatus.OK}
    contents = [
        part
        for response in responses
        for choice in response.output["choices"]
        for part in choice["message"]["content"]
    ]
    assert len(responses) > 1
    assert any("text" in part for part in contents)
    pictures = {part["image"] for part in contents if "image" in part}
    assert len(pictures) in {2, 3}  # at most as many as asked for: the model decides
    assert is_whole(requests.get(pictures.pop(), timeout=60).content, ".png")


def test_a_task_is_listed_fetched_and_cancelled(sdk):
    """The list names it with its model, and a task that waits can be taken back."""
    videos = sdk.VideoSynthesis
    waiting = videos.async_call(model="wan2.2-t2v-plus", prompt="[later]").output.task_id
    listed = videos.list(model_name="wan2.2-t2v-plus", page_size=50)
    assert listed.status_code == HTTPStatus.OK
    assert waiting in {task["task_id"] for task in listed.output["data"]}
    assert videos.fetch(waiting).output["task_status"] == "PENDING"
    assert videos.cancel(waiting).status_code == HTTPStatus.OK
    assert videos.fetch(waiting).output["task_status"] == "CANCELED"
    refused = videos.cancel(waiting)
    assert refused.status_code == HTTPStatus.BAD_REQUEST
    assert refused.code == "UnsupportedOperation"


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        ({"model": "wan9.9-t2v"}, 400, "InvalidParameter"),
        ({"model": "wan2.2-s2v"}, 400, "InvalidParameter"),  # the SDK posts it to the wrong path
        ({"model": "wan2.6-t2v", "api_key": "sk-wrong"}, 401, "InvalidApiKey"),
        ({"model": "wan2.6-t2v", "prompt": ""}, 400, "InvalidParameter"),
    ],
    ids=["unknown model", "wrong path", "wrong key", "no prompt"],
)
def test_a_refusal_surfaces_with_its_code(call, status, code, sdk):
    """What the service refuses, the SDK's response says."""
    response = sdk.VideoSynthesis.async_call(**{"prompt": "A fox", **call})
    assert (response.status_code, response.code) == (status, code)
    assert response.message


def test_a_task_that_fails_says_why(sdk):
    """What is wrong with a size comes as a failed task, with code and message."""
    response = sdk.VideoSynthesis.call(model="wan2.6-t2v", prompt="A fox", size="1*1")
    assert response.output["task_status"] == "FAILED"
    assert response.output["code"] == "InvalidParameter"
    assert "size" in response.output["message"]


def test_an_unknown_task_is_unknown(sdk):
    """A task of nobody answers 200 with UNKNOWN, which the SDK takes for the end."""
    response = sdk.VideoSynthesis.wait("00000000-0000-0000-0000-000000000000")
    assert response.output["task_status"] == "UNKNOWN"
