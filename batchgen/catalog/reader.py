"""Reads the catalog from its data files: those of the package, then the user's own.

A file holds a family. What its models share stands under ``every``; a model that is ``like``
another one, of this file or one before, says only what differs. What is named again is replaced
whole, below ``keys`` key by key. A model of a later file replaces one of the same name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from batchgen.catalog import regions, schema
from batchgen.catalog.checks import COMMON_KEYS
from batchgen.catalog.complaint import nearest
from batchgen.catalog.consistency import Contradiction
from batchgen.catalog.documents import CatalogError, CatalogProblem, Document, parse, read_document
from batchgen.catalog.model import PROVEN, Model
from batchgen.catalog.regions import Region

__all__ = ["Catalog", "CatalogError", "CatalogProblem", "load"]


@dataclass(frozen=True)
class Catalog:
    """Every model by name, in the order of the data."""

    models: Mapping[str, Model]

    def find(self, name: str) -> Model | None:
        return self.models.get(name)

    def nearest(self, name: str) -> str | None:
        """The model that a misspelt name was probably meant to be."""
        return nearest(name, tuple(self.models))

    @cached_property
    def keys(self) -> frozenset[str]:
        """Every key that some model takes in a job."""
        return COMMON_KEYS.union(*(model.keys for model in self.models.values()))

    @cached_property
    def text_keys(self) -> frozenset[str]:
        """Keys that some model takes as raw text; no model takes one of them as anything else."""
        return frozenset().union(*(model.text_keys for model in self.models.values()))

    @property
    def regions(self) -> tuple[Region, ...]:
        return regions.every()

    @property
    def default_region(self) -> Region:
        return regions.default()

    def region(self, name: str) -> Region | None:
        """The region of this name, in either spelling (``singapore``, ``ap-southeast-1``)."""
        return regions.find(name)

    def region_at(self, url: str) -> Region | None:
        """The region whose host a base URL names; None for any other host."""
        return regions.at(url)

    def job_schema(self, besides: Iterable[str] = ()) -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) of a job, with each model's keys and constraints.

        ``besides`` are keys of a job that no model has. What it refers to stands in its ``$defs``.
        """
        return schema.job_schema(self.models, besides)


def load(*extra: Path) -> Catalog:
    """The catalog that comes with the package, and the models of the user's own files.

    The package's is read once, a user's file every time: it may change under the same name. Raises
    CatalogError with all that is wrong with a user's file.
    """
    return _read(*extra) if extra else _packaged()


@cache
def _packaged() -> Catalog:
    return _read()


def _read(*extra: Path) -> Catalog:
    folder = files(__package__) / "models"
    packaged = sorted(folder.iterdir(), key=lambda file: file.name)
    documents = [parse(file.read_bytes(), file.name) for file in packaged]
    return _Reader(proven=documents).read([*documents, *map(read_document, extra)])


class _Reader:
    """Puts the facts of all files together, and checks them."""

    def __init__(self, proven: Sequence[Document] = ()) -> None:
        """``proven`` are documents whose facts do not contradict each other."""
        self._proven = proven
        self._facts: dict[str, dict[str, Any]] = {}
        self._written: dict[str, Document] = {}
        self._problems: list[CatalogProblem] = []

    def read(self, documents: Iterable[Document]) -> Catalog:
        for document in documents:
            self._read_family(document)
        self._tell_problems()
        models = {name: self._model(name) for name in self._facts}
        self._tell_problems()
        return Catalog({name: model for name, model in models.items() if model})

    def _tell_problems(self) -> None:
        if self._problems:
            raise CatalogError(*sorted(self._problems))

    def _read_family(self, document: Document) -> None:
        family = document.value
        if not isinstance(family, dict) or not isinstance(family.get("models"), dict):
            self._complain(document, (), "it must be a mapping that holds `models`")
            return
        for key in family.keys() - {"every", "models"}:
            self._complain(document, (key,), f"{key} is neither `every` nor `models`")
        for name, own in family["models"].items():
            self._read_model(document, name, own, family.get("every", {}))

    def _read_model(self, document: Document, name: object, own: object, every: object) -> None:
        at = ("models", name if isinstance(name, str) else "")
        if not isinstance(name, str) or not isinstance(own, dict) or not isinstance(every, dict):
            self._complain(document, at, "a model must be a mapping of facts under its name")
            return
        like = own.get("like")
        if like is not None and like not in self._facts:
            meant = nearest(str(like), tuple(self._facts))
            hint = f"; did you mean {meant}?" if meant else ""
            self._complain(document, (*at, "like"), f"there is no model {like} before it{hint}")
            return
        base = every if like is None else self._facts[like]
        keys = own.get("keys", {})
        if not isinstance(keys, dict) or not isinstance(base.get("keys", {}), dict):
            self._complain(document, (*at, "keys"), "keys must be a mapping")
            return
        said = {fact: value for fact, value in own.items() if fact != "like"}
        self._facts[name] = {**base, **said, "keys": {**base.get("keys", {}), **keys}}
        self._written[name] = document

    def _complain(self, document: Document, steps: tuple[str | int, ...], message: str) -> None:
        self._problems.append(document.problem(steps, message))

    def _model(self, name: str) -> Model | None:
        try:
            proven = any(self._written[name] is document for document in self._proven)
            facts = {**self._facts[name], "name": name}
            return Model.model_validate(facts, context=PROVEN if proven else None)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                self._complain_of_fact(name, detail)
            return None

    def _complain_of_fact(self, name: str, detail: ErrorDetails) -> None:
        reason = detail.get("ctx", {}).get("error")
        steps = (*detail["loc"], *(reason.steps if isinstance(reason, Contradiction) else ()))
        document = self._written[name]
        own = document.nearest(steps, ("models", name))
        shared = document.nearest(steps, ("every",))
        deeper = shared if len(shared) > len(own) - 1 and shared != ("every",) else own
        at = ".".join(map(str, steps))
        message = detail["msg"].removeprefix("Value error, ")
        self._complain(document, deeper, f"{name}: {at + ': ' if at else ''}{message}")
