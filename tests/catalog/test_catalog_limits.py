"""Every limit of every model from both sides: the last good value and the first bad one.

Twice over: from the data's own bounds, so that no key is left out and the code enforces what the
data say; and from a table written by hand from the documentation, so that the data say what they
should.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from batchgen.catalog import load
from batchgen.catalog.keys import (
    Boxes,
    Choice,
    Integer,
    MediaFile,
    MediaList,
    Number,
    Palette,
    Pixels,
    Size,
    Steps,
    Switch,
    Text,
    Tier,
    TypedMedia,
    Words,
)
from tests.catalog.schemas import fits

CATALOG = load()
MODELS = CATALOG.models
SCHEMA = CATALOG.job_schema()
OTHERS = yaml.safe_load((Path(__file__).parent / "sound_jobs.yaml").read_text())
URL = "https://example.com/x"


def sound_jobs(model):
    """The model's example, and jobs for the cases that the example is not."""
    return [model.example, *(job for word in OTHERS if word in model.name for job in OTHERS[word])]


JOBS = [(model, job) for model in MODELS.values() for job in sound_jobs(model)]


def about(model, job, key, value):
    """What is said about one key of a job."""
    found = model.check({**job, key: value}, region=None)
    # The schema does not look whether a job is whole, and so takes what misses something as well.
    if not any(complaint.path for complaint in found):
        assert fits(json.loads(json.dumps({**job, key: value, "model": model.name})), SCHEMA)
    return [complaint.message for complaint in found if complaint.path[:1] == (key,)]


def edges_of_text(takes):
    if takes.max_length is None:
        return ["x"], ["", " "]
    return ["x", "x" * takes.max_length], ["x" * (takes.max_length + 1)]


def edges_of_integer(takes):
    beyond = {takes.minimum - 1, takes.maximum + 1} - takes.besides.keys()
    return [takes.minimum, takes.maximum, *takes.besides], sorted(beyond)


def edges_of_number(takes):
    good = [takes.minimum, takes.maximum, int(takes.maximum)]
    return good, [takes.minimum - 0.01, takes.maximum + 0.01, float("nan"), True]


def edges_of_word(takes):
    return takes.one_of, ["nonsense", takes.one_of[0].swapcase() + "!"]


def edges_of_boxes(takes):
    box = [0, 0, 1, 1]
    return [], [[[box] * (takes.max_each + 1)], [[[1, 0, 1, 1]]], [[[0, 0, 1]]], [7], []]


def edges_of_palette(takes):
    good = [palette(takes.minimum), palette(takes.maximum)]
    return good, [palette(takes.minimum - 1), palette(takes.maximum + 1)]


def edges_of_list(takes):
    good = [[URL] * takes.min, [URL] * takes.max]
    return good, [[URL] * (takes.max + 1), [], [""], {"url": URL}]


def edges_of_media(takes):
    return [], [[], [{}], [{"type": "hero", "url": URL}], [{"type": next(iter(takes.types))}]]


EDGES = {
    Text: edges_of_text,
    Integer: edges_of_integer,
    Steps: lambda takes: (takes.one_of, [min(takes.one_of) - 1, max(takes.one_of) + 1]),
    Number: edges_of_number,
    Switch: lambda _: ([True, False], [0, "true"]),
    Choice: edges_of_word,
    Tier: edges_of_word,
    Size: lambda takes: (takes.sizes, ["1*1", "3840*2160"]),
    Pixels: lambda takes: ([*takes.names, *takes.besides], ["1*1", "9999*9999", "8K"]),
    Boxes: edges_of_boxes,
    Palette: edges_of_palette,
    Words: lambda _: ([], [["nonsense"], [], "obj"]),
    MediaFile: lambda _: ([URL, "a.png"], ["", 7, [URL]]),
    MediaList: edges_of_list,
    TypedMedia: edges_of_media,
}
"""The last good and the first bad values of a key, by the data."""


def palette(count):
    """So many colours with ratios that add up."""
    rest = f"{100 - 0.01 * (count - 1):.2f}%"
    return [{"hex": "#00ff00", "ratio": "0.01%"}] * (count - 1) + [
        {"hex": "#00ff00", "ratio": rest}
    ]


@pytest.mark.parametrize(
    ("model", "job"), [pytest.param(*job, id=f"{job[0].name}-{n}") for n, job in enumerate(JOBS)]
)
def test_the_jobs_of_these_tests_are_sound(model, job):
    """What is changed below is the only thing that can be wrong."""
    assert model.check(job, region=model.regions[0]) == []


@pytest.mark.parametrize("model", MODELS.values(), ids=repr)
def test_every_key_of_every_model_is_taken_by_one_of_these_jobs(model):
    """No key escapes the tests of its limits."""
    taken = {key for job in sound_jobs(model) for key in model.terms(job).keys}
    assert taken == set(model.keys)


@pytest.mark.parametrize(
    ("model", "job", "key"),
    [
        pytest.param(model, job, key, id=f"{model.name}-{number}-{key}")
        for number, (model, job) in enumerate(JOBS)
        for key in model.terms(job).keys
    ],
)
def test_the_bounds_of_the_data_hold_from_both_sides(model, job, key):
    """The last good value passes without a word about its key, the first bad one does not."""
    takes = model.terms(job).keys[key]
    good, bad = EDGES[type(takes)](takes)
    for value in good:
        # A key may be refused for one of its values alone: the cases have tests of their own.
        if key in model.terms({**job, key: value}).keys:
            assert about(model, job, key, value) == []
    for value in bad:
        assert about(model, job, key, value)


NUMBERS = [
    ("duration", "wan2.7-t2v wan2.7-i2v wan2.6-t2v wan2.6-i2v wan2.6-i2v-flash", [2, 15], [1, 16]),
    ("duration", "wan2.7-t2v-2026-06-12 wan2.7-i2v-2026-04-25", [2, 15], [1, 16]),
    ("duration", "wan2.5-t2v-preview wan2.5-i2v-preview", [5, 10], [4, 6, 15]),
    ("duration", "wan2.6-t2v-us", [5, 10], [2, 15]),
    ("duration", "wan2.6-i2v-us", [5, 10, 15], [2, 6]),
    ("duration", "wan2.2-t2v-plus wan2.2-i2v-plus wan2.2-i2v-flash", [5], [4, 6]),
    ("duration", "wan2.1-t2v-turbo wanx2.1-t2v-plus wan2.1-i2v-plus", [5], [4, 6]),
    ("duration", "wan2.1-i2v-turbo wanx2.1-i2v-turbo", [3, 4, 5], [2, 6]),
    ("duration", "wan2.2-kf2v-flash wanx2.1-kf2v-plus wanx2.1-vace-plus", [5], [4, 6]),
    ("duration", "wan2.6-r2v wan2.6-r2v-flash", [2, 10], [1, 11, 15]),
    ("duration", "wan2.7-r2v", [2, 10], [1, 11, 15]),  # its example holds a video
    ("duration", "wan2.7-videoedit", [0, 2, 10], [-1, 1, 11]),
    ("duration", "wan3.0-video wan3.0-video-prime", [-1, 2, 30], [-2, 0, 1, 31]),
    ("n", "wan2.6-t2i wan2.5-t2i-preview wan2.2-t2i-plus wanx2.0-t2i-turbo", [1, 4], [0, 5, -1]),
    ("n", "wan2.7-image wan2.6-image wan2.5-i2i-preview wanx2.1-imageedit", [1, 4], [0, 5, 12]),
    (
        "seed",
        " ".join(name for name in MODELS if "seed" in MODELS[name].keys),
        [0, 2**31 - 1],
        [-1, 2**31],
    ),
]

WORDS = [
    ("resolution", "wan2.7-t2v wan2.7-i2v wan2.7-r2v wan2.7-videoedit", "720P 1080P", "480P 4K"),
    ("resolution", "wan2.6-i2v wan2.6-i2v-us", "720P 1080P", "480P"),
    (
        "resolution",
        "wan2.5-i2v-preview wan2.2-i2v-flash wan2.2-kf2v-flash",
        "480P 720P 1080P",
        "2K",
    ),
    ("resolution", "wan3.0-video wan3.0-video-prime", "480P 720P 1080P", "4K"),
    ("resolution", "wan2.2-i2v-plus", "480P 1080P", "720P"),
    ("resolution", "wan2.1-i2v-turbo wan2.2-s2v", "480P 720P", "1080P"),
    ("resolution", "wan2.1-i2v-plus wanx2.1-kf2v-plus", "720P", "480P 1080P"),
    ("ratio", "wan2.7-t2v wan2.7-r2v wan2.7-videoedit", "16:9 9:16 1:1 4:3 3:4", "21:9 adaptive"),
    ("ratio", "wan3.0-video", "adaptive 16:9 4:3 1:1 3:4 9:16", "21:9 16*9"),
    ("shot_type", "wan2.6-t2v wan2.6-i2v wan2.6-r2v", "single multi", "double"),
    ("mode", "wan2.2-animate-move wan2.2-animate-mix", "wan-std wan-pro", "std pro"),
    ("audio_setting", "wan2.7-videoedit", "auto origin", "mute"),
    ("size", "wan2.6-t2v wan2.6-r2v", "1280*720 1248*1632", "832*480 848*480 1104*832"),
    ("size", "wan2.5-t2v-preview", "832*480 960*960", "848*480"),
    ("size", "wan2.2-t2v-plus", "624*624 1920*1080", "1280*720"),
    ("size", "wan2.1-t2v-turbo", "832*480 720*1280", "1920*1080"),
    ("size", "wanx2.1-t2v-plus wanx2.1-vace-plus", "1280*720 832*1088", "832*480 1920*1080"),
    (
        "size",
        "wan2.6-t2i wan2.5-t2i-preview",
        "1280*1280 1440*1440 720*2880 768*2700 1696*960 1104*1472",
        "1024*1024 1279*1280 1440*1441 718*2880 1697*960 1K",
    ),
    (
        "size",
        "wan2.2-t2i-flash wanx2.1-t2i-plus wanx2.0-t2i-turbo",
        "512*512 1440*1440 512*1440",
        "511*512 1441*1024 0*512 01024*1024 123456*1024",
    ),
    (
        "size",
        "wan2.7-image wan2.7-image-pro",  # with pictures, as in their example
        "1K 2K 768*768 2048*2048 5792*724 272*2170",
        "4K 767*768 2048*2049 256*2304 3K",
    ),
    ("size", "wan2.6-image", "1K 2K 768*768 2048*2048 4096*1024", "4K 767*768 4100*1024"),
    ("size", "wan2.5-i2i-preview", "768*768 1280*1280 2560*640", "767*768 1281*1280 2564*640 1K"),
    ("answer", "wan2.6-t2i wan2.7-image wan2.6-image", "task sync", "stream poll"),
]


def tabled(table, split=lambda values: values):
    for key, names, good, bad in table:
        for name in names.split():
            yield pytest.param(name, key, split(good), split(bad), id=f"{name}-{key}")


@pytest.mark.parametrize(
    ("name", "key", "good", "bad"), [*tabled(NUMBERS), *tabled(WORDS, str.split)]
)
def test_the_documented_limits_hold_from_both_sides(name, key, good, bad):
    """Each documented value is sound; the next one is refused, by its key, model and value."""
    model = MODELS[name]
    for value in good:
        assert about(model, model.example, key, value) == []
    for value in bad:
        [message] = about(model, model.example, key, value)
        assert message.startswith(f"{key} of {name} ")
        assert str(value) in message


LENGTHS = {
    "wan3.0-video": 20000,
    "wan2.7-t2v": 5000,
    "wan2.7-i2v": 5000,
    "wan2.7-r2v": 5000,
    "wan2.7-videoedit": 5000,
    "wan2.7-image": 5000,
    "wan2.7-image-pro": 5000,
    "wan2.6-t2v": 1500,
    "wan2.6-i2v-flash": 1500,
    "wan2.6-r2v": 1500,
    "wan2.5-i2v-preview": 1500,
    "wan2.2-t2v-plus": 800,
    "wan2.1-i2v-turbo": 800,
    "wan2.2-kf2v-flash": 800,
    "wan2.1-vace-plus": 800,
    "wanx2.1-imageedit": 800,
    "wanx2.0-t2i-turbo": 800,
    "wan2.6-t2i": 2100,
    "wan2.6-image": 2000,
    "wan2.5-t2i-preview": 2000,
    "wan2.5-i2i-preview": 2000,
    "wanx2.1-t2i-turbo": 500,
}


@pytest.mark.parametrize(("name", "limit"), LENGTHS.items())
def test_a_prompt_is_counted_in_characters(name, limit):
    """A Chinese character counts as one, and one too many is refused with the numbers."""
    model = MODELS[name]
    assert model.check({**model.example, "prompt": "猫" * limit}, region=None) == []
    [complaint] = model.check({**model.example, "prompt": "猫" * (limit + 12)}, region=None)
    assert complaint.path == ("prompt",)
    assert complaint.message == (
        f"prompt of {name} has {limit + 12:,} characters, 12 more than its limit of {limit:,}"
    )
    assert complaint.hint == "shorten it, or accept that its end is lost: `long_prompt: cut`"


@pytest.mark.parametrize(
    "name", [name for name, model in MODELS.items() if "negative_prompt" in model.keys]
)
def test_a_negative_prompt_has_its_own_limit(name):
    """500 characters are sound and 501 are not, for every model that takes one."""
    model = MODELS[name]
    assert about(model, model.example, "negative_prompt", "x" * 500) == []
    assert about(model, model.example, "negative_prompt", "x" * 501)


@pytest.mark.parametrize(
    ("name", "job", "key", "good", "bad"),
    [
        ("wan2.7-image", {"enable_sequential": True}, "n", 12, 13),
        ("wan2.7-image-pro", {}, "size", "4K", "8K"),
        ("wan2.7-image-pro", {}, "size", "4096*4096", "4096*4097"),
        ("wan2.6-image", {"enable_interleave": True, "max_images": 2}, "n", 1, 2),
        ("wan2.6-image", {"enable_interleave": True}, "max_images", 5, 6),
        ("wan2.6-image", {"enable_interleave": True}, "max_images", 1, 0),
        ("wan2.6-image", {"enable_interleave": True, "max_images": 2}, "size", "1280*1280", "2K"),
        ("wan2.6-image", {"enable_interleave": True, "max_images": 2}, "size", "768*768", "1K"),
        ("wanx2.1-vace-plus", {"function": "video_edit"}, "size", "960*960", "1920*1080"),
        (
            "wan2.6-image",
            {"enable_interleave": True, "max_images": 2},
            "size",
            "768*768",
            "1280*1281",
        ),
        ("wan2.6-image", {"enable_interleave": True, "max_images": 2}, "answer", "stream", "sync"),
        ("wan2.6-image", {"enable_interleave": True}, "images", [URL], [URL, URL]),
        ("wan2.6-image", {}, "images", [URL] * 4, [URL] * 5),
        ("wan2.7-image", {}, "images", [URL] * 9, [URL] * 10),
        ("wan2.5-i2i-preview", {}, "images", [URL] * 3, [URL] * 4),
        ("wan2.6-r2v", {}, "reference_urls", [URL] * 5, [URL] * 6),
        ("wan2.6-r2v-flash", {}, "reference_video_urls", [URL] * 3, [URL] * 4),
        (
            "wan2.7-r2v",
            {"media": [{"type": "reference_image", "url": URL}]},
            "duration",
            15,
            16,
        ),
        ("wanx2.1-imageedit", {"function": "super_resolution"}, "upscale_factor", 4, 5),
        ("wanx2.1-imageedit", {"function": "expand"}, "top_scale", 2.0, 2.1),
        ("wanx2.1-imageedit", {"function": "stylization_all"}, "strength", 0.0, -0.1),
        ("wanx2.1-vace-plus", {"function": "video_outpainting"}, "left_scale", 1, 0.9),
        ("wanx2.1-vace-plus", {"function": "video_repainting"}, "ref_images_url", [URL], [URL] * 2),
        (
            "wanx2.1-vace-plus",
            {"function": "image_reference"},
            "ref_images_url",
            [URL] * 3,
            [URL] * 4,
        ),
    ],
)
def test_the_limits_of_a_case_hold_from_both_sides(name, job, key, good, bad):
    """A switch, a function or a medium moves the limits of other keys."""
    model = MODELS[name]
    assert about(model, job, key, good) == []
    assert about(model, job, key, bad)
