"""The stand-in of one batch, for ``run --sandbox``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from batchgen.api import Endpoint, Settings
from batchgen.dashscope.endpoint import Secret
from batchgen.manifest import Manifest, output_folder


class Rehearsal:
    """Starts a sandbox when it is first asked: a finished batch asks nothing.

    Tasks, bill and clock stay in the batch's folder, so that a rehearsal can be interrupted and
    continued like the real thing.
    """

    def __init__(self, manifest: Manifest, settings: Settings) -> None:
        batch = output_folder(manifest, settings.output, sandbox=True)
        self._folder = batch / ".batchgen" / "sandbox"
        self._speed = settings.service_speed
        self.bill: str | None = None
        """In words, of all runs so far; None where this one asked nothing, or the disk refuses."""

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Endpoint]:
        """Raises Mistake where the extra is not installed, MachineError where the disk refuses."""
        # The server's half of aiohttp, only where something is asked.
        from batchgen.cli.stand_in import bill_line, opened  # noqa: PLC0415
        from batchgen.sandbox import Sandbox  # noqa: PLC0415

        sandbox = Sandbox(self._folder, speed=self._speed)
        async with opened(sandbox):
            try:
                yield Endpoint(base_url=sandbox.base_url, key=Secret("sk-sandbox"))
            finally:
                with suppress(OSError):
                    self.bill = bill_line(sandbox.bill())
