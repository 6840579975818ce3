"""The catalog as a JSON Schema, by which an editor completes and checks a job.

It may let pass what a check refuses, and refuses nothing that a check takes. Rules:

- What depends on measured files, on sums or on other lists is left to the checks.
- A job shows only a part of itself: its manifest's defaults stand elsewhere. So a case is known to
  hold, or not to hold, only by keys that the job gives; where it is not known, both are right. A
  job without a ``model`` of its own may say what any model takes, as far as this schema knows.
- A null takes back a default: it is right for every key, also for one of another model. What a null
  leaves is the model's own default.
- What one key takes is written once, under ``$defs``, however many models and cases share it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from batchgen.catalog.cases import Case, Condition, settle, together
from batchgen.catalog.checks import CUT
from batchgen.catalog.model import Model

_Schema = dict[str, Any]

_NULL: _Schema = {"type": "null"}
_COMMON: _Schema = {
    "long_prompt": {
        "enum": [CUT, None],
        "description": "accept that a text that is too long is cut",
    },
    "extra_input": {
        "type": ["object", "null"],
        "description": "goes into `input` unchecked",
    },
    "extra_parameters": {
        "type": ["object", "null"],
        "description": "goes into `parameters` unchecked",
    },
}


def job_schema(models: Mapping[str, Model], besides: Iterable[str] = ()) -> _Schema:
    """The schema of a job; ``besides`` are keys of a job that no model has (``id``).

    Its references are to its ``$defs``, which have to stand at the root of the whole schema. Each
    rule of its ``allOf`` is about models that take the same: named in ``if``, told by ``then``.
    """
    shared = _Shared()
    own = {"model": True, **dict.fromkeys(besides, True), **dict.fromkeys(_COMMON, True)}
    rules = [*_by_model(models.values(), own, shared)]
    properties = {"model": {"enum": [*models, None]}, **_COMMON, **_any_model(models, shared)}
    return {
        "type": "object",
        "properties": properties,
        "allOf": rules,
        "$defs": shared.definitions,
    }


class _Shared:
    """What keys take, each distinct schema once."""

    def __init__(self) -> None:
        self.definitions: dict[str, _Schema] = {}
        self._names: dict[str, str] = {}

    def one(self, key: str, schema: _Schema) -> _Schema:
        """A reference to what the key takes; a null is taken as well."""
        text = f"{key} {json.dumps(schema)}"
        if text not in self._names:
            number = sum(name.startswith(f"{key}.") for name in self.definitions) + 1
            self._names[text] = f"{key}.{number}"
            self.definitions[f"{key}.{number}"] = {"anyOf": [schema, _NULL]}
        return {"$ref": f"#/$defs/{self._names[text]}"}


def _any_of(options: Iterable[_Schema]) -> _Schema:
    """One of the options, told once."""
    distinct: list[_Schema] = []
    for option in options:
        if option not in distinct:
            distinct.append(option)
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


def _any_model(models: Mapping[str, Model], shared: _Shared) -> _Schema:
    """What each key may be for one model or another, whatever else the job says."""
    options: dict[str, list[_Schema]] = {}
    for model in models.values():
        for key in model.keys:
            variants = _Variants(model, key, shared).any
            options.setdefault(key, []).extend(variants.get("anyOf", [variants]))
    return {key: _any_of(schemas) for key, schemas in options.items()}


def _by_model(models: Iterable[Model], own: _Schema, shared: _Shared) -> Iterator[_Schema]:
    """Yield what each model takes, once for all models that take the same."""
    alike: list[tuple[_Schema, list[str]]] = []
    for model in models:
        schema = _of_model(model, own, shared)
        names = next((names for known, names in alike if known == schema), None)
        if names is None:
            alike.append((schema, [model.name]))
        else:
            names.append(model.name)
    for number, (schema, names) in enumerate(alike, 1):
        shared.definitions[f"model.{number}"] = schema
        yield {
            "if": {"properties": {"model": {"enum": names}}, "required": ["model"]},
            "then": {"$ref": f"#/$defs/model.{number}"},
        }


def _of_model(model: Model, own: _Schema, shared: _Shared) -> _Schema:
    variants = {key: _Variants(model, key, shared) for key in model.keys}
    schema: _Schema = {
        "properties": {**own, **{key: one.any for key, one in variants.items()}},
        "additionalProperties": _NULL,
    }
    if rules := [*_rules(model, variants)]:
        schema["allOf"] = rules
    return schema


def _rules(model: Model, variants: Mapping[str, _Variants]) -> Iterator[_Schema]:
    """Yield what the job must keep to where it shows that a case holds, or that none does."""
    for case in model.cases:
        held = {key: variants[key].with_case(case) for key in case.keys}
        if told := {key: schema for key, schema in held.items() if schema != variants[key].any}:
            yield {"if": _holds(model, case), "then": {"properties": told}}
    for one in variants.values():
        if one.changing and one.without_cases != one.any:
            fails = [_fails(model, case) for case in one.changing]
            yield {
                "if": fails[0] if len(fails) == 1 else {"allOf": fails},
                "then": {"properties": {one.key: one.without_cases}},
            }


class _Variants:
    """What a key may be, by which of the cases that change it hold."""

    def __init__(self, model: Model, key: str, shared: _Shared) -> None:
        self.key = key
        self.changing = tuple(case for case in model.cases if key in case.keys)
        self._model = model
        self._shared = shared
        self._variants = [(cases, self._settled(cases)) for cases in together(self.changing)]

    def _settled(self, cases: Sequence[Case]) -> _Schema:
        takes = settle(self._model.keys, cases).keys.get(self.key)
        return _NULL if takes is None else self._shared.one(self.key, takes.json_schema())

    @property
    def any(self) -> _Schema:
        return self._among(schema for _, schema in self._variants)

    @property
    def without_cases(self) -> _Schema:
        return self._settled(())

    def with_case(self, case: Case) -> _Schema:
        return self._among(schema for cases, schema in self._variants if case in cases)

    def _among(self, options: Iterable[_Schema]) -> _Schema:
        told = [option for option in options if option != _NULL]  # the others take a null as well
        return _any_of(told or [_NULL])


def _holds(model: Model, case: Case) -> _Schema:
    """What a job shows for which the case is known to hold."""
    conditions = {key: _of_condition(model, key, test) for key, test in case.when.items()}
    return {"properties": conditions, "required": list(conditions)}


def _fails(model: Model, case: Case) -> _Schema:
    """What a job shows for which the case is known not to hold."""
    return _any_of(
        {"properties": {key: {"not": _of_condition(model, key, test)}}, "required": [key]}
        for key, test in case.when.items()
    )


def _of_condition(model: Model, key: str, condition: Condition) -> _Schema:
    """What a written value must be; a null is the model's default."""
    met = _of_value(condition)
    default = settle(model.keys, ()).defaults.get(key)
    return _any_of((met, _NULL)) if condition.is_met(default) else met


def _of_value(condition: Condition) -> _Schema:
    if condition.given is not None:
        return {"not": _NULL} if condition.given else _NULL
    if condition.holds:
        item = {"properties": {"type": {"enum": list(condition.holds)}}, "required": ["type"]}
        return {"type": "array", "contains": item}
    if condition.none_of:
        return {"not": {"enum": [*condition.none_of, None]}}
    return {"enum": list(condition.one_of)}
