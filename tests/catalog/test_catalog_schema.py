"""The JSON Schema of a job, held against the checks by a small validator of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from batchgen.catalog import Severity, load

CATALOG = load()
MODELS = CATALOG.models
SCHEMA = CATALOG.job_schema()
OTHERS = yaml.safe_load((Path(__file__).parent / "sound_jobs.yaml").read_text())
U = "https://example.com/x"

TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: type(value) is int,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}

RULES = {
    "type": lambda want, value, _: any(
        TYPES[name](value) for name in ([want] if isinstance(want, str) else want)
    ),
    "enum": lambda want, value, _: any(type(value) is type(one) and value == one for one in want),
    "minimum": lambda want, value, _: not TYPES["number"](value) or value >= want,
    "maximum": lambda want, value, _: not TYPES["number"](value) or value <= want,
    "minLength": lambda want, value, _: not isinstance(value, str) or len(value) >= want,
    "pattern": lambda want, value, _: not isinstance(value, str) or bool(re.search(want, value)),
    "minItems": lambda want, value, _: not isinstance(value, list) or len(value) >= want,
    "maxItems": lambda want, value, _: not isinstance(value, list) or len(value) <= want,
    "items": lambda want, value, _: (
        not isinstance(value, list) or all(valid(want, item) for item in value)
    ),
    "contains": lambda want, value, _: (
        not isinstance(value, list) or any(valid(want, item) for item in value)
    ),
    "required": lambda want, value, _: (
        not isinstance(value, dict) or all(name in value for name in want)
    ),
    "properties": lambda want, value, _: (
        not isinstance(value, dict)
        or all(valid(want[name], item) for name, item in value.items() if name in want)
    ),
    "propertyNames": lambda want, value, _: (
        not isinstance(value, dict) or all(valid(want, name) for name in value)
    ),
    "additionalProperties": lambda want, value, schema: (
        not isinstance(value, dict) or want or value.keys() <= schema["properties"].keys()
    ),
    "anyOf": lambda want, value, _: any(valid(one, value) for one in want),
    "allOf": lambda want, value, _: all(valid(one, value) for one in want),
    "not": lambda want, value, _: not valid(want, value),
    "if": lambda want, value, schema: not valid(want, value) or valid(schema["then"], value),
    "then": lambda *_: True,
    "description": lambda *_: True,
}
"""Every keyword that the schema uses (draft 2020-12); another one is a KeyError."""


def valid(schema, value):
    return all(RULES[word](want, value, schema) for word, want in schema.items())


def jobs():
    for model in MODELS.values():
        for number, job in enumerate(
            [model.example, *(job for word in OTHERS if word in model.name for job in OTHERS[word])]
        ):
            yield pytest.param(model, {**job, "model": model.name}, id=f"{model.name}-{number}")


@pytest.mark.parametrize(("model", "job"), [*jobs()])
def test_what_the_check_takes_the_schema_takes(model, job):
    """An editor underlines nothing in a sound job, with or without an id."""
    assert not model.check(job, region=None)
    assert valid(SCHEMA, job)
    assert valid(SCHEMA, {**job, "id": "fox", "long_prompt": "cut", "extra_input": {"a": 1}})


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("wan2.6-t2v", {"duration": 16}),
        ("wan2.6-t2v", {"duration": "5"}),
        ("wan2.6-t2v", {"size": "832*480"}),
        ("wan2.6-t2v", {"shot_type": "multi", "prompt_extend": False}),
        ("wan2.6-t2v", {"img_url": "a.png"}),
        ("wan2.6-t2v", {"prompt": ["x"]}),
        ("wan2.6-t2v", {"seed": -1}),
        ("wan2.7-videoedit", {"duration": 1}),
        ("wan2.7-r2v", {"duration": 11}),
        ("wan2.7-r2v", {"media": [{"type": "reference_imge", "url": "x"}]}),
        ("wan2.7-r2v", {"media": [{"type": "reference_image"}]}),
        ("wan2.7-image", {"images": ["x"] * 10}),
        ("wan2.7-image-pro", {"size": "4K"}),
        ("wan2.7-image", {"thinking_mode": True}),
        ("wan2.7-image", {"bbox_list": [[[1, 2, 3]]]}),
        ("wan2.7-image", {"color_palette": [{"hex": "red", "ratio": "100.00%"}] * 3}),
        ("wan2.6-image", {"enable_interleave": True, "max_images": 1, "n": 2}),
        ("wan2.6-image", {"answer": "stream"}),
        ("wan2.6-t2i", {"answer": "stream"}),
        ("wan2.2-animate-mix", {"mode": "std"}),
        ("wanx2.1-imageedit", {"upscale_factor": 2}),
        ("wanx2.1-vace-plus", {"function": "video_edit", "obj_or_bg": ["obj", "bg"]}),
        ("wan2.6-t2v", {"long_prompt": "yes"}),
        ("wan2.6-t2v", {"model": "wan2.6-t2w"}),
    ],
)
def test_what_the_schema_refuses_the_check_refuses(name, changes):
    """An editor underlines a mistake, and it is one."""
    job = {**MODELS[name].example, "model": name, **changes}
    assert not valid(SCHEMA, job)
    if job["model"] == name:
        found = MODELS[name].check(job, region=None)
        assert any(complaint.severity is Severity.ERROR for complaint in found)


def test_a_default_is_taken_back_by_null():
    """A null is sound wherever a key is."""
    assert valid(SCHEMA, {"model": "wan2.6-t2v", "prompt": "x", "size": None, "seed": None})


def test_a_job_without_a_model_may_say_what_some_model_takes():
    """Its model stands in the defaults, which the schema of a job does not see."""
    assert valid(SCHEMA, {"prompt": "x", "duration": 5, "images": ["a.png"]})
    assert not valid(SCHEMA, {"duration": "long"})


def test_the_schema_is_plain_json_of_a_moderate_size():
    """An editor loads it in no time, and all that it says can be written down."""
    text = json.dumps(SCHEMA, allow_nan=False)
    assert json.loads(text) == SCHEMA
    assert len(text) < 120_000


@pytest.mark.parametrize("model", MODELS.values(), ids=repr)
def test_every_key_says_in_a_few_words_what_it_takes(model):
    """A listing has a line for each key, with its bounds."""
    for key, takes in model.keys.items():
        words = takes.describe()
        assert words
        assert "None" not in words, key


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        ("wan2.5-t2v-preview", "duration", "5, 10"),
        ("wan2.6-t2v", "duration", "2 to 15"),
        ("wan2.7-videoedit", "duration", "2 to 10, or 0 (as long as the source)"),
        ("wan3.0-video", "duration", "2 to 30, or -1 (as long as the model decides)"),
        ("wan2.1-t2v-plus", "size", "1280*720, 720*1280, 960*960, 1088*832, 832*1088"),
        ("wan2.7-image", "size", "1K, 2K, WIDTH*HEIGHT with 589,824 to 4,194,304 pixels in all"),
        ("wan2.6-t2v", "prompt", "text of at most 1,500 characters"),
        ("wan2.6-t2v", "watermark", "true or false"),
        (
            "wan2.6-i2v",
            "img_url",
            (
                "a picture, JPEG, PNG, BMP or WEBP, sides from 240 to 8000 pixels, "
                "at most 20 MB, no alpha channel"
            ),
        ),
        ("wan2.6-t2v", "audio_url", "a sound, WAV or MP3, 3 to 30 seconds, at most 15 MB"),
        (
            "wan2.6-r2v",
            "reference_video_urls",
            "a list of 1 to 3: a video, MP4 or MOV, 2 to 30 seconds, at most 100 MB",
        ),
    ],
)
def test_what_a_key_takes_in_words(name, key, words):
    """The words of the listing."""
    assert MODELS[name].keys[key].describe() == words
