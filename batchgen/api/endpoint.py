"""Where the service is and who asks: flag before manifest before environment before default.

Except that a manifest names a region, never a URL, and that an explicit URL (flag or environment)
beats any region: a manifest from a stranger must not lead the key elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from batchgen.catalog import Catalog
from batchgen.dashscope.endpoint import Secret, api_key, base_url
from batchgen.errors import Mistake

URL_VARIABLE = "DASHSCOPE_HTTP_BASE_URL"
REGION_VARIABLE = "DASHSCOPE_API_REGION"
WORKSPACE_VARIABLE = "DASHSCOPE_WORKSPACE_ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What flags and environment say about where the service is, before the manifest is read."""

    url: str | None = None
    """An explicit base URL."""
    region: str | None = None
    """From a flag: it beats the manifest's."""
    fallback: str | None = None
    """From the environment: the manifest's beats it."""
    workspace: str | None = None

    @property
    def check_region(self) -> bool:
        """With an explicit URL and no region there is nothing to check models against."""
        return self.url is None

    def region_of(self, manifest_region: str | None) -> str | None:
        """The region that counts; None for the default one, or for none behind an explicit URL."""
        return self.region or manifest_region or self.fallback


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The service, ready to be asked."""

    base_url: str
    key: Secret
    workspace: str | None = None


def find_place(
    *, url: str | None = None, region: str | None = None, environ: Mapping[str, str] = os.environ
) -> Place:
    """Read the environment as the official SDK does (PyPI ``dashscope`` 2.0.2). Raises Mistake."""
    explicit = url or environ.get(URL_VARIABLE)
    return Place(
        url=base_url(explicit) if explicit else None,
        region=region,
        fallback=environ.get(REGION_VARIABLE) or None,
        workspace=environ.get(WORKSPACE_VARIABLE) or None,
    )


def find_endpoint(
    place: Place,
    manifest_region: str | None,
    catalog: Catalog,
    *,
    environ: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> Endpoint:
    """The base URL and the key. Raises Mistake where there is no key."""
    named = place.region_of(manifest_region)
    region = (catalog.region(named) if named else None) or catalog.default_region
    key = api_key(environ, home or Path(environ.get("HOME") or "/"))
    if key is None:
        raise Mistake(
            "There is no API key.",
            hint="Set DASHSCOPE_API_KEY (or put the key into ~/.dashscope/api_key),"
            " or try the same with --sandbox, which needs none.",
        )
    return Endpoint(base_url=place.url or region.base_url, key=key, workspace=place.workspace)
