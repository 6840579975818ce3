"""The table of models, read and checked: the built-in one, and a person's own beside it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import yaml
from pydantic import TypeAdapter, ValidationError

from batchgen.sandbox.models.model import Model
from batchgen.sandbox.models.prices import currency_of

BUILT_IN = "table.yaml"

Rows = Mapping[str, Any]


@cache
def built_in() -> Mapping[str, Model]:
    """The models of the service; read once, when first wanted."""
    table = _built_in_table()
    return MappingProxyType(_models(table["models"], {}, table["media"], BUILT_IN))


def read(path: Path) -> Mapping[str, Model]:
    """The built-in models, with those of a file added or put in their place.

    The file has the shape of `table.yaml`: `models`, whose rows may be `like` a built-in one or one
    of its own, and `media`. Raises ValueError that names the file and the place, OSError where it
    cannot be read.
    """
    table, own = _built_in_table(), _loaded(path.read_bytes(), path.name)
    media, rows = {**table["media"], **own["media"]}, own["models"]
    return MappingProxyType({**built_in(), **_models(rows, table["models"], media, path.name)})


def sold_in(region: str, models: Mapping[str, Model]) -> Mapping[str, Model]:
    """The models at the prices of a region."""
    currency = currency_of(region)
    return MappingProxyType({name: model.sold_in(currency) for name, model in models.items()})


@cache
def _built_in_table() -> Mapping[str, Rows]:
    return _loaded(files(__package__).joinpath(BUILT_IN).read_bytes(), BUILT_IN)


def _loaded(content: bytes, file: str) -> dict[str, Rows]:
    try:
        table = yaml.safe_load(content.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: byte {error.start} of the file is not UTF-8") from None
    except RecursionError:
        raise ValueError(f"{file}: it is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{file}: {_in_a_line(error)}") from None
    given = table if isinstance(table, dict) else {}
    unknown = given.keys() - {"models", "media"}
    if unknown or not isinstance(given.get("models"), dict):
        raise ValueError(f"{file}: it has a mapping `models`, may have `media`, and nothing else")
    return {
        "models": given["models"],
        "media": _mapping(given.get("media") or {}, f"{file}: media"),
    }


def _models(rows: Rows, others: Rows, media: Rows, file: str) -> dict[str, Model]:
    """`others` are the rows that `like` may name besides these."""
    complete = {name: _complete(name, rows, others, media, file) for name in rows}
    try:
        return TypeAdapter(dict[str, Model]).validate_python(complete)
    except ValidationError as error:
        raise ValueError(_in_words(error, file)) from None


def _complete(name: str, rows: Rows, others: Rows, media: Rows, file: str) -> dict[str, Any]:
    row = _inherited(name, rows, others, f"{file}: models.{name}")
    row["name"] = name
    place = f"{file}: models.{name}"
    variants = {
        kind: _mapping(row.pop(kind, None) or {}, f"{place}.{kind}")
        for kind in ("functions", "modes")
    }
    for kind, given in variants.items():
        row[kind] = {}
        for variant, changes in given.items():
            own = _mapping(changes, f"{place}.{kind}.{variant}")
            row[kind][variant] = _ruled(
                {**row, "functions": {}, "modes": {}, **own}, media, file, name
            )
    return _ruled(row, media, file, name)


def _inherited(name: str, rows: Rows, others: Rows, place: str) -> dict[str, Any]:
    """The row with all that it takes over, however far that goes back."""
    row, seen, own = _mapping(rows[name], place), {name}, rows
    while "like" in row:
        parent = str(row.pop("like"))
        if parent in seen or parent not in rows:
            # A row that is like itself changes the built-in one, all of whose parents are built-in.
            rows, others, seen = others, {}, set()
        if parent not in rows:
            circle = f"`{parent}` is like itself, and " if parent in own else ""
            raise ValueError(f"{place}.like: {circle}there is no such model: {parent}")
        seen.add(parent)
        row = {**_mapping(rows[parent], f"{place}.like: {parent}"), **row}
    return row


def _ruled(row: dict[str, Any], media: Rows, file: str, name: str) -> dict[str, Any]:
    """The row with the rules that its slots take in full."""
    given = row.get("media")
    if not isinstance(given, dict):
        return row
    place = f"{file}: models.{name}.media"
    slots = {}
    for key, slot in _mapping(given.get("slots") or {}, f"{place}.slots").items():
        entry = _mapping(slot, f"{place}.slots.{key}")
        names = entry.get("takes")
        taken = _rules(names if isinstance(names, list) else [names], media, place)
        slots[key] = {"role": key, **entry, "takes": taken}
    ruled = {**given, "slots": slots}
    if "voices" in given:
        (ruled["voices"],) = _rules([given["voices"]], media, place)
    return {**row, "media": ruled}


def _rules(names: Iterable[Any], media: Rows, place: str) -> list[Any]:
    try:
        return [media[name] for name in names]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{place}: there is no such entry in `media`: {error}") from None


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        message = f"{place}: it must be a mapping, not {repr(value)[:60]}"
        raise ValueError(message)  # noqa: TRY004 - a mistake in a file, not in a program
    return cast("dict[str, Any]", dict(value))


def _in_words(error: ValidationError, file: str) -> str:
    problems = {problem["loc"]: problem["msg"] for problem in error.errors(include_url=False)}
    return "\n".join(
        f"{file}: models.{'.'.join(map(str, place))}: {message}"
        for place, message in problems.items()
        if not _is_inherited(place, problems)
    )


def _is_inherited(place: tuple[Any, ...], problems: Container[tuple[Any, ...]]) -> bool:
    """Whether a variant's mistake is the model's own, which is told already."""
    model, *rest = place
    return rest[:1] in (["functions"], ["modes"]) and (model, *rest[2:]) in problems


def _in_a_line(error: Exception) -> str:
    """What a parser says, with the place where it stopped."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error).split())
    words = ": ".join(filter(None, (error.context, error.problem)))
    mark = error.problem_mark or error.context_mark
    return f"{words}, line {mark.line + 1}, column {mark.column + 1}" if mark else words
