"""The manifest as a JSON Schema, for editors that complete and check while somebody writes.

It says what can be said without reading other files or counting: the keys, and what each model
takes. It may let pass what a run refuses; what it refuses, a run refuses as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchgen.catalog import Catalog
from batchgen.manifest.schema import CODE, Budget, Header, Limits, Retry

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TEXT: Mapping[str, Any] = {"type": ["string", "number", "boolean", "null"]}
"""A scalar that is text as written, also where it looks like something else."""
_PATHS: Mapping[str, Any] = {"anyOf": [_TEXT, {"type": "array", "items": {"type": "string"}}]}
_LIMITS: Mapping[str, Any] = {
    "max_in_flight": {"type": ["integer", "null"], "minimum": 1},
    "queries_per_second": {"type": ["number", "null"], "minimum": 0.1},
    "settle": {"type": ["number", "null"], "minimum": 0},
    "stop_after_failures": {"type": ["integer", "null"], "minimum": 1},
}
_RETRY: Mapping[str, Any] = {
    "attempts": {"type": ["integer", "null"], "minimum": 1, "maximum": 10},
    "codes": {
        "type": ["string", "array", "null"],
        "pattern": CODE,
        "items": {"type": "string", "pattern": CODE},
    },
}
_BUDGET: Mapping[str, Any] = {
    "amount": {"type": ["number", "string"], "minimum": 0, "pattern": r"^[0-9]+(\.[0-9]{1,6})?$"},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
}


def manifest_schema(catalog: Catalog) -> dict[str, Any]:
    """The whole manifest, with every model of the catalog."""
    job = catalog.job_schema(besides=["id"])
    keys = {"id": {**_TEXT, "description": "names the job and its files"}, **job["properties"]}
    return {
        "$schema": DIALECT,
        "title": "batchgen manifest",
        **_section(Header, _header(catalog)),
        "allOf": [_by_default(**rule) for rule in job["allOf"]],
        "$defs": {
            "keys": {"type": "object", "properties": keys, "additionalProperties": False},
            "job": {"allOf": [{"$ref": "#/$defs/keys"}, *job["allOf"]]},
            **job["$defs"],
        },
    }


def _by_default(**rule: Mapping[str, Any]) -> dict[str, Any]:
    """What a model takes, for the jobs that have theirs from the defaults."""
    nameless = {"type": "object", "not": {"required": ["model"]}}
    return {
        "if": {
            "properties": {"defaults": {"type": "object", **rule["if"]}},
            "required": ["defaults"],
        },
        "then": {"properties": {"jobs": {"items": {"if": nameless, "then": rule["then"]}}}},
    }


def _header(catalog: Catalog) -> dict[str, Any]:
    regions = [name for one in catalog.regions for name in (one.name, *one.aliases)]
    prompt = {"type": ["string", "number", "boolean"], "description": "a prompt"}
    return {
        "name": _TEXT,
        "output": _TEXT,
        "region": {"enum": [*regions, None]},
        "limits": _or_null(_section(Limits, _LIMITS)),
        "retry": _or_null(_section(Retry, _RETRY)),
        "exclusive_account": {"type": ["boolean", "null"]},
        "budget": _or_null({**_section(Budget, _BUDGET), "required": list(_BUDGET)}),
        "defaults": _or_null({"$ref": "#/$defs/keys", "properties": {"id": False}}),
        "jobs": _or_null({"type": "array", "items": {"anyOf": [prompt, {"$ref": "#/$defs/job"}]}}),
        "jobs_from": _PATHS,
        "catalog": _PATHS,
    }


def _section(
    section: type[Header | Limits | Retry | Budget], properties: Mapping[str, Any]
) -> dict[str, Any]:
    """A mapping whose keys are the section's, in its order and described in its words."""
    return {
        "type": "object",
        "properties": {
            key: {"description": field.description, **properties[key]}
            for key, field in section.model_fields.items()
        },
        "additionalProperties": False,
    }


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
