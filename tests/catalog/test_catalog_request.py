"""A request's identity: what makes two paid requests the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.catalog import Media, Request, load

MODEL = load().models["wan2.6-i2v"]
VALUES = {"model": MODEL.name, "img_url": "a.png", "prompt": "It rains.", "resolution": "720P"}
MEDIA = {"img_url": (Media("a.png", "00ff"),)}


@given(st.permutations(sorted(VALUES.items())))
def test_identity_does_not_depend_on_the_order_of_keys(items):
    """Moving keys about in a manifest buys nothing twice."""
    assert MODEL.request(dict(items), MEDIA).identity() == MODEL.request(VALUES, MEDIA).identity()


def test_a_default_written_out_is_the_same_request():
    """Saying what would be assumed anyway changes nothing."""
    spelled_out = {**VALUES, "duration": 5, "prompt_extend": True, "negative_prompt": None}
    assert MODEL.request(spelled_out, MEDIA) == MODEL.request(VALUES, MEDIA)


def test_a_local_file_counts_by_its_content_and_a_url_by_its_address():
    """A renamed picture is the same request; another picture is another one."""

    def identity(media):
        return MODEL.request(VALUES, {"img_url": (media,)}).identity()

    assert identity(Media("a.png", "00ff")) == identity(Media("b.png", "00ff"))
    assert identity(Media("a.png", "00ff")) != identity(Media("a.png", "00fe"))
    assert identity(Media("https://x/1")) != identity(Media("https://x/2"))


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "It pours."},
        {"resolution": "1080P"},
        {"duration": 6},
        {"seed": 1},
        {"watermark": True},
        {"extra_parameters": {"new": 1}},
        {"extra_input": {"new": 1}},
    ],
)
def test_every_word_and_number_belongs_to_the_identity(change):
    """Whatever changes the picture changes the identity."""
    changed = MODEL.request({**VALUES, **change}, MEDIA)
    assert changed.identity() != MODEL.request(VALUES, MEDIA).identity()


def test_a_request_survives_its_document():
    """What is written down as JSON is read back whole."""
    request = MODEL.request({**VALUES, "extra_input": {"a": [1, None]}}, MEDIA)
    again = Request.from_document(json.loads(json.dumps(request.document())))
    assert again == request
    assert again.identity() == request.identity()


def test_a_request_knows_its_prompt_and_the_number_of_its_results():
    """One video, as many images as ``n`` says, and no prompt where none was given."""
    images = load().models["wan2.6-t2i"]
    request = images.request({"prompt": "Tea.", "n": 3}, {})
    assert (request.prompt, request.results) == ("Tea.", 3)
    silent = MODEL.request({"img_url": "a.png"}, MEDIA)
    assert (silent.prompt, silent.results) == (None, 1)
