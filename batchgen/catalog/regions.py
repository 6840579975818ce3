"""The service's regions: what they are called, where they are, and the currency they bill in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from batchgen.catalog.data import Data
from batchgen.catalog.documents import parse


class Region(Data):
    """One region of the service. Keys, models and tasks of one region are unknown to the others."""

    name: str
    title: str
    aliases: tuple[str, ...]
    base_url: str | None = None
    """Of the shared host, up to and including ``/api/v1``; None: the region has none, and is
    reached through a workspace's host only."""
    workspace_url: str
    """Of a workspace's own host; ``{workspace}`` stands for its id."""
    currency: str
    """Of the region's price list, by its ISO 4217 code."""


class Regions(Data):
    """All regions, and the one that is meant where none is named."""

    source: str
    default: str
    regions: tuple[Region, ...]


@cache
def _read() -> Regions:
    file = files(__package__) / "regions.yaml"
    return Regions.model_validate(parse(file.read_bytes(), file.name).value)


@cache
def _spellings() -> Mapping[str, Region]:
    return {name: region for region in _read().regions for name in (region.name, *region.aliases)}


def every() -> tuple[Region, ...]:
    return _read().regions


def default() -> Region:
    return _spellings()[_read().default]


def find(name: str) -> Region | None:
    """The region of this name, in either spelling (``singapore``, ``ap-southeast-1``)."""
    return _spellings().get(name)


def named(name: str | None) -> Region:
    """The region of this name, or the default one for None; KeyError for any other name."""
    return default() if name is None else _spellings()[name]


def at(url: str) -> Region | None:
    """The region whose host a base URL names, its shared one or a workspace's; None for others."""
    host = urlsplit(url).hostname or ""
    for region in every():
        own = urlsplit(region.workspace_url).netloc.removeprefix("{workspace}")
        shared = urlsplit(region.base_url or "").hostname
        if host == shared or host.endswith(own):
            return region
    return None
