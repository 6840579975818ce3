"""A request's identity: what makes two paid requests the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.catalog import Answer, Measured, Media, Request, load

MODEL = load().models["wan2.6-i2v"]
VALUES = {"model": MODEL.name, "img_url": "a.png", "prompt": "It rains.", "resolution": "720P"}
MEDIA = {("img_url",): Media("a.png", "00ff")}


@given(st.permutations(sorted(VALUES.items())))
def test_identity_does_not_depend_on_the_order_of_keys(items):
    """Moving keys about in a manifest buys nothing twice."""
    assert MODEL.request(dict(items), MEDIA).identity() == MODEL.request(VALUES, MEDIA).identity()


def test_a_default_written_out_is_the_same_request():
    """Saying what would be assumed anyway changes nothing."""
    spelled_out = {**VALUES, "duration": 5, "prompt_extend": True, "negative_prompt": None}
    assert MODEL.request(spelled_out, MEDIA) == MODEL.request(VALUES, MEDIA)


def test_equal_parameters_of_many_requests_are_kept_once():
    """A hundred thousand jobs that differ in their prompts share the rest; 1 is not true."""
    rain, sun = (MODEL.request({**VALUES, "prompt": p}, MEDIA) for p in ("Rain.", "Sun."))
    assert rain.parameters is sun.parameters
    assert rain.extra_input is sun.extra_input
    extended = MODEL.request({**VALUES, "prompt_extend": True, "seed": 1}, MEDIA)
    other = MODEL.request({**VALUES, "prompt_extend": True, "seed": True}, MEDIA)
    assert extended.parameters["seed"] is not other.parameters["seed"]


def test_a_local_file_counts_by_its_content_and_a_url_by_its_address():
    """A renamed picture is the same request; another picture is another one."""

    def identity(media):
        return MODEL.request(VALUES, {("img_url",): media}).identity()

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


def test_measures_are_no_part_of_what_is_asked_for():
    """A file that is measured anew is the same input; its bytes decide."""
    measured = {("img_url",): Media("a.png", "00ff", "image/png", measured=Measured(7, 1, 1))}
    request = MODEL.request(VALUES, measured)
    assert request.identity() == MODEL.request(VALUES, MEDIA).identity()
    again = Request.from_document(json.loads(json.dumps(request.document())))
    assert again == request
    assert again.media["img_url"][0].measured == Measured(7, 1, 1)


def test_a_list_of_media_survives_its_document_with_roles_and_voices():
    """Roles and voices are part of what is asked for."""
    model = load().models["wan2.7-r2v"]
    item = {"type": "reference_image", "url": "a.png", "reference_voice": "a.wav"}

    def requested(*media):
        values = {"prompt": "x", "media": list(media)}
        found = {slot.path: Media(slot.source, slot.source) for slot in model.slots(values)}
        return model.request(values, found)

    request = requested(item, {"type": "first_frame", "url": "b.png"})
    assert Request.from_document(json.loads(json.dumps(request.document()))) == request
    silent = {"type": "reference_image", "url": "a.png"}
    others = [
        requested(silent),
        requested(item),
        requested({**item, "reference_voice": "b.wav"}),
        requested({**silent, "type": "reference_video"}),
        requested(silent, item),
        requested(item, silent),
    ]
    assert len({other.identity() for other in others}) == len(others)


def test_the_wanted_answer_and_the_inspection_belong_to_the_request():
    """They change its document only where they are not the common ones."""
    images = load().models["wan2.6-t2i"]
    plain, at_once = (
        images.request({"prompt": "x", "answer": word}, {}) for word in ("task", "sync")
    )
    assert "answer" not in plain.document()
    assert plain == images.request({"prompt": "x"}, {})
    assert at_once.document()["answer"] == "sync"
    assert Request.from_document(at_once.document()).answer is Answer.SYNC
    assert at_once.identity() != plain.identity()
    assert "answer" not in at_once.parameters

    person = load().models["wan2.2-s2v"]
    found = {("image_url",): Media("a.png"), ("audio_url",): Media("a.wav")}
    values = {"image_url": "a.png", "audio_url": "a.wav", "detect": True}
    request = person.request(values, found)
    assert request.detect
    assert Request.from_document(request.document()) == request
    assert "detect" not in request.parameters


def test_an_older_document_is_read():
    """What was written before lists, answers and cuts existed is the same request."""
    document = {
        "model": "wan2.6-i2v",
        "inputs": {"prompt": "It rains."},
        "media": {"img_url": [{"source": "a.png", "sha256": "00ff", "media_type": None}]},
        "parameters": {"resolution": "720P", "duration": 5, "prompt_extend": True},
        "extra_input": {},
        "extra_parameters": {},
    }
    request = Request.from_document(document)
    assert request == MODEL.request(VALUES, MEDIA)
    assert request.document() == document
    assert request.identity() == (
        "f4ad5c2d2bf628157718cdfc5984f00671be6ff2d41d423c184af7789fe74a12"
    )


def test_a_request_knows_how_many_files_it_may_bring():
    """A sequence has up to n, a text with pictures up to max_images."""
    edit, story = load().models["wan2.7-image"], load().models["wan2.6-image"]
    assert edit.request({"prompt": "x", "enable_sequential": True, "n": 7}, {}).results == 7
    values = {"prompt": "x", "enable_interleave": True, "max_images": 3}
    assert story.request(values, {}).results == 3
