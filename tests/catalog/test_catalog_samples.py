"""The bodies that go over the wire, held against the documented shapes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchgen.catalog import Answer, Media, Severity, load

SAMPLES = sorted((Path(__file__).parents[1] / "samples" / "requests").glob("*.json"))
MODELS = load().models


def request_of(model, values):
    """The request of a job whose media are all public addresses."""
    return model.request(values, {slot.path: Media(slot.source) for slot in model.slots(values)})


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_job_becomes_the_documented_request(path):
    """A job's path, headers and JSON body are exactly those of the API reference."""
    sample = json.loads(path.read_text(encoding="utf-8"))
    model = MODELS[path.stem]
    found = model.check(sample["job"], region=model.regions[0])
    assert [complaint for complaint in found if complaint.severity is Severity.ERROR] == []

    request = request_of(model, sample["job"])
    assert model.body(request, lambda medium: medium.source) == sample["body"]
    route = model.route(request.answer)
    assert (route.path, dict(route.headers)) == (sample["path"], sample["headers"])


def test_every_model_has_a_sample():
    """No model, no snapshot and no regional name is left without a recorded body."""
    assert {path.stem for path in SAMPLES} == set(MODELS)


@pytest.mark.parametrize("name", ["wan2.6-image", "wan2.6-t2i", "wan2.7-image", "wan2.7-image-pro"])
def test_a_model_that_answers_at_once_has_another_route_for_it(name):
    """Without a task there is no asynchronous header, and the path is the synchronous one."""
    model = MODELS[name]
    values = {**model.example, "answer": "sync"}
    assert model.check(values, region=None) == []
    request = request_of(model, values)
    route = model.route(request.answer)
    assert (request.answer, route.path) == (
        Answer.SYNC,
        "services/aigc/multimodal-generation/generation",
    )
    assert route.headers == {}
    task = request_of(model, model.example)
    assert model.body(request, str) == model.body(task, str)


def test_words_with_pictures_between_them_are_a_task_unless_a_stream_is_asked_for():
    """The interleaved mode asks for a task on the asynchronous path, without `stream`."""
    model = MODELS["wan2.6-image"]
    values = {"prompt": "A recipe.", "enable_interleave": True, "max_images": 2}
    body = model.body(request_of(model, values), str)
    assert "stream" not in body["parameters"]
    assert model.route(Answer.TASK).path == "services/aigc/image-generation/generation"
    assert model.route(Answer.TASK).headers == {"X-DashScope-Async": "enable"}


def test_a_local_file_stands_on_the_wire_as_its_address():
    """What the caller has uploaded or inlined takes the place of the path, voices included."""
    model = MODELS["wan2.7-r2v"]
    values = {
        "prompt": "Image 1 speaks.",
        "media": [{"type": "reference_image", "url": "a.png", "reference_voice": "a.wav"}],
    }
    body = model.body(request_of(model, values), lambda medium: f"oss://x/{medium.source}")
    assert body["input"]["media"] == [
        {"type": "reference_image", "url": "oss://x/a.png", "reference_voice": "oss://x/a.wav"}
    ]


def test_the_inspection_of_a_picture_is_a_request_of_its_own():
    """It is made where the job asks for it, with its own model, path and no asynchronous header."""
    model = MODELS["wan2.2-s2v"]
    assert model.inspection(request_of(model, model.example)) is None
    inspection = model.inspection(request_of(model, {**model.example, "detect": True}))
    assert inspection.body("https://example.com/a.png") == {
        "model": "wan2.2-s2v-detect",
        "input": {"image_url": "https://example.com/a.png"},
        "parameters": {},
    }
    assert (inspection.route.path, inspection.route.headers) == (
        "services/aigc/image2video/face-detect",
        {},
    )
