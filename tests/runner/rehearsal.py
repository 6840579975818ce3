"""A batch against the sandbox, in one process and on virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from batchgen.api import Endpoint, Run, Settings, Summary
from batchgen.dashscope.endpoint import Secret
from batchgen.manifest import load
from batchgen.sandbox import Bill, Faults, Sandbox

START = 1_790_000_000.0
KEY = "sk-canary-0123456789abcdef"


@dataclass
class Rehearsal:
    """One manifest, run as often as a test likes against one sandbox folder."""

    folder: Path
    faults: Faults = field(default_factory=Faults)
    settings: dict = field(default_factory=dict)
    key: str = KEY
    keys: dict = field(default_factory=lambda: {KEY: "account"})
    """The keys that the service takes, each with its account."""
    region: str = "ap-southeast-1"
    bill: Bill | None = None
    clock: float = 0.0
    """Seconds by which the clock of this machine is wrong."""
    renew: Callable[[], Secret | None] | None = None
    visit: Callable[[str], Awaitable[None]] | None = None
    """Awaited with the base URL before the run has it: what others do with the account."""

    def manifest(self, text: str) -> Path:
        path = self.folder / "film.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    @property
    def output(self) -> Path:
        return self.folder / "output" / "sandbox" / "film"

    def sidecar(self, job: str) -> dict:
        return json.loads((self.output / f"{job}.json").read_text(encoding="utf-8"))

    def start(self, text: str | None = None, **kwargs) -> Run:
        """A run that is ready to be awaited; the sandbox starts only when the run asks for it."""
        path = self.folder / "film.yaml" if text is None else self.manifest(text)
        loop = asyncio.get_running_loop()

        @asynccontextmanager
        async def connect():
            async with Sandbox(
                self.folder / "service",
                keys=self.keys,
                region=self.region,
                faults=self.faults,
                start=START,
            ) as sandbox:
                if self.visit:
                    await self.visit(sandbox.base_url)
                key = Secret(self.key)
                try:
                    yield Endpoint(base_url=sandbox.base_url, key=key, renew=self.renew)
                finally:
                    self.bill = sandbox.bill()

        settings = Settings(sandbox=True, **self.settings)
        start = START + self.clock
        return Run(
            load(path), settings, connect=connect, wall=lambda: start + loop.time(), **kwargs
        )

    async def run(self, text: str | None = None, **kwargs) -> Summary:
        return await self.start(text, **kwargs).run()
