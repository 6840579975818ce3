"""What the models take, for people and programs."""

from __future__ import annotations

import json

import pytest

from batchgen.catalog import load
from batchgen.manifest import load as read
from batchgen.report.models import example, model_data, model_view, models_data, models_view

CATALOG = load()
SINGAPORE, BEIJING = CATALOG.region("singapore"), CATALOG.region("beijing")


@pytest.mark.parametrize("model", CATALOG.models.values(), ids=lambda model: model.name)
def test_the_example_plans_cleanly(tmp_path, model):
    """What is shown can be pasted into a manifest: no mistake, no warning, and it has a price."""
    path = tmp_path / "night.yaml"
    path.write_text(f"jobs:\n{example(model)}\n", encoding="utf-8")
    manifest = read(path, region=model.regions[0])
    assert not manifest.warnings
    (job,) = manifest.jobs
    assert job.model is model
    assert job.price


def test_the_list_has_a_line_a_model(shown):
    """Name, family, regions, sizes, seconds and price, as they are in the region."""
    seen = shown(models_view(CATALOG, CATALOG.models.values(), SINGAPORE))
    lines = {line.split()[0]: line for line in seen.splitlines()}
    assert set(CATALOG.models) < set(lines)
    t2v = lines["wan2.6-t2v"]
    for words in (
        "text-to-video",
        "Singapore, Beijing",
        "720P, 1080P",
        "2 to 15",
        "USD 0.10 to 0.15",
    ):
        assert words in t2v
    assert "CNY" in lines["wan2.2-s2v"]
    assert "a second in Beijing" in lines["wan2.2-s2v"]
    assert "an image" in lines["wan2.6-t2i"]


@pytest.mark.parametrize("model", CATALOG.models.values(), ids=lambda model: model.name)
def test_one_model_with_all_that_it_takes(model, shown):
    """Each key with what it takes, the limits and routes, prices with their source and date."""
    seen = shown(model_view(CATALOG, model, SINGAPORE), width=2_000)
    for key, takes in model.keys.items():
        assert any(
            line.startswith(f"{key} ") and takes.describe().split("; ")[0] in line
            for line in seen.splitlines()
        ), key
    assert model.limits.source in seen
    assert model.prices.source in seen
    assert all(route.path in seen for route in model.routes.values())
    assert f"model: {model.name}" in seen


def test_rules_that_depend_on_a_job_are_told(shown):
    """What a switch forbids or changes stands below the keys."""
    seen = shown(model_view(CATALOG, CATALOG.models["wan2.6-t2v"], SINGAPORE))
    assert "  when prompt_extend is false: no shot_type" in seen.splitlines()


def test_a_price_of_another_region(shown):
    """A model that the region does not serve shows the price where it is served."""
    seen = shown(model_view(CATALOG, CATALOG.models["wan2.2-s2v"], SINGAPORE))
    assert "price in Beijing a second" in seen
    assert "CNY" in seen


def test_a_key_with_several_kinds_of_media_has_a_line_for_each(shown):
    """A list of typed media can be read on a terminal."""
    seen = shown(model_view(CATALOG, CATALOG.models["wan2.7-r2v"], SINGAPORE))
    begins = [line.strip().split()[0] for line in seen.splitlines() if line.strip()]
    assert "reference_video" in begins


ENDING = """
models:
  wan2.6-t2v:
    like: wan2.6-t2v
    retiring: {source: "Model retirement, 2026-12", date: 2027-03-01}
"""


def test_the_end_of_a_model_is_told_with_its_date(tmp_path, shown):
    """The same phrase before a job is bought and in the listing; a program gets the date."""
    path = tmp_path / "mine.yaml"
    path.write_text(ENDING)
    model = load(path).models["wan2.6-t2v"]
    phrase = "wan2.6-t2v is announced to end on 2027-03-01 (Model retirement, 2026-12)"
    assert phrase in shown(model_view(CATALOG, model, SINGAPORE)).splitlines()
    assert [one.message for one in model.check({"prompt": "x"}, region=None)] == [phrase]
    told = model_data(model, SINGAPORE)["retiring"]
    assert (told["date"], told["source"]) == ("2027-03-01", "Model retirement, 2026-12")
    assert model_data(CATALOG.models["wan2.6-t2v"], SINGAPORE)["retiring"] is None


@pytest.mark.parametrize("model", CATALOG.models.values(), ids=lambda model: model.name)
def test_a_program_is_told_all_that_a_person_is(model, shown):
    """Every rule of the text stands among the cases of the JSON, every note on money as well."""
    told = json.loads(json.dumps(model_data(model, BEIJING)))
    seen = shown(model_view(CATALOG, model, BEIJING), width=2_000)
    rules = [
        f"  {case['when'] or 'always'}: {rule}" for case in told["cases"] for rule in case["rules"]
    ]
    _, _, below = seen.partition("\nRules:\n")
    assert [line for line in below.partition("\n\n")[0].splitlines() if rules] == rules
    assert told["prices"]["sources_billed"] == ("that go in are billed" in seen)
    assert bool(told["prices"]["check"]) == ("for a look by" in seen)


def test_a_case_for_programs():
    """What holds when, with the keys as they are then."""
    told = model_data(CATALOG.models["wan2.7-image"], SINGAPORE)["cases"][0]
    assert told["when"] == "when enable_sequential is true"
    assert told["conditions"] == {"enable_sequential": {"one_of": [True]}}
    assert told["keys"]["n"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 12}
    assert told["keys"]["n"]["required"] is True
    assert told["why"].startswith("a sequence has up to n images")
    refused = model_data(CATALOG.models["wan2.6-t2v"], SINGAPORE)["cases"][0]
    assert refused["keys"] == {"shot_type": None}


def test_models_for_programs():
    """The same as JSON: keys with their schema, prices by the region."""
    told = models_data(CATALOG.models.values(), BEIJING)
    assert json.loads(json.dumps(told)) == told
    assert [one["model"] for one in told["models"]] == list(CATALOG.models)
    t2v = model_data(CATALOG.models["wan2.6-t2v"], SINGAPORE)
    assert t2v["keys"]["duration"]["default"] == 5
    assert t2v["keys"]["audio_url"]["media"] is True
    assert t2v["prices"]["unit"] == "second"
    assert t2v["prices"]["rates"][0] == {
        "when": None,
        "tier": "720P",
        "price": {"amount": 0.1, "currency": "USD"},
    }
    assert t2v["elsewhere"] == {"virginia": "wan2.6-t2v-us"}
