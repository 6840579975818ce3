"""The JSON Schema: what an editor is told about a manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from batchgen.catalog import load
from batchgen.cli import main
from batchgen.manifest import manifest_schema
from batchgen.manifest.json_schema import DIALECT
from batchgen.manifest.schema import Header
from tests.catalog.schemas import fits

JOBS = Path(__file__).parents[2] / "jobs"
CATALOG = load()
SCHEMA = json.loads(json.dumps(manifest_schema(CATALOG)))


def test_the_schema_in_jobs_is_the_one_that_is_printed(capsys):
    """What editors are given is, byte for byte, what `batchgen schema` writes."""
    assert main(["schema"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == SCHEMA
    assert (JOBS / "manifest.schema.json").read_bytes() == printed.encode()
    assert len(printed) < 130_000, "an editor loads it in no time"


@pytest.mark.parametrize("path", sorted(JOBS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_manifests_of_the_project_name_it_and_fit(path):
    """Each manifest points editors at the schema in its first line, and is right by it."""
    text = path.read_text(encoding="utf-8")
    first = text.partition("\n")[0]
    assert first == "# yaml-language-server: $schema=manifest.schema.json"
    assert fits(yaml.safe_load(text), SCHEMA)


@pytest.mark.parametrize("model", CATALOG.models.values(), ids=lambda model: model.name)
def test_every_models_example_fits(model):
    """The schema lets pass what each model takes."""
    job = json.loads(json.dumps({"id": "a", "model": model.name, **model.example}))
    assert fits({"jobs": [job]}, SCHEMA)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nmae": "x", "jobs": ["a"]},
        {"region": "atlantis", "jobs": ["a"]},
        {"limits": {"max_in_flight": 0}, "jobs": ["a"]},
        {"limits": {"speed": 1}, "jobs": ["a"]},
        {"limits": {"stop_after_failures": 0}, "jobs": ["a"]},
        {"retry": {"attempts": 11}, "jobs": ["a"]},
        {"retry": {"codes": ["a b"]}, "jobs": ["a"]},
        {"retry": {"code": "InternalError"}, "jobs": ["a"]},
        {"exclusive_account": "yes", "jobs": ["a"]},
        {"budget": {"amount": 5}, "jobs": ["a"]},
        {"budget": {"amount": 5, "currency": "dollars"}, "jobs": ["a"]},
        {"defaults": {"colour": "red"}, "jobs": ["a"]},
        {"defaults": {"id": "a"}, "jobs": ["a"]},
        {"defaults": {"model": "wan2.6-t2v"}, "jobs": [{"prompt": "a", "duration": 16}]},
        {"defaults": {"model": "wan2.7-t2v"}, "jobs": [{"prompt": "a", "size": "1280*720"}]},
        {"jobs": "a"},
        {"jobs": [["a"]]},
        {"jobs": [{"prompt": "a", "sed": 1}]},
        {"jobs": [{"prompt": "a", "seed": -1}]},
        {"jobs": [{"prompt": "a", "model": "wan2.6-t2w"}]},
        {"jobs": [{"prompt": "a", "model": "wan2.6-t2v", "duration": 16}]},
        {"jobs": [{"prompt": "a", "model": "wan2.6-t2v", "resolution": "720P"}]},
        {"jobs": [{"prompt": "a", "model": "wan2.6-t2v", "size": "1280x720"}]},
        {
            "jobs": [
                {
                    "prompt": "a",
                    "model": "wan2.6-t2v",
                    "shot_type": "multi",
                    "prompt_extend": False,
                }
            ]
        },
        {"jobs": [{"model": "wan2.7-i2v", "media": [{"type": "last", "url": "a.png"}]}]},
    ],
    ids=json.dumps,
)
def test_what_is_wrong_for_the_run_is_wrong_for_the_editor(wrong):
    """Keys, values and what goes together are checked while somebody writes."""
    assert not fits(wrong, SCHEMA)


@pytest.mark.parametrize(
    "right",
    [
        {"jobs": ["a", 1917]},
        {"retry": {"attempts": 3, "codes": ["InternalError.Timeout"]}, "jobs": ["a"]},
        {"retry": {"codes": "InternalError"}, "exclusive_account": True, "jobs": ["a"]},
        {"retry": None, "exclusive_account": None, "jobs": ["a"]},
        {"jobs": None, "jobs_from": "more.csv"},
        {"jobs_from": ["a.txt", "b.jsonl"], "catalog": "mine.yaml"},
        {"name": 2024, "budget": {"amount": "25.50", "currency": "USD"}, "jobs": ["a"]},
        {"defaults": {"model": "wan2.6-t2v", "resolution": "720P"}, "jobs": [{"prompt": 1917}]},
        {"jobs": [{"prompt": "a", "model": "wan2.6-t2v", "duration": None}]},
        {"jobs": [{"prompt": "a", "long_prompt": "cut", "extra_input": {"new": 1}}]},
        {
            "defaults": {"enable_interleave": True, "long_prompt": "cut"},
            "jobs": [
                {"model": "wan2.6-image", "prompt": "a", "max_images": 3, "long_prompt": None},
                {"model": "wan2.2-t2v-plus", "prompt": "a", "shot_type": None},
                {"model": "wan2.7-image", "prompt": "a", "enable_sequential": True, "n": 12},
            ],
        },
        {"jobs": [{"model": "wan2.6-image", "prompt": "a", "images": "a.png"}]},
        {"defaults": None, "jobs": [{"prompt": "a", "duration": 30}]},
        {
            "defaults": {"model": "wan2.6-t2v"},
            "jobs": ["a", {"model": "wan3.0-video", "prompt": "a", "duration": 30}],
        },
    ],
    ids=json.dumps,
)
def test_what_a_run_takes_the_editor_takes(right):
    """The schema never marks as wrong what is right."""
    assert fits(right, SCHEMA)


def test_it_says_what_it_is():
    """The dialect, and a description of every key of a manifest."""
    assert SCHEMA["$schema"] == DIALECT
    assert list(SCHEMA["properties"]) == list(Header.model_fields)
    assert all(part["description"] for part in SCHEMA["properties"].values())
