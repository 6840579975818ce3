"""Reads the catalog from its data files.

A file holds a family. What its models share stands under ``every``; a model that is ``like``
another one of the file says only what differs. What is named again is replaced whole, below
``keys`` key by key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from batchgen.catalog import regions
from batchgen.catalog.complaint import nearest
from batchgen.catalog.data import read
from batchgen.catalog.model import COMMON_KEYS, Model
from batchgen.catalog.regions import Region


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


@cache
def load() -> Catalog:
    """The catalog that comes with the package, read once."""
    folder = files(__package__) / "models"
    described: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        described |= _family(read(file))
    known = tuple(sorted({key for facts in described.values() for key in facts["keys"]}))
    return Catalog(
        {
            name: Model.model_validate({**facts, "name": name, "known_keys": known})
            for name, facts in described.items()
        }
    )


def _family(file: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The models of one file, each with all its facts."""
    described: dict[str, dict[str, Any]] = {}
    for name, facts in file["models"].items():
        own = dict(facts)
        like = own.pop("like", None)
        base = described[like] if like else file["every"]
        described[name] = {**base, **own, "keys": {**base["keys"], **own.get("keys", {})}}
    return described
