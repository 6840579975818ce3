"""A batch against the sandbox, on virtual time, and what a person does to it between its runs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from batchgen.api import Endpoint, Place, Settings
from batchgen.api.begun import begun
from batchgen.api.canceling import cancel
from batchgen.api.retrying import retry
from batchgen.api.runs import Run
from batchgen.api.standing import look
from batchgen.api.verifying import verify
from batchgen.dashscope.endpoint import Secret
from batchgen.journal import Journal
from batchgen.manifest import load
from batchgen.sandbox import Sandbox
from tests.runner.rehearsal import KEY, START, Rehearsal


class Night(Rehearsal):
    """A manifest, its runs, and what lies between them. ``later`` moves the wall clock."""

    later: float = 0.0

    @property
    def path(self):
        return self.folder / "film.yaml"

    @property
    def replaced(self):
        folder = self.output / ".batchgen" / "replaced"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def wall(self):
        return START + self.later + asyncio.get_running_loop().time()

    @asynccontextmanager
    async def connect(self):
        async with Sandbox(
            self.folder / "service",
            keys={KEY: "account"},
            region=self.region,
            faults=self.faults,
            start=START,
        ) as sandbox:
            yield Endpoint(base_url=sandbox.base_url, key=Secret(self.key))
            self.bill = sandbox.bill()

    def chosen(self, **changes):
        return Settings(sandbox=True, **{**self.settings, **changes})

    def started(self, manifest, *, stop_when=None, **changes):
        """A run of a manifest that is read already, to be stopped when its progress says so."""

        def watch(progress):
            if stop_when is not None and stop_when(progress):
                run.stop()

        run = Run(
            manifest,
            self.chosen(**changes),
            connect=self.connect,
            on_progress=watch,
            wall=self.wall,
        )
        return run

    async def go(self, text=None, *, stop_when=None, **changes):
        if text is not None:
            self.manifest(text)
        return await self.started(load(self.path), stop_when=stop_when, **changes).run()

    def begun(self, **changes):
        (found,) = begun(self.path, self.chosen(**changes), place=Place())
        return found

    async def collect(self, **changes):
        return await self.started(self.begun(), collect=True, **changes).run()

    async def retry(self, *wishes, **changes):
        return await retry(load(self.path), self.chosen(**changes), wishes, wall=self.wall)

    async def cancel(self, **changes):
        found = self.begun()
        return await cancel(found, self.chosen(**changes), connect=self.connect, wall=self.wall)

    async def verify(self, *, fix=True, **changes):
        return await verify(
            self.begun(), self.chosen(**changes), fix=fix, connect=self.connect, wall=self.wall
        )

    def look(self, **changes):
        return look(load(self.path), self.chosen(**changes))

    def states(self):
        return {job.id: str(job.state) for job in self.look().jobs}

    def note(self, *facts):
        """Write down what has happened elsewhere."""
        with Journal.open(self.output, kind="sandbox", manifest="film", source=self.path) as log:
            log.append(facts)


@pytest.fixture
def night(tmp_path):
    return Night(tmp_path)
