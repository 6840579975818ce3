"""The JSON Schema of a job, held against the checks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from batchgen.catalog import Severity, load
from tests.catalog.schemas import fits

CATALOG = load()
MODELS = CATALOG.models
SCHEMA = CATALOG.job_schema(besides=["id"])
OTHERS = yaml.safe_load((Path(__file__).parent / "sound_jobs.yaml").read_text())
U = "https://example.com/x"


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
    assert fits(job, SCHEMA)
    assert fits({**job, "id": "fox", "long_prompt": "cut", "extra_input": {"a": 1}}, SCHEMA)


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
        ("wan2.6-image", {"enable_interleave": False, "answer": "stream"}),
        ("wan2.6-image", {"enable_interleave": None, "answer": "stream"}),
        ("wan2.7-image", {"enable_sequential": False, "n": 12}),
        ("wan2.7-image", {"enable_sequential": None, "n": 12}),
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
    assert not fits(job, SCHEMA)
    if job["model"] == name:
        found = MODELS[name].check(job, region=None)
        assert any(complaint.severity is Severity.ERROR for complaint in found)


def test_a_default_is_taken_back_by_null():
    """A null is sound for every key, be it the model's, another one's or that of every job; and
    what it leaves is the model's own default.
    """
    for model in MODELS.values():
        assert fits({"model": model.name, **dict.fromkeys(CATALOG.keys - {"model"})}, SCHEMA)
    assert not fits({"model": "wan2.6-t2v", "colour": None} | {"colour": 1}, SCHEMA)


@pytest.mark.parametrize(
    "job",
    [
        {"model": "wan2.6-image", "max_images": 3},
        {"model": "wan2.6-image", "answer": "stream", "images": None},
        {"model": "wan2.7-image", "n": 12},
        {"model": "wan2.7-image", "enable_sequential": True, "n": 12},
        {"model": "wan2.7-image-pro", "size": "4K"},
        {"model": "wan2.7-image", "bbox_list": [[]]},
        {"model": "wanx2.1-imageedit", "upscale_factor": 2},
        {"model": "wanx2.1-vace-plus", "ref_images_url": ["a", "b", "c"]},
        {"model": "wan2.6-t2v", "shot_type": "multi", "prompt_extend": None},
    ],
    ids=json.dumps,
)
def test_what_a_default_of_the_manifest_may_make_sound_is_not_underlined(job):
    """The schema sees a job without its defaults, which may decide what it takes."""
    assert fits(job, SCHEMA)


def test_a_job_without_a_model_may_say_what_some_model_takes():
    """Its model stands in the defaults, which the schema of a job does not see."""
    assert fits({"prompt": "x", "duration": 5, "images": ["a.png"]}, SCHEMA)
    assert fits({"enable_sequential": True, "n": 12}, SCHEMA)
    assert not fits({"duration": "long"}, SCHEMA)


def test_the_schema_is_plain_json_of_a_moderate_size():
    """An editor loads it in no time, and all that it says can be written down."""
    text = json.dumps(SCHEMA, allow_nan=False)
    assert json.loads(text) == SCHEMA
    assert len(text) < 70_000


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
