from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import batchgen.sandbox
from batchgen.sandbox.models import Currency, built_in, currency_of, read, sold_in
from batchgen.sandbox.models import Path as Route

ROOM = Path(batchgen.sandbox.__file__).parent
SAMPLES = Path(__file__).parents[1] / "samples" / "requests"


@pytest.fixture
def table(tmp_path):
    """Reads what a person wrote into a file."""

    def reads(text):
        path = tmp_path / "own.yaml"
        path.write_text(text)
        return read(path)

    return reads


def test_every_documented_model_is_there():
    """By all of its names: those of both regions, and the dated ones."""
    names = built_in().keys()
    for kind in ("t2v-turbo", "t2v-plus", "i2v-turbo", "i2v-plus", "kf2v-plus", "t2i-turbo"):
        assert {f"wan2.1-{kind}", f"wanx2.1-{kind}"} <= names
    assert {"wan2.1-vace-plus", "wanx2.1-vace-plus", "wanx2.1-imageedit", "wanx-v1"} <= names
    assert "wan2.1-imageedit" not in names, "Beijing's model has no name in Singapore"
    assert {"wan2.7-t2v-2026-06-12", "wan2.7-i2v-2026-04-25", "wan2.7-r2v-2026-06-12"} <= names
    assert {"wan2.2-s2v", "wan2.2-s2v-detect", "wan2.2-animate-move", "wan3.0-video"} <= names


def test_every_recorded_request_goes_to_a_path_of_its_model():
    """The client, which has a table of its own, sends each model's requests where it takes them."""
    for sample in map(json.loads, (path.read_text() for path in SAMPLES.glob("*.json"))):
        model = built_in()[sample["body"]["model"]]
        assert sample["path"].removeprefix("services/aigc/") in model.paths, model.name


def test_only_two_paths_answer_with_the_result_itself():
    """The image models of 2.6 and 2.7 take both kinds of call."""
    assert [path.name for path in Route if path.synchronous] == ["FACE_DETECT", "MULTIMODAL"]
    both = {model.name for model in built_in().values() if Route.MULTIMODAL in model.paths}
    assert both == {"wan2.6-t2i", "wan2.6-image", "wan2.7-image", "wan2.7-image-pro"}
    assert {built_in()[name].path for name in both} == {Route.IMAGE_GENERATION}


def test_no_code_of_the_sandbox_names_a_model():
    """What sets a model apart stands in its row, and a new model is a row."""
    code = "\n".join(path.read_text() for path in ROOM.rglob("*.py"))
    assert set(re.findall(r"""["'](wan[x\d][\w.-]*)["']""", code)) == set()


def test_a_model_of_ones_own_takes_over_another_and_changes_what_it_says(table):
    """A key that is given replaces the other's; the built-in models stay."""
    prices = "{USD: {720P: 7, 1080P: 9}}"
    models = table(f"models: {{my-t2v: {{like: wan2.6-t2v, price: {prices}, running: 1}}}}")
    mine, theirs = models["my-t2v"], models["wan2.6-t2v"]
    assert (mine.name, mine.prices["720P"], mine.running) == ("my-t2v", 7, 1)
    assert (mine.duration, mine.usage) == (theirs.duration, theirs.usage)
    assert models.items() > built_in().items()


def test_a_row_like_itself_changes_the_built_in_model(table):
    """And nothing else changes that is built-in and like it."""
    models = table("""
        models:
          wan2.6-t2v: {like: wan2.6-t2v, running: 1}
          mine: {like: wan2.6-t2v}
          turbo: {like: wanx2.1-t2v-turbo}
    """)
    assert [models[name].running for name in ("wan2.6-t2v", "mine", "wan2.6-i2v")] == [1, 1, 5]
    assert models["turbo"].duration == built_in()["wan2.1-t2v-turbo"].duration


def test_a_change_reaches_the_functions_and_modes_of_a_model(table):
    """They are the model with something changed, and not rows of their own."""
    models = table("models: {mine: {like: wan2.1-vace-plus, price: {CNY: {720P: 1}}}}")
    functions = models["mine"].sold_in(Currency.CNY).functions.values()
    assert {function.prices["720P"] for function in functions} == {1}


@pytest.mark.parametrize(
    ("region", "currency"),
    [("cn-beijing", "CNY"), ("beijing", "CNY"), ("ap-southeast-1", "USD"), ("virginia", "USD")],
)
def test_a_region_pays_in_its_currency(region, currency):
    """Yuan in Beijing, dollars elsewhere; for the functions and modes of a model as well."""
    assert currency_of(region) == currency
    models = sold_in(region, built_in())
    assert models.keys() == built_in().keys()
    variants = [models["wan2.1-vace-plus"].functions["video_edit"],
                models["wan2.6-image"].modes["interleave"]]  # fmt: skip
    assert {one.currency for one in (*models.values(), *variants)} == {currency}


@pytest.mark.parametrize(
    ("name", "grade", "usd", "cny"),
    [
        ("wan2.7-t2v", "1080P", 150_000, 1_000_000),
        ("wan2.6-i2v-flash", "720P silent", 25_000, 150_000),
        ("wan2.5-i2v-preview", "480P", 50_000, 300_000),
        ("wan2.2-i2v-flash", "1080P", 86_400, 480_000),
        ("wan2.2-kf2v-flash", "1080P", 86_400, 480_000),
        ("wanx2.1-i2v-turbo", "480P", 36_000, 240_000),
        ("wan2.2-s2v", "720P", 129_018, 900_000),
        ("wan2.2-animate-mix", "wan-pro", 260_000, 900_000),
        ("wan3.0-video", "480P", 50_000, 300_000),
        ("wan2.7-image-pro", "image", 76_584, 500_000),
        ("wanx2.1-t2i-turbo", "image", 25_000, 140_000),
        # Only Beijing's list has these; elsewhere they are converted.
        ("wanx2.1-imageedit", "image", 19_076, 140_000),
        ("wanx2.0-t2i-turbo", "image", 5_450, 40_000),
        ("wanx-v1", "image", 21_801, 160_000),
        ("wan2.2-s2v-detect", "image", 545, 4_000),
    ],
)
def test_a_model_costs_what_the_list_of_its_region_says(name, grade, usd, cny):
    """In millionths of the currency, to the nearest one."""
    model = built_in()[name]
    assert model.prices[grade] == usd
    assert model.sold_in(Currency.CNY).prices[grade] == cny


def test_a_price_that_only_singapore_has_is_converted_for_beijing(table):
    """At the rate that makes the published list round."""
    models = table("models: {mine: {like: wan2.6-t2i, price: {USD: {image: 30000}}}}")
    assert models["mine"].sold_in(Currency.CNY).prices["image"] == 220_177


def test_media_of_ones_own_can_be_taken(table):
    """A file names what its models take beside what is built in."""
    models = table("""
        media: {tiny: {kind: image, megabytes: 1, sides: [1, 64]}}
        models:
          mine:
            like: wan2.6-i2v
            media:
              slots:
                img_url: {role: first_frame, takes: tiny}
                audio_url: {role: audio, takes: sound}
    """)
    slots = models["mine"].media.slots
    assert slots["img_url"].takes[0].sides == (1, 64)
    assert slots["audio_url"] == built_in()["wan2.6-i2v"].media.slots["audio_url"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models: {a: {like: nothing}}", r"own\.yaml: models\.a\.like: .* no such model: nothing"),
        ("models: {a: {like: b}, b: {like: a}}", r"models\.[ab]\.like: .* no such model: [ab]"),
        ("models: {a: 5}", r"own\.yaml: models\.a: it must be a mapping"),
        ("models: {a: {like: wan2.6-t2v, runing: 1}}", r"own\.yaml: models\.a\.runing: Unexpected"),
        (
            "models: {a: {like: wan2.6-t2v, running: x}}",
            r"own\.yaml: models\.a\.running: .*integer",
        ),
        (
            "models: {a: {like: wan2.6-t2v, geometry: {kind: sizes, tiers: [8K], default: x}}}",
            r"models\.a\.geometry\.sizes\.tiers\.0",
        ),
        (
            "models: {a: {like: wan2.6-t2v, price: {CNY: {720P: 1}}}}",
            r"models\.a: .*price in CNY lacks 1080P",
        ),
        ("models: {a: {like: wan2.6-t2i, price: {}}}", r"models\.a: .*price lacks a list"),
        ("models: {a: {like: wan2.6-t2i, price: {EUR: {image: 1}}}}", r"models\.a\.price\.EUR"),
        (
            "models: {a: {like: wan2.6-i2v, media: {slots: {img_url: {takes: painting}}}}}",
            r"own\.yaml: models\.a\.media: .*no such entry in `media`: 'painting'",
        ),
        ("models: {a: {like: wan2.6-i2v, media: {slots: [x]}}}", r"media\.slots: it must be"),
        ("models: {a: {like: wan2.6-i2v, media: {slots: {x: 1}}}}", r"media\.slots\.x: it must be"),
        ("model: {}", r"own\.yaml: it has a mapping `models`"),
        ("- a", r"own\.yaml: it has a mapping `models`"),
        ("models: {a: [", r"own\.yaml: while parsing"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_place(table, text, words):
    """The file's name, the model and the key, so that a person finds it."""
    with pytest.raises(ValueError, match=words):
        table(text)
