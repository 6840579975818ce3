"""The catalog as a JSON Schema, by which an editor completes and checks a job.

It is looser than the checks: what depends on measured files or on sums is left to them. A job
without a ``model`` of its own takes the defaults' model, which a schema cannot know; for it, a key
is what any model takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from batchgen.catalog.cases import Case, Condition, settle
from batchgen.catalog.checks import CUT
from batchgen.catalog.model import Model

_COMMON: dict[str, Any] = {
    "long_prompt": {"enum": [CUT], "description": "accept that a text that is too long is cut"},
    "extra_input": {"type": "object", "description": "goes into `input` unchecked"},
    "extra_parameters": {"type": "object", "description": "goes into `parameters` unchecked"},
}


def job_schema(models: Mapping[str, Model]) -> dict[str, Any]:
    """The schema of a job; keys that only the manifest knows (``id``) are not forbidden by it."""
    return {
        "type": "object",
        "properties": {"model": {"enum": list(models)}, **_COMMON, **_any_model(models.values())},
        "allOf": [*_by_model(models.values())],
    }


def _any_model(models: Iterable[Model]) -> dict[str, Any]:
    """What each key may be for one model or another."""
    options: dict[str, list[dict[str, Any]]] = {}
    for model in models:
        for key, takes in model.keys.items():
            schema = takes.json_schema()
            if schema not in options.setdefault(key, []):
                options[key].append(schema)
    return {key: _or_null(*schemas) for key, schemas in options.items()}


def _by_model(models: Iterable[Model]) -> Iterator[dict[str, Any]]:
    """Yield what each model takes, once for all models that take the same."""
    alike: list[tuple[dict[str, Any], list[str]]] = []
    for model in models:
        schema = _of_model(model)
        for known, names in alike:
            if known == schema:
                names.append(model.name)
                break
        else:
            alike.append((schema, [model.name]))
    for schema, names in alike:
        yield {
            "if": {"properties": {"model": {"enum": names}}, "required": ["model"]},
            "then": schema,
        }


def _of_model(model: Model) -> dict[str, Any]:
    own = {key: _or_null(takes.json_schema()) for key, takes in model.keys.items()}
    foreign = [key for key in model.known_keys if key not in model.keys]
    schema: dict[str, Any] = {
        "properties": own,
        "propertyNames": {"not": {"enum": foreign}},
    }
    if rules := [rule for case in model.cases if (rule := _of_case(model, case))]:
        schema["allOf"] = rules
    return schema


def _of_case(model: Model, case: Case) -> dict[str, Any] | None:
    """What the case changes; None where it changes nothing that a schema can say."""
    terms = settle(model.keys, (case,))
    properties = {
        key: {"type": "null"} if overlay is None else _or_null(terms.keys[key].json_schema())
        for key, overlay in case.keys.items()
    }
    if not properties:
        return None
    conditions = {key: _of_condition(condition) for key, condition in case.when.items()}
    # A key that is not written meets its condition where its default does.
    needed = [key for key, test in case.when.items() if not test.is_met(terms.defaults.get(key))]
    return {
        "if": {"properties": conditions, "required": needed},
        "then": {"properties": properties},
    }


def _of_condition(condition: Condition) -> dict[str, Any]:
    if condition.given is not None:
        return {"not": {"type": "null"}} if condition.given else {"type": "null"}
    if condition.holds:
        item = {"properties": {"type": {"enum": list(condition.holds)}}, "required": ["type"]}
        return {"type": "array", "contains": item}
    if condition.none_of:
        return {"not": {"enum": list(condition.none_of)}}
    return {"enum": list(condition.one_of)}


def _or_null(*schemas: dict[str, Any]) -> dict[str, Any]:
    """A job's null takes back a default of its manifest."""
    return {"anyOf": [*schemas, {"type": "null"}]}
