"""What each model takes and refuses, from both sides of every limit."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.catalog import Media, Severity, load

CATALOG = load()
MODELS = CATALOG.models
PROMPT = {"prompt": "A kitten in the moonlight."}


def sound(model):
    """The least that a job of the model has to say."""
    terms = model.terms(model.example)
    needed = {*terms.required, *(choice.keys[0] for choice in terms.choices)}
    return {key: value for key, value in model.example.items() if key in needed}


def complaints(name, region=None, **values):
    job = {**sound(MODELS[name]), **values}
    return MODELS[name].check(job, region=region, known=CATALOG.keys)


def only(name, region=None, **values):
    """The one complaint about a job, as key, message and hint."""
    [complaint] = complaints(name, region, **values)
    return (complaint.path or (None,))[0], complaint.message, complaint.hint


def media_of(model, values):
    return {slot.path: Media(slot.source) for slot in model.slots(values)}


@pytest.mark.parametrize("model", MODELS.values(), ids=repr)
def test_every_model_takes_its_example_and_a_job_that_says_no_more_than_it_must(model):
    """Both are sound in each region of the model, in both spellings, without a warning."""
    for values in (model.example, sound(model)):
        for name in model.regions:
            for spelling in (name, *CATALOG.region(name).aliases):
                assert model.check({**values, "model": model.name}, region=spelling) == []
        assert model.check(values, region=None) == []
        assert model.check_media(values, media_of(model, values)) == []


@pytest.mark.parametrize("model", MODELS.values(), ids=repr)
def test_every_model_fills_in_what_costs(model):
    """No amount is left to the service's defaults: one image, or seconds in a resolution."""
    values = sound(model)
    parameters = model.request(values, media_of(model, values)).parameters
    if model.kind == "image":
        assert parameters["n"] == 1
    elif "duration" in model.keys and "duration" in model.terms(values).defaults:
        assert parameters["duration"] in (0, 5)
    for key in ("size", "resolution"):
        assert key not in model.keys or key in parameters or "function" in model.keys
    assert not {"watermark", "seed"} & parameters.keys()


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
                "wan2.6-t2v does not take shot_type when prompt_extend is false",
                "the service would ignore it",
            ),
        ),
        (
            "wan2.6-i2v-flash",
            {"audio": False, "audio_url": "rain.wav"},
            (
                "audio_url",
                "wan2.6-i2v-flash does not take audio_url when audio is false",
                "the service would ignore it",
            ),
        ),
        (
            "wan2.2-i2v-plus",
            {"template": "flying", "prompt": "It flies."},
            (
                "prompt",
                "wan2.2-i2v-plus does not take prompt with template",
                "the service would ignore it",
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
        ("wan3.0-video", "frankfurt", "it is served in Singapore, Beijing and Tokyo"),
        ("wan2.2-s2v", "singapore", "it is served in Beijing"),
        ("wan2.1-kf2v-plus", "beijing", "its name there is wanx2.1-kf2v-plus"),
        ("wanx2.1-vace-plus", "singapore", "its name there is wan2.1-vace-plus"),
    ],
)
def test_a_model_that_a_region_does_not_serve_is_refused(name, region, hint):
    """The complaint is about the model, and names what it is called there or where it is served."""
    title = CATALOG.region(region).title
    assert only(name, region) == ("model", f"{name} is not served in {title}", hint)


def test_what_is_missing_is_said_about_the_job_as_a_whole():
    """A key that is not there has no place of its own."""
    [text] = MODELS["wan2.6-t2v"].check({"prompt": None}, region=None)
    assert (text.path, text.message) == ((), "prompt is missing: wan2.6-t2v needs it")
    [picture] = MODELS["wan2.6-i2v"].check({"prompt": "It moves."}, region=None)
    assert picture.message == "img_url is missing: wan2.6-i2v needs it"
    [either] = MODELS["wan3.0-video"].check({"duration": 3}, region=None)
    assert either.message == "wan3.0-video needs one of prompt, media"


def test_all_problems_of_a_job_come_at_once():
    """Nobody has to run a check five times to learn five mistakes."""
    values = {"size": "1x1", "duration": 99, "seed": -1, "colour": "red", "extra_input": 1}
    found = MODELS["wan2.6-t2v"].check(values, region="virginia")
    paths = [complaint.path for complaint in found]
    assert paths == [("model",), *((key,) for key in values), ()]


def test_a_key_set_to_null_is_a_key_not_given():
    """A job's null takes back a default of its manifest."""
    values = {"seed": None, "size": None, "extra_input": None, "shot_type": None}
    assert complaints("wan2.6-t2v", **values) == []
    request = MODELS["wan2.6-t2v"].request({**PROMPT, **values}, {})
    assert request == MODELS["wan2.6-t2v"].request(PROMPT, {})


@pytest.mark.parametrize("name", ["resolution", "n", "mode"])
def test_what_sets_a_price_elsewhere_goes_no_way_around(name):
    """A key that the catalog knows of other models could cost more than is set aside."""
    [fault] = complaints("wan2.6-t2v", extra_parameters={name: 4})
    assert (fault.path, fault.message) == (
        ("extra_parameters", name),
        f"extra_parameters may not set {name}",
    )
    assert fault.hint == "wan2.6-t2v does not take it"


@pytest.mark.parametrize("key", ["extra_input", "extra_parameters"])
def test_what_nothing_checks_is_warned_of(key):
    """The way around the catalog stays open, and says that it is one."""
    [warning] = complaints("wan2.6-t2v", **{key: {"new": 1}})
    assert warning.severity is Severity.WARNING
    said = "it is sent as it is, billed as the service reads it, and beyond what a budget covers"
    assert (warning.path, warning.message) == ((key,), f"nothing checks {key}: {said}")
    assert complaints("wan2.6-t2v", **{key: {}}) == []


def test_a_text_that_is_too_long_can_be_cut():
    """With `long_prompt: cut` the excess is a warning, and the request holds both texts."""
    model = MODELS["wan2.2-t2v-plus"]
    values = {"prompt": "猫" * 812, "negative_prompt": "x" * 501, "long_prompt": "cut"}
    first, second = model.check(values, region=None)
    assert (first.severity, first.path) == (Severity.WARNING, ("prompt",))
    assert first.message == (
        "prompt of wan2.2-t2v-plus has 812 characters, 12 more than its limit of 800: "
        "the end is cut off and not sent"
    )
    assert (second.severity, second.path) == (Severity.WARNING, ("negative_prompt",))
    request = model.request(values, {})
    assert request.inputs == {"prompt": "猫" * 812, "negative_prompt": "x" * 501}
    assert request.cut == {"prompt": "猫" * 800, "negative_prompt": "x" * 500}
    assert model.body(request, str)["input"] == dict(request.cut)


def test_a_text_that_fits_is_not_cut():
    """Accepting a cut changes nothing about a text within its limit, not even its identity."""
    model = MODELS["wan2.2-t2v-plus"]
    values = {"prompt": "猫" * 800}
    assert model.check({**values, "long_prompt": "cut"}, region=None) == []
    assert model.request({**values, "long_prompt": "cut"}, {}) == model.request(values, {})


def test_only_a_cut_can_be_accepted():
    """A misspelt consent is none."""
    assert only("wan2.6-t2v", long_prompt="trim") == (
        "long_prompt",
        "long_prompt must be cut, not 'trim'",
        None,
    )


@given(
    st.sampled_from(list(MODELS.values())),
    st.dictionaries(
        st.sampled_from(sorted(CATALOG.keys)) | st.text(max_size=8),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text()
            | st.sampled_from(["type", "url", "first_frame", "reference_video", "expand", "a.png"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["type", "url", "hex", "ratio"]) | st.text() | st.integers(),
                    inner,
                    max_size=3,
                )
            ),
            max_leaves=8,
        ),
    ),
)
def test_no_value_whatever_breaks_the_check(model, values):
    """Nonsense is met with complaints in whole words, never with a traceback."""
    found = model.check(values, region="singapore")
    for complaint in found:
        assert not complaint.path or complaint.path[0] in {*values, "model"}
        assert len(complaint.message) < 400
    media = media_of(model, values)
    assert all(path[0] in values for path in media)
    model.check_media(values, media)
    if not any(complaint.severity is Severity.ERROR for complaint in found):
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
