"""The catalog as a whole: what it holds, and how it is looked into."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import batchgen.catalog
from batchgen.catalog import Model, ResultShape, load

CATALOG = load()
FOLDER = Path(batchgen.catalog.__file__).parent


def test_the_code_knows_no_model_by_name():
    """A new model is data: no module of the catalog names one."""
    named = [path.name for path in FOLDER.glob("*.py") if re.search("wan", path.read_text())]
    assert named == []


def test_every_data_file_is_read():
    """No file of facts lies about unread."""
    families = {path.stem.replace("_", "-") for path in (FOLDER / "models").iterdir()}
    assert {model.family for model in CATALOG.models.values()} == families


@pytest.mark.parametrize("model", CATALOG.models.values(), ids=str)
def test_every_fact_has_a_dated_source(model):
    """Whoever doubts a fact knows which page of which time to look at."""
    for source in (model.source, model.limits.source, model.prices.source):
        assert re.search(r"20\d\d", source)


@pytest.mark.parametrize("model", CATALOG.models.values(), ids=str)
def test_every_model_is_served_somewhere_and_points_to_models_that_exist(model):
    """A name given for another region is a model that is served there."""
    assert {CATALOG.region(name).name for name in model.regions} == set(model.regions)
    for region, other in model.elsewhere.items():
        assert region in CATALOG.models[other].regions
        assert region not in model.regions


@pytest.mark.parametrize("model", CATALOG.models.values(), ids=str)
def test_keys_that_lean_on_other_keys_name_keys_of_the_model(model):
    """A rule between two keys speaks of keys that the model has."""
    for takes in model.keys.values():
        assert model.keys.keys() >= {*takes.needs, *takes.overrules}


def test_a_key_is_text_in_all_models_or_in_none():
    """A manifest's reader can type the defaults before it knows the model."""
    for model in CATALOG.models.values():
        assert CATALOG.text_keys & model.keys.keys() == model.text_keys
    assert CATALOG.text_keys >= {"prompt", "negative_prompt", "size", "resolution", "ratio"}
    assert not CATALOG.text_keys & {"duration", "seed", "n", "audio", "watermark", "prompt_extend"}


@pytest.mark.parametrize(
    ("name", "running", "rate", "cadence"),
    [
        ("wan2.7-t2v", 5, 5, 15),
        ("wan2.6-i2v-flash", 5, 5, 15),
        ("wan2.2-t2v-plus", 2, 2, 15),
        ("wan2.1-i2v-plus", 2, 2, 15),
        ("wan2.6-t2i", 5, 1, 10),
        ("wan2.2-t2i-flash", 2, 2, 10),
    ],
)
def test_limits_are_the_published_ones(name, running, rate, cadence):
    """Submits a second, tasks at once and cadence are by model, with a queue as deep as the run."""
    limits = CATALOG.models[name].limits
    assert (limits.running, limits.submits_per_second) == (running, rate)
    assert limits.poll_seconds == cadence
    assert limits.max_in_flight == 2 * running


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wan2.7-t2v", ("video", ".mp4", ResultShape.VIDEO_URL, True, 5000)),
        ("wan2.2-t2v-plus", ("video", ".mp4", ResultShape.VIDEO_URL, True, 800)),
        ("wan2.6-i2v", ("video", ".mp4", ResultShape.VIDEO_URL, True, 1500)),
        ("wan2.2-t2i-flash", ("image", ".png", ResultShape.RESULTS, False, 500)),
        ("wan2.6-t2i", ("image", ".png", ResultShape.CHOICES, False, 2100)),
    ],
)
def test_how_a_model_answers(name, expected):
    """Kind, file name, place of the results and echo of the prompt are by model."""
    model = CATALOG.find(name)
    answer = (model.kind, model.suffix, model.result_shape, model.echoes_prompt)
    assert (*answer, model.prompt_limit) == expected


def test_media_keys_are_those_that_name_files():
    """A manifest's reader knows which values to look for on disk."""
    assert CATALOG.models["wan2.6-i2v"].media_keys == ("img_url", "audio_url")
    assert CATALOG.models["wan2.7-t2v"].media_keys == ("audio_url",)
    assert CATALOG.models["wan2.2-t2v-plus"].media_keys == ()


def test_an_unknown_model_is_met_with_the_nearest_name():
    """A typing error in a model's name is answered with the name that was meant."""
    assert CATALOG.find("wan2.6-t2x") is None
    assert CATALOG.nearest("wan2.6_t2v") == "wan2.6-t2v"
    assert CATALOG.nearest("WAN2.6-T2V") == "wan2.6-t2v"
    assert CATALOG.nearest("a horse") is None
    assert CATALOG.nearest("wan2.6-t2v" * 1000) is None


def test_the_keys_of_all_models_are_known():
    """The keys that every job has are among them, an entry's id is the manifest's affair."""
    assert CATALOG.keys >= {"model", "extra_input", "extra_parameters", "img_url", "n", "ratio"}
    assert "id" not in CATALOG.keys


@pytest.mark.parametrize(
    ("spelling", "name", "currency", "host"),
    [
        ("singapore", "singapore", "USD", "dashscope-intl.aliyuncs.com"),
        ("ap-southeast-1", "singapore", "USD", "dashscope-intl.aliyuncs.com"),
        ("beijing", "beijing", "CNY", "dashscope.aliyuncs.com"),
        ("cn-beijing", "beijing", "CNY", "dashscope.aliyuncs.com"),
        ("virginia", "virginia", "USD", "dashscope-us.aliyuncs.com"),
        ("us-east-1", "virginia", "USD", "dashscope-us.aliyuncs.com"),
    ],
)
def test_a_region_has_two_spellings(spelling, name, currency, host):
    """Both spellings name the same host and price list."""
    region = CATALOG.region(spelling)
    assert (region.name, region.currency) == (name, currency)
    assert region.base_url == f"https://{host}/api/v1"
    assert region in CATALOG.regions


def test_singapore_is_the_region_where_none_is_named():
    """The default region is the contract's, and a region that does not exist is none."""
    assert CATALOG.default_region.name == "singapore"
    assert CATALOG.region("atlantis") is None


def test_the_catalog_is_immutable_and_read_once():
    """Nobody can change a price by accident."""
    assert load() is CATALOG
    with pytest.raises(ValueError, match="frozen"):
        CATALOG.models["wan2.6-t2v"].title = "x"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"colour": "red"}, "Extra inputs are not permitted"),
        ({"keys": {"n": {"type": "integer", "minimum": 1, "maximum": 4, "default": 5}}}, "default"),
        ({"keys": {"prompt": {"type": "text"}}}, "no price"),
        ({"prices": {"source": "", "unit": "image", "rates": []}}, "at least 1 item"),
        ({"prices": {"source": "", "unit": "second", "rates": [{"amounts": {}}]}}, "no price"),
        (
            {
                "prices": {
                    "source": "",
                    "unit": "image",
                    "rates": [{"when": {"watermark": True}, "amounts": {"USD": 1}}],
                }
            },
            "no price",
        ),
    ],
)
def test_facts_that_contradict_each_other_are_refused_at_the_reading(change, complaint):
    """A slip in the data is found when it is read, not when somebody pays for it."""
    facts = CATALOG.models["wan2.2-t2i-flash"].model_dump()
    assert Model.model_validate(facts) == CATALOG.models["wan2.2-t2i-flash"]
    with pytest.raises(ValueError, match=complaint):
        Model.model_validate({**facts, **change})


def test_a_model_introduces_itself_in_a_line():
    """A model in a traceback or an assertion is a name, not a screenful."""
    assert repr(CATALOG.models["wan2.6-t2v"]) == "<Model wan2.6-t2v>"


def test_the_catalog_needs_no_network_code():
    """Reading the catalog does not even import an HTTP client."""
    script = (
        "import sys, json, batchgen.catalog as c; c.load(); print(json.dumps(sorted(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, cwd=FOLDER.parents[1]
    )
    assert not {"aiohttp", "anyio", "sqlite3"} & set(json.loads(loaded.stdout))
