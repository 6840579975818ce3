"""How much room the results of a request may need."""

from __future__ import annotations

import pytest

from batchgen.catalog import Media, load

MODELS = load().models
MB = 1_000_000


def room(name, **values):
    """The most that a job of these values takes, in MB, to one place."""
    model = MODELS[name]
    found = {slot.path: Media(slot.source) for slot in model.slots(values)}
    return round(model.bytes(model.request({"prompt": "A fox.", **values}, found)) / MB, 1)


@pytest.mark.parametrize(
    ("name", "values", "most"),
    [
        ("wan2.7-t2v", {"resolution": "1080P", "duration": 15}, 76.0),
        ("wan2.7-t2v", {"resolution": "720P", "duration": 15}, 34.4),
        ("wan2.7-t2v", {"resolution": "720P", "duration": 5}, 12.2),
        ("wan2.2-t2v-plus", {"size": "832*480"}, 5.9),
        ("wan2.6-t2i", {"size": "1280*1280", "n": 3}, 17.9),
        ("wan2.7-image-pro", {"size": "4K"}, 51.4),
        ("wan2.7-image", {"size": "1K", "n": 2}, 8.4),
        ("wanx2.1-imageedit", {"function": "colorization", "base_image_url": "https://x/a"}, 51.4),
    ],
)
def test_what_a_job_may_need(name, values, most):
    """Length, pixels and number of the results are what counts."""
    assert room(name, **values) == most


def test_a_video_whose_length_a_file_tells_counts_as_its_longest():
    """What is not measured is as long as the model allows, at the largest size there is."""
    values = {"image_url": "https://x/a.png", "video_url": "https://x/a.mp4", "mode": "wan-std"}
    assert room("wan2.2-animate-move", **values) >= 30 * 5


def test_every_model_can_tell():
    """Whatever a model makes, the example of its own fits into a positive bound."""
    for model in MODELS.values():
        found = {slot.path: Media(slot.source) for slot in model.slots(model.example)}
        request = model.request(model.example, found)
        assert MB < model.bytes(request) < 600 * MB, model
