"""What each model takes and refuses, from both sides of every limit."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.catalog import Media, load
from batchgen.catalog.keys import (
    Choice,
    Integer,
    MediaFile,
    Pixels,
    Resolution,
    Size,
    Steps,
    Switch,
)

CATALOG = load()
MODELS = CATALOG.models
IMAGE = {"img_url": "hero.png"}
PROMPT = {"prompt": "A kitten in the moonlight."}


def sound(model):
    """The least that a job of the model has to say."""
    return IMAGE if "img_url" in model.keys else PROMPT


def complaints(name, region=None, **values):
    return MODELS[name].check({**sound(MODELS[name]), **values}, region=region)


def only(name, region=None, **values):
    """The one complaint about a job, as key, message and hint."""
    [complaint] = complaints(name, region, **values)
    return complaint.key, complaint.message, complaint.hint


@pytest.mark.parametrize("model", MODELS.values(), ids=repr)
def test_every_model_takes_a_job_that_says_no_more_than_it_must(model):
    """The shortest job is sound in each region of the model, in both spellings."""
    for name in model.regions:
        for spelling in (name, *CATALOG.region(name).aliases):
            assert model.check({**sound(model), "model": model.name}, region=spelling) == []
    assert model.check(sound(model), region=None) == []


@pytest.mark.parametrize("model", MODELS.values(), ids=repr)
def test_every_model_fills_in_what_costs(model):
    """No amount is left to the service's defaults: one image, or seconds in a resolution."""
    parameters = model.request(sound(model), {}).parameters
    assert parameters["prompt_extend"] is True
    if model.kind == "image":
        assert parameters["n"] == 1
    else:
        assert parameters["duration"] == 5
    assert {"size", "resolution"} & parameters.keys()
    assert not {"watermark", "seed"} & parameters.keys()


NUMBERS = [
    (
        "duration",
        ["wan2.7-t2v", "wan2.6-t2v", "wan2.6-i2v", "wan2.6-i2v-flash"],
        [2, 3, 15],
        [1, 16],
    ),
    ("duration", ["wan2.5-t2v-preview", "wan2.5-i2v-preview"], [5, 10], [4, 6, 15]),
    ("duration", ["wan2.6-t2v-us"], [5, 10], [2, 15]),
    ("duration", ["wan2.6-i2v-us"], [5, 10, 15], [2, 6]),
    ("duration", ["wan2.2-t2v-plus", "wan2.2-i2v-plus", "wan2.2-i2v-flash"], [5], [4, 6]),
    ("duration", ["wan2.1-t2v-turbo", "wanx2.1-t2v-plus", "wan2.1-i2v-plus"], [5], [4, 6]),
    ("duration", ["wan2.1-i2v-turbo", "wanx2.1-i2v-turbo"], [3, 4, 5], [2, 6]),
    ("n", ["wan2.6-t2i", "wan2.5-t2i-preview", "wan2.2-t2i-plus"], [1, 4], [0, 5, -1]),
    ("seed", list(MODELS), [0, 2147483647], [-1, 2147483648]),
]

WORDS = [
    ("resolution", ["wan2.7-t2v", "wan2.6-i2v", "wan2.6-i2v-us"], ["720P", "1080P"], ["480P"]),
    ("resolution", ["wan2.5-i2v-preview", "wan2.2-i2v-flash"], ["480P", "1080P"], ["360P"]),
    ("resolution", ["wan2.2-i2v-plus"], ["480P", "1080P"], ["720P"]),
    ("resolution", ["wan2.1-i2v-turbo"], ["480P", "720P"], ["1080P"]),
    ("resolution", ["wan2.1-i2v-plus"], ["720P"], ["480P", "1080P"]),
    ("ratio", ["wan2.7-t2v"], ["16:9", "3:4"], ["21:9", "16*9"]),
    ("shot_type", ["wan2.6-t2v", "wan2.6-i2v"], ["single", "multi"], ["double"]),
    ("size", ["wan2.6-t2v"], ["1280*720", "1248*1632"], ["832*480", "848*480", "1104*832"]),
    ("size", ["wan2.5-t2v-preview"], ["832*480", "960*960"], ["848*480"]),
    ("size", ["wan2.2-t2v-plus"], ["624*624", "1920*1080"], ["1280*720"]),
    ("size", ["wan2.1-t2v-turbo"], ["832*480", "720*1280"], ["1920*1080"]),
    ("size", ["wanx2.1-t2v-plus"], ["1280*720"], ["832*480", "1920*1080"]),
    (
        "size",
        ["wan2.6-t2i", "wan2.5-t2i-preview"],
        ["1280*1280", "1440*1440", "720*2880", "768*2700", "1696*960", "1104*1472"],
        ["1024*1024", "1279*1280", "1440*1441", "718*2880", "1697*960"],
    ),
    (
        "size",
        ["wan2.2-t2i-flash", "wanx2.1-t2i-plus"],
        ["512*512", "1440*1440", "512*1440"],
        ["511*512", "1441*1024", "0*512", "01024*1024", "123456*1024"],
    ),
]


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [
        (key, name, good)
        for key, names, goods, _ in NUMBERS + WORDS
        for name in names
        for good in goods
    ],
)
def test_a_value_within_its_limits_is_taken(key, name, value):
    """Each documented value is sound."""
    assert complaints(name, **{key: value}) == []


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [(key, name, bad) for key, names, _, bads in NUMBERS + WORDS for name in names for bad in bads],
)
def test_a_value_beyond_its_limits_is_refused(key, name, value):
    """The complaint is about this key, names the model and the value."""
    at, message, _ = only(name, **{key: value})
    assert at == key
    assert message.startswith(f"{key} of {name} must ")
    assert str(value) in message


LIMITS = {
    "wan2.7-t2v": 5000,
    "wan2.6-t2v": 1500,
    "wan2.6-i2v-flash": 1500,
    "wan2.5-i2v-preview": 1500,
    "wan2.2-t2v-plus": 800,
    "wan2.1-i2v-turbo": 800,
    "wan2.6-t2i": 2100,
    "wan2.5-t2i-preview": 2000,
    "wanx2.1-t2i-turbo": 500,
}


@pytest.mark.parametrize(("name", "limit"), LIMITS.items())
def test_a_prompt_is_counted_in_characters(name, limit):
    """A Chinese character counts as one, and one too many is refused with the numbers."""
    assert complaints(name, prompt="猫" * limit) == []
    key, message, hint = only(name, prompt="猫" * (limit + 12))
    assert key == "prompt"
    assert f"has {limit + 12:,} characters, 12 more than its limit of {limit:,}" in message
    assert hint == "the service would cut it silently"


@pytest.mark.parametrize("name", MODELS)
def test_a_negative_prompt_has_its_own_limit(name):
    """500 characters are sound and 501 are not, for every model."""
    assert complaints(name, negative_prompt="x" * 500) == []
    assert only(name, negative_prompt="x" * 501)[0] == "negative_prompt"


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        (
            "wan2.6-t2v",
            {"size": "1280x720"},
            ("size", "size of wan2.6-t2v must be 1280*720, not '1280x720'", "write 1280*720"),
        ),
        (
            "wan2.6-t2i",
            {"size": "1280 x 1280"},
            (
                "size",
                "size of wan2.6-t2i must be WIDTH*HEIGHT in pixels, not '1280 x 1280'",
                "write 1280*1280",
            ),
        ),
        (
            "wan2.2-t2i-flash",
            {"size": "2K"},
            (
                "size",
                "size of wan2.2-t2i-flash must be WIDTH*HEIGHT in pixels, not '2K'",
                "for example 1024*1024",
            ),
        ),
        (
            "wan2.6-i2v",
            {"resolution": "720p"},
            ("resolution", "resolution of wan2.6-i2v must be 720P, not '720p'", "write 720P"),
        ),
        (
            "wan2.5-t2v-preview",
            {"duration": 7},
            ("duration", "duration of wan2.5-t2v-preview must be 5 or 10, not 7", None),
        ),
        (
            "wan2.6-t2v",
            {"duration": "10"},
            (
                "duration",
                "duration of wan2.6-t2v must be a whole number, not '10'",
                "write 10 without quotes",
            ),
        ),
        (
            "wan2.6-t2v",
            {"duration": 10.0},
            ("duration", "duration of wan2.6-t2v must be a whole number, not 10.0", "write 10"),
        ),
        (
            "wan2.5-t2v-preview",
            {"duration": True},
            ("duration", "duration of wan2.5-t2v-preview must be a whole number, not True", None),
        ),
        (
            "wan2.6-i2v-flash",
            {"audio": "false"},
            (
                "audio",
                "audio of wan2.6-i2v-flash must be true or false, not 'false'",
                "write it without quotes",
            ),
        ),
        (
            "wan2.6-t2v",
            {"watermark": 0},
            ("watermark", "watermark of wan2.6-t2v must be true or false, not 0", None),
        ),
        ("wan2.6-t2v", {"prompt": " \n"}, ("prompt", "prompt of wan2.6-t2v is empty", None)),
        (
            "wan2.6-t2v",
            {"negative_prompt": ""},
            ("negative_prompt", "negative_prompt of wan2.6-t2v is empty", "leave the key out"),
        ),
        (
            "wan2.6-t2v",
            {"prompt": 1984},
            ("prompt", "prompt of wan2.6-t2v must be text, not 1984", "put it in quotes"),
        ),
        (
            "wan2.6-t2v",
            {"prompt": "fox \ud83e"},
            (
                "prompt",
                "prompt of wan2.6-t2v has half a character (a lone surrogate) at position 5",
                None,
            ),
        ),
        (
            "wan2.6-i2v",
            {"img_url": ["a.png"]},
            ("img_url", "img_url of wan2.6-i2v must be a path or a URL, not ['a.png']", None),
        ),
        (
            "wan2.6-i2v",
            {"img_url": ""},
            ("img_url", "img_url of wan2.6-i2v is empty", "name a file or a URL"),
        ),
        (
            "wan2.6-t2v",
            {"promt": "x"},
            ("promt", "unknown key 'promt'", "did you mean prompt?"),
        ),
        ("wan2.6-t2v", {"zzz": None}, ("zzz", "unknown key 'zzz'", None)),
        (
            "wan2.6-t2v",
            {"extra_parameter": {}},
            ("extra_parameter", "unknown key 'extra_parameter'", "did you mean extra_parameters?"),
        ),
        (
            "wan2.2-t2v-plus",
            {"resolution": "480P"},
            (
                "resolution",
                "wan2.2-t2v-plus does not take resolution",
                "it takes prompt, negative_prompt, prompt_extend, seed, watermark, size, duration",
            ),
        ),
        (
            "wan2.6-t2v",
            {"shot_type": "multi", "prompt_extend": False},
            (
                "shot_type",
                "the service ignores shot_type unless prompt_extend is true",
                "drop one of the two",
            ),
        ),
        (
            "wan2.6-i2v-flash",
            {"audio": False, "audio_url": "rain.wav"},
            (
                "audio_url",
                "the service ignores audio_url unless audio is true",
                "drop one of the two",
            ),
        ),
        (
            "wan2.2-i2v-plus",
            {"template": "flying", "prompt": "It flies."},
            (
                "template",
                "the service ignores prompt when template is given",
                "drop one of the two",
            ),
        ),
        (
            "wan2.6-t2v",
            {"extra_parameters": ["a"]},
            ("extra_parameters", "extra_parameters must be a mapping of names to values", None),
        ),
        (
            "wan2.6-t2v",
            {"extra_parameters": {"duration": 15}},
            (
                "extra_parameters",
                "extra_parameters may not set duration",
                "the job's own keys say it",
            ),
        ),
        (
            "wan2.6-t2i",
            {"extra_input": {"messages": []}},
            ("extra_input", "extra_input may not set messages", "the job's own keys say it"),
        ),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(name, values, expected):
    """The words a person reads: the key, what is wrong with it, and what to write instead."""
    assert only(name, **values) == expected


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, "\ud83e"])
def test_extra_keys_must_be_json(value):
    """What could never be sent is found before anything is paid for."""
    key, message, _ = only("wan2.6-t2v", extra_input={"new": value})
    assert key == "extra_input"
    assert message.startswith("extra_input cannot be sent as JSON")


@pytest.mark.parametrize(
    ("name", "region", "hint"),
    [
        ("wan2.1-t2v-turbo", "beijing", "its name there is wanx2.1-t2v-turbo"),
        ("wanx2.1-t2v-plus", "singapore", "its name there is wan2.1-t2v-plus"),
        ("wanx2.1-i2v-turbo", "ap-southeast-1", "its name there is wan2.1-i2v-turbo"),
        ("wan2.1-t2i-plus", "cn-beijing", "its name there is wanx2.1-t2i-plus"),
        ("wan2.6-t2v", "virginia", "its name there is wan2.6-t2v-us"),
        ("wan2.6-i2v-us", "singapore", "its name there is wan2.6-i2v"),
        ("wan2.6-i2v-flash", "us-east-1", "it is served in Singapore and Beijing"),
        ("wanx2.1-i2v-plus", "virginia", "it is served in Beijing"),
    ],
)
def test_a_model_that_a_region_does_not_serve_is_refused(name, region, hint):
    """The complaint is about the model, and names what it is called there or where it is served."""
    title = CATALOG.region(region).title
    assert only(name, region) == ("model", f"{name} is not served in {title}", hint)


def test_what_is_missing_is_said_about_the_job_as_a_whole():
    """A key that is not there has no place of its own."""
    [text] = MODELS["wan2.6-t2v"].check({"prompt": None}, region=None)
    assert (text.key, text.message) == (None, "prompt is missing: wan2.6-t2v needs it")
    [picture] = MODELS["wan2.6-i2v"].check({"prompt": "It moves."}, region=None)
    assert picture.message == "img_url is missing: wan2.6-i2v needs it"


def test_all_problems_of_a_job_come_at_once():
    """Nobody has to run a check five times to learn five mistakes."""
    values = {"size": "1x1", "duration": 99, "seed": -1, "colour": "red", "extra_input": 1}
    found = MODELS["wan2.6-t2v"].check(values, region="virginia")
    assert [complaint.key for complaint in found] == ["model", *values, None]


def test_a_key_set_to_null_is_a_key_not_given():
    """A job's null takes back a default of its manifest."""
    values = {"seed": None, "size": None, "extra_input": None, "shot_type": None}
    assert complaints("wan2.6-t2v", **values) == []
    request = MODELS["wan2.6-t2v"].request({**PROMPT, **values}, {})
    assert request == MODELS["wan2.6-t2v"].request(PROMPT, {})


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80).filter(str.strip)


def values_of(takes):
    """Sound values of a key."""
    match takes:
        case Integer():
            return st.integers(takes.minimum, takes.maximum)
        case Steps() | Choice() | Resolution():
            return st.sampled_from(takes.one_of)
        case Switch():
            return st.booleans()
        case Size():
            return st.sampled_from([size for sizes in takes.tiers.values() for size in sizes])
        case Pixels():
            return st.sampled_from([takes.default, *takes.besides])
        case MediaFile():
            return st.sampled_from(["a.png", "https://example.com/b"])
        case _:
            return TEXT


@st.composite
def jobs(draw):
    """A model and the values of a job for it, sound key by key."""
    model = draw(st.sampled_from(list(MODELS.values())))
    strategies = {key: values_of(takes) for key, takes in model.keys.items()}
    required = {key: values for key, values in strategies.items() if model.keys[key].required}
    optional = {key: values for key, values in strategies.items() if key not in required}
    return model, draw(st.fixed_dictionaries(required, optional=optional))


@given(jobs(), st.sampled_from([None, *CATALOG.regions]))
def test_a_sound_job_always_has_a_price_and_a_body(job, region):
    """Whatever the check lets pass can be priced, sent, and billed no higher than its price."""
    model, values = job
    found = model.check(values, region=None)
    assert all(complaint.message.startswith("the service ignores") for complaint in found)
    media = {key: (Media(values[key]),) for key in model.media_keys if key in values}
    request = model.request(values, media)
    name = region and region.name

    price = model.price(request, name)
    assert price.micro > 0
    assert price.currency == (region or CATALOG.default_region).currency
    amount = request.parameters[model.prices.unit.asked]
    assert model.cost(request, {model.prices.unit.billed[0]: amount}, name) == price

    body = model.body(request, {key: (values[key],) for key in media})
    sent = {**body["input"], **body["parameters"]}
    for message in sent.pop("messages", []):
        sent["prompt"] = message["content"][0]["text"]
    assert sent == {**request.parameters, **values}


@given(
    st.sampled_from(list(MODELS.values())),
    st.dictionaries(
        st.sampled_from(sorted(CATALOG.keys)) | st.text(max_size=8),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
            ),
            max_leaves=5,
        ),
    ),
)
def test_no_value_whatever_breaks_the_check(model, values):
    """Nonsense is met with complaints in whole words, never with a traceback."""
    found = model.check(values, region="singapore")
    for complaint in found:
        assert complaint.key is None or complaint.key in values or complaint.key == "model"
        assert len(complaint.message) < 300
    if not found:
        media = {key: (Media(str(values[key])),) for key in model.media_keys if values.get(key)}
        assert model.request(values, media).identity()


def test_a_value_is_shown_cut_to_a_readable_length():
    """A nest of lists where a size belongs does not fill the screen."""
    _, message, _ = only("wan2.6-i2v", resolution=[{"a" * 50: [1, 2, 3]}, {"b" * 50: 4}])
    shown = message.removeprefix("resolution of wan2.6-i2v must be 720P or 1080P, not ")
    assert len(shown) == 40
    assert shown.endswith("...")


def test_a_very_long_size_is_refused_at_once():
    """A megabyte of blanks where a size belongs costs no time."""
    started = time.process_time()
    assert only("wan2.6-t2i", size="1" + " " * 1_000_000 + "1")[0] == "size"
    assert only("wan2.6-t2v", size="1" + " " * 1_000_000 + "1")[0] == "size"
    assert time.process_time() - started < 0.5


def test_checking_is_fast_enough_for_a_hundred_thousand_jobs():
    """Ten thousand jobs, sound or not, are checked within a fraction of a second."""
    values = {**PROMPT, "model": "x", "size": "1280*720", "duration": 10, "seed": 3}
    started = time.process_time()
    for _ in range(5_000):
        assert not MODELS["wan2.6-t2v"].check(values, region="singapore")
        assert MODELS["wan2.6-t2v"].check({**values, "promt": 1, "n": 1}, region="singapore")
    assert time.process_time() - started < 1.0
