"""The stand-in of one batch, for ``run --sandbox``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from batchgen.api import Endpoint, Settings
from batchgen.dashscope.endpoint import Secret
from batchgen.manifest import Manifest, output_folder


class Rehearsal:
    """Starts a sandbox when it is first asked: a finished batch asks nothing.

    Tasks, bill and clock stay in the batch's folder, so that a rehearsal can be interrupted and
    continued like the real thing. What goes wrong by the script `faults` begins anew with each
    start.
    """

    def __init__(self, manifest: Manifest, settings: Settings, faults: Path | None = None) -> None:
        self._faults = faults
        batch = output_folder(manifest, settings.output, sandbox=True)
        self._folder = batch / ".batchgen" / "sandbox"
        self._speed = settings.service_speed
        self.bill: str | None = None
        """In words, of all runs so far; None where this one asked nothing, or the disk refuses."""

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Endpoint]:
        """Raises Mistake where the extra is missing or the script is wrong, MachineError where
        the disk refuses.
        """
        # The server's half of aiohttp, only where something is asked.
        from batchgen.cli.stand_in import bill_line, faults_of, opened  # noqa: PLC0415
        from batchgen.sandbox import Sandbox  # noqa: PLC0415

        sandbox = Sandbox(self._folder, speed=self._speed, faults=faults_of(self._faults))
        async with opened(sandbox):
            try:
                yield Endpoint(base_url=sandbox.base_url, key=Secret("sk-sandbox"))
            finally:
                with suppress(OSError):
                    self.bill = bill_line(sandbox.bill())
