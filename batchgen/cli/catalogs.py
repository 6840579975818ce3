"""The calls of ``models`` and ``schema``: what batchgen knows, shown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from batchgen.api.endpoint import REGION_VARIABLE
from batchgen.catalog import Catalog, Model, Region
from batchgen.cli.manifests import refuse_unknown_region
from batchgen.errors import ExitCode, Mistake
from batchgen.manifest import load_catalog, manifest_schema
from batchgen.report.models import model_data, model_view, models_data, models_view
from batchgen.report.screen import Screen


def show_models(
    screen: Screen,
    *,
    model: str | None,
    region: str | None,
    catalog_files: Sequence[Path],
    as_json: bool,
) -> ExitCode:
    """Raises Mistake for a model or a region that does not exist, and for a wrong catalog file."""
    catalog = load_catalog(*catalog_files)
    where = _region(catalog, region)
    if model is None:
        told: dict[str, Any] | RenderableType
        chosen = [
            one for one in catalog.models.values() if region is None or where.name in one.regions
        ]
        told = models_data(chosen, where) if as_json else models_view(catalog, chosen, where)
    else:
        found = _found(catalog, model)
        told = model_data(found, where) if as_json else model_view(catalog, found, where)
    if isinstance(told, dict):
        screen.tell_json(told)
    else:
        screen.tell(told)
    return ExitCode.DONE


def _region(catalog: Catalog, flag: str | None) -> Region:
    """Whose prices are shown."""
    fallback = os.environ.get(REGION_VARIABLE) or None
    refuse_unknown_region("--region", flag)
    refuse_unknown_region(REGION_VARIABLE, fallback)
    return catalog.region(flag or fallback or "") or catalog.default_region


def _found(catalog: Catalog, name: str) -> Model:
    model = catalog.find(name)
    if model is None:
        raise Mistake(f"There is no model {name}.", hint=_instead(catalog, name))
    return model


def _instead(catalog: Catalog, name: str) -> str:
    for model in catalog.models.values():
        if model.check_model is not None and model.check_model.model == name:
            return f"It is no job of its own: `detect: true` of {model.name} asks it."
    near = catalog.nearest(name)
    return f"Did you mean {near}?" if near else "batchgen models lists them."


def show_schema(screen: Screen, *, catalog_files: Sequence[Path]) -> ExitCode:
    """Raises Mistake for a wrong catalog file."""
    screen.tell_json(manifest_schema(load_catalog(*catalog_files)), indent=1)
    return ExitCode.DONE
