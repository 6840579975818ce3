"""The JSON Schema: what an editor is told about a manifest.

No validator is among the project's dependencies, so a small one, for the words that the schema
uses, holds it against real manifests.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from batchgen.catalog import load
from batchgen.manifest import manifest_schema
from batchgen.manifest.json_schema import DIALECT
from batchgen.manifest.schema import Header

JOBS = Path(__file__).parents[2] / "jobs"
CATALOG = load()
SCHEMA = json.loads(json.dumps(manifest_schema(CATALOG)))

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def is_type(value, name):
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])


def listed(value):
    return value if isinstance(value, list) else []


def paired(value):
    return value if isinstance(value, dict) else {}


def same(value, option):
    return type(value) is type(option) and value == option


# What each word of a schema asks of a value; the last argument is the schema it stands in.
WORDS = {
    "$ref": lambda value, says, _: fits(value, SCHEMA["$defs"][says.removeprefix("#/$defs/")]),
    "type": lambda value, says, _: any(
        is_type(value, name) for name in ([says] if isinstance(says, str) else says)
    ),
    "enum": lambda value, says, _: any(same(value, option) for option in says),
    "const": lambda value, says, _: same(value, says),
    "anyOf": lambda value, says, _: any(fits(value, option) for option in says),
    "allOf": lambda value, says, _: all(fits(value, option) for option in says),
    "not": lambda value, says, _: not fits(value, says),
    "if": lambda value, says, schema: not fits(value, says) or fits(value, schema["then"]),
    "pattern": lambda value, says, _: not isinstance(value, str) or re.search(says, value),
    "minLength": lambda value, says, _: not isinstance(value, str) or len(value) >= says,
    "minimum": lambda value, says, _: not is_type(value, "number") or value >= says,
    "maximum": lambda value, says, _: not is_type(value, "number") or value <= says,
    "items": lambda value, says, _: all(fits(item, says) for item in listed(value)),
    "contains": lambda value, says, _: (
        not isinstance(value, list) or any(fits(item, says) for item in value)
    ),
    "minItems": lambda value, says, _: not isinstance(value, list) or len(value) >= says,
    "maxItems": lambda value, says, _: len(listed(value)) <= says,
    "required": lambda value, says, _: not isinstance(value, dict) or set(says) <= set(value),
    "properties": lambda value, says, _: all(
        fits(paired(value)[key], part) for key, part in says.items() if key in paired(value)
    ),
    "propertyNames": lambda value, says, _: all(fits(key, says) for key in paired(value)),
    "additionalProperties": lambda value, says, schema: all(
        fits(paired(value)[key], says) for key in paired(value).keys() - schema["properties"].keys()
    ),
}
NOTES = {"$schema", "$defs", "title", "description", "then"}


def fits(value, schema):
    if isinstance(schema, bool):
        return schema
    words = (item for item in schema.items() if item[0] not in NOTES)
    return all(WORDS[word](value, says, schema) for word, says in words)


def test_the_schema_in_jobs_is_the_one_that_is_printed():
    """What editors are given is what this version knows; `batchgen schema` writes it anew."""
    assert json.loads((JOBS / "manifest.schema.json").read_text()) == SCHEMA


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
        {"budget": {"amount": 5}, "jobs": ["a"]},
        {"budget": {"amount": 5, "currency": "dollars"}, "jobs": ["a"]},
        {"defaults": {"colour": "red"}, "jobs": ["a"]},
        {"defaults": {"id": "a"}, "jobs": ["a"]},
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
        {"jobs": None, "jobs_from": "more.csv"},
        {"jobs_from": ["a.txt", "b.jsonl"], "catalog": "mine.yaml"},
        {"name": 2024, "budget": {"amount": "25.50", "currency": "USD"}, "jobs": ["a"]},
        {"defaults": {"model": "wan2.6-t2v", "resolution": "720P"}, "jobs": [{"prompt": 1917}]},
        {"jobs": [{"prompt": "a", "model": "wan2.6-t2v", "duration": None}]},
        {"jobs": [{"prompt": "a", "long_prompt": "cut", "extra_input": {"new": 1}}]},
        {"jobs": [{"model": "wan2.6-image", "prompt": "a", "images": "a.png"}]},
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
