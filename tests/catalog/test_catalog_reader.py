"""The catalog as a whole: what it holds, and how it is looked into."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import batchgen.catalog
from batchgen.catalog import CatalogError, Model, ResultShape, load

CATALOG = load()
FOLDER = Path(batchgen.catalog.__file__).parent


def test_the_code_knows_no_model_by_name():
    """A new model is data: no module of the catalog names one."""
    named = [path.name for path in FOLDER.rglob("*.py") if re.search(r"wanx?\d", path.read_text())]
    assert named == []


def test_every_data_file_is_read():
    """No file of facts lies about unread."""
    families = {path.stem.replace("_", "-") for path in (FOLDER / "models").iterdir()}
    assert {model.family for model in CATALOG.models.values()} == families


@pytest.mark.parametrize("model", CATALOG.models.values(), ids=str)
def test_every_fact_has_a_dated_source(model):
    """Whoever doubts a fact knows which page of which time to look at."""
    assert re.search(r"20\d\d", model.source)
    assert re.search(r"20\d\d", model.limits.source)
    assert re.search(r"20\d\d|autumn 2026", model.prices.source)


@pytest.mark.parametrize("model", CATALOG.models.values(), ids=str)
def test_every_model_is_served_somewhere_and_points_to_models_that_exist(model):
    """A name given for another region is a model that is served there."""
    assert {CATALOG.region(name).name for name in model.regions} == set(model.regions)
    for region, other in model.elsewhere.items():
        assert region in CATALOG.models[other].regions
        assert region not in model.regions


def test_a_key_is_text_in_all_models_or_in_none():
    """A manifest's reader can type the defaults before it knows the model."""
    for model in CATALOG.models.values():
        assert CATALOG.text_keys & model.keys.keys() == model.text_keys
    assert CATALOG.text_keys >= {
        "prompt",
        "negative_prompt",
        "size",
        "resolution",
        "ratio",
        "media",
    }
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
        ("wan2.1-kf2v-plus", 2, 1, 15),
        ("wanx2.1-kf2v-plus", 2, 2, 15),
        ("wan2.6-r2v", 5, 5, 15),
        ("wan2.2-s2v", 1, 5, 15),
        ("wan2.2-animate-mix", 1, 5, 15),
        ("wan2.7-videoedit", 5, 5, 15),
        ("wan2.1-vace-plus", 2, 2, 15),
        ("wan3.0-video", 5, 5, 15),
        ("wan2.6-image", 5, 5, 10),
        ("wanx2.1-imageedit", 2, 2, 10),
    ],
)
def test_limits_are_the_published_ones(name, running, rate, cadence):
    """Submits a second, tasks at once and cadence are by model."""
    limits = CATALOG.models[name].limits
    assert (limits.running, limits.submits_per_second) == (running, rate)
    assert limits.poll_seconds == cadence


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wan2.7-t2v", ("video", ".mp4", ResultShape.VIDEO_URL)),
        ("wan2.2-t2v-plus", ("video", ".mp4", ResultShape.VIDEO_URL)),
        ("wan2.6-i2v", ("video", ".mp4", ResultShape.VIDEO_URL)),
        ("wan2.2-t2i-flash", ("image", ".png", ResultShape.RESULTS)),
        ("wan2.6-t2i", ("image", ".png", ResultShape.CHOICES)),
        ("wan2.7-image", ("image", ".png", ResultShape.CHOICES)),
        ("wanx2.1-imageedit", ("image", ".png", ResultShape.RESULTS)),
        ("wan2.2-s2v", ("video", ".mp4", ResultShape.RESULTS_VIDEO_URL)),
        ("wan2.2-animate-mix", ("video", ".mp4", ResultShape.RESULTS_VIDEO_URL)),
        ("wan3.0-video", ("video", ".mp4", ResultShape.VIDEO_URL)),
    ],
)
def test_how_a_model_answers(name, expected):
    """Kind, file name and place of the results are by model."""
    model = CATALOG.find(name)
    assert (model.kind, model.suffix, model.result_shape) == expected


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
    assert CATALOG.keys >= {"model", "extra_input", "extra_parameters", "long_prompt", "answer"}
    assert CATALOG.keys >= {"img_url", "n", "ratio", "media", "function", "detect"}
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


@pytest.mark.parametrize(
    ("name", "host", "workspace"),
    [
        ("cn-hongkong", "cn-hongkong.dashscope.aliyuncs.com", "cn-hongkong"),
        ("frankfurt", None, "eu-central-1"),
        ("ap-northeast-1", None, "ap-northeast-1"),
        ("singapore", "dashscope-intl.aliyuncs.com", "ap-southeast-1"),
        ("beijing", "dashscope.aliyuncs.com", "cn-beijing"),
    ],
)
def test_a_region_has_a_host_for_workspaces_and_may_have_a_shared_one(name, host, workspace):
    """A region without a shared host is reached through the host of a workspace."""
    region = CATALOG.region(name)
    assert region.base_url == (host and f"https://{host}/api/v1")
    assert region.workspace_url.format(workspace="ws-1") == (
        f"https://ws-1.{workspace}.maas.aliyuncs.com/api/v1"
    )


FAMILIES = """
wan2.6-t2v wan2.6-t2v-us wan2.5-t2v-preview wan2.2-t2v-plus wan2.1-t2v-turbo wan2.1-t2v-plus
wanx2.1-t2v-turbo wanx2.1-t2v-plus wan2.6-i2v wan2.6-i2v-flash wan2.6-i2v-us wan2.5-i2v-preview
wan2.2-i2v-plus wan2.2-i2v-flash wan2.1-i2v-turbo wan2.1-i2v-plus wanx2.1-i2v-turbo
wanx2.1-i2v-plus wan2.2-kf2v-flash wan2.1-kf2v-plus wanx2.1-kf2v-plus wan2.6-r2v wan2.6-r2v-flash
wan2.2-s2v wan2.6-image wan2.6-t2i wan2.7-t2v wan2.7-i2v wan2.7-r2v wan2.7-videoedit wan2.7-image
wan2.7-image-pro wan3.0-video wan3.0-video-prime wan2.5-t2i-preview wan2.2-t2i-flash
wan2.2-t2i-plus wanx2.1-t2i-turbo wanx2.1-t2i-plus wan2.1-t2i-turbo wan2.1-t2i-plus
wanx2.0-t2i-turbo wan2.5-i2i-preview wanx2.1-imageedit wan2.1-vace-plus wanx2.1-vace-plus
wan2.2-animate-move wan2.2-animate-mix wan2.7-t2v-2026-04-25 wan2.7-t2v-2026-06-12
wan2.7-i2v-2026-04-25 wan2.7-r2v-2026-06-12
"""


def test_the_whole_family_is_there():
    """Every model that the service serves, in every region's spelling."""
    assert set(CATALOG.models) == set(FAMILIES.split())
    assert CATALOG.models["wan2.2-s2v"].check_model.model == "wan2.2-s2v-detect"


def test_singapore_is_the_region_where_none_is_named():
    """The default region is the contract's, and a region that does not exist is none."""
    assert CATALOG.default_region.name == "singapore"
    assert CATALOG.region("atlantis") is None


def test_the_catalog_is_immutable_and_read_once():
    """Nobody can change a price by accident."""
    assert load() is CATALOG
    with pytest.raises(ValueError, match="frozen"):
        CATALOG.models["wan2.6-t2v"].title = "x"


N = {"type": "integer", "minimum": 1, "maximum": 4, "default": 1}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"colour": "red"}, "Extra inputs are not permitted"),
        ({"keys": {"n": {**N, "default": 5}}}, "the default of n must be from 1 to 4"),
        ({"keys": {"prompt": {"type": "text"}}}, "no price"),
        ({"keys": {"n": N}, "cases": [{"keys": {"n": {"default": 5}}}]}, "the default of n"),
        ({"keys": {"n": N}, "cases": [{"keys": {"n": {"default": None}}}]}, "no price"),
        ({"keys": {"n": N}, "cases": [{"keys": {"m": None}}]}, "m, which is no key"),
        ({"keys": {"n": N}, "cases": [{"when": {"m": 1}}]}, "m, which is no key"),
        ({"routes": {}}, "no route to a task"),
        ({"prices": {"source": "", "unit": "image", "rates": []}}, "no price"),
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


@pytest.mark.parametrize("name", sorted(CATALOG.models))
def test_no_facts_of_the_package_contradict_each_other(name):
    """They are held against each other here, so that no command has to wait for it."""
    model = CATALOG.models[name]
    assert Model.model_validate(model.model_dump(exclude_unset=True)) == model


def test_a_users_file_is_checked_whatever_it_is_called(tmp_path, monkeypatch):
    """Not even the name of one of the package's own makes it one of them."""
    monkeypatch.chdir(tmp_path)
    wrong = "models: {mine: {like: wan2.2-t2i-flash, regions: []}}"
    (tmp_path / "text_to_image.yaml").write_text(wrong)
    with pytest.raises(CatalogError, match="no region serves it"):
        load(Path("text_to_image.yaml"))


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
