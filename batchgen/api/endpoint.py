"""Where the service is and who asks: flag before manifest before environment before default.

Except that a manifest names a region, never a URL, and that an explicit URL (flag or environment)
beats any region: a manifest from a stranger must not lead the key elsewhere.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from batchgen.catalog import Catalog, Region
from batchgen.dashscope.endpoint import Secret, api_key, base_url
from batchgen.errors import Mistake

URL_VARIABLE = "DASHSCOPE_HTTP_BASE_URL"
REGION_VARIABLE = "DASHSCOPE_API_REGION"
WORKSPACE_VARIABLE = "DASHSCOPE_WORKSPACE_ID"

_WORKSPACE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
"""One label of a host name: an id must not lead the key to another host."""


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
    renew: Callable[[], Secret | None] | None = None
    """Reads the key anew, where it may have been rotated since; None where there is none now."""


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


def refuse_other_region(place: Place, manifest_region: str | None, catalog: Catalog) -> None:
    """A key, its models and its host are of one region. Raises Mistake where two are named."""
    named = place.region_of(manifest_region)
    asked = catalog.region_at(place.url) if place.url else None
    if named and asked and catalog.region(named) is not asked:
        raise Mistake(
            f"The base URL is a host of {asked.title}, but the region is {named}.",
            hint="A key, its models and its host are of one region: drop one of the two.",
        )


def find_endpoint(
    place: Place,
    manifest_region: str | None,
    catalog: Catalog,
    *,
    environ: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> Endpoint:
    """The base URL and the key.

    Where a workspace is known its own host is asked, as the service advises (Base URL, 2026-05-30);
    some regions have no other. Raises Mistake where there is no key, or no host.
    """
    named = place.region_of(manifest_region)
    region = (catalog.region(named) if named else None) or catalog.default_region
    where = home or _home(environ)
    key = api_key(environ, where)
    if key is None:
        raise Mistake(
            "There is no API key.",
            hint="Set DASHSCOPE_API_KEY (or put the key into ~/.dashscope/api_key),"
            " or try the same with --sandbox, which needs none.",
        )
    url = place.url or _host(region, place.workspace)

    def renew() -> Secret | None:
        with suppress(Mistake):  # a file that is just being written is no reason to end a run
            return api_key(environ, where)
        return None

    return Endpoint(base_url=url, key=key, workspace=place.workspace, renew=renew)


def _home(environ: Mapping[str, str]) -> Path:
    """Cron may start with no HOME: then the home of whoever runs this is known to the system."""
    if named := environ.get("HOME"):
        return Path(named)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path("/")


def _host(region: Region, workspace: str | None) -> str:
    if workspace:
        if not _WORKSPACE.fullmatch(workspace):
            raise Mistake(
                f"{WORKSPACE_VARIABLE} cannot be part of a host name.",
                hint="copy the workspace's id again from the console",
            )
        return base_url(region.workspace_url.format(workspace=workspace))
    if region.base_url is None:
        raise Mistake(
            f"{region.title} is reached through a workspace's own host only.",
            hint=f"Set {WORKSPACE_VARIABLE} to the id of your workspace there.",
        )
    return region.base_url
