"""The stand-in of one batch, for ``run --sandbox``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from batchgen.api import Endpoint, Settings
from batchgen.catalog import load as load_catalog
from batchgen.cli.manifests import place_for
from batchgen.dashscope.endpoint import Secret
from batchgen.manifest import Manifest, output_folder


class Rehearsal:
    """Starts a sandbox when it is first asked: a finished batch asks nothing.

    It sells at the prices of the batch's region. Tasks, bill and clock stay in the batch's folder,
    so that a rehearsal can be interrupted and continued like the real thing. What goes wrong by the
    script `faults` begins anew with each start.
    """

    def __init__(self, manifest: Manifest, settings: Settings, faults: Path | None = None) -> None:
        self._faults = faults
        batch = output_folder(manifest, settings.output, sandbox=True)
        self._folder = batch / ".batchgen" / "sandbox"
        self._speed = settings.service_speed
        self._region = _region(manifest)
        self.bill: str | None = None
        """In words, of all runs so far; None where this one asked nothing, or the disk refuses."""

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Endpoint]:
        """Raises Mistake where the extra is missing, the script is wrong or the speed is none,
        MachineError where the disk refuses.
        """
        # The server's half of aiohttp, only where something is asked.
        from batchgen.cli.stand_in import bill_line, faults_of, made, opened  # noqa: PLC0415

        sandbox = made(
            self._folder,
            speed=self._speed,
            region=self._region,
            faults=faults_of(self._faults),
        )
        async with opened(sandbox):
            try:
                yield Endpoint(base_url=sandbox.base_url, key=Secret("sk-sandbox"))
            finally:
                with suppress(OSError):
                    self.bill = bill_line(sandbox.bill())


def _region(manifest: Manifest) -> str:
    """The region whose prices the batch was checked with, by the name that its hosts have."""
    catalog = load_catalog()
    named = place_for(sandbox=True, region=None, base_url=None).region_of(manifest.region)
    region = (catalog.region(named) if named else None) or catalog.default_region
    return region.aliases[0]
