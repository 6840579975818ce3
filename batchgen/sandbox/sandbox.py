"""The sandbox as a whole: its parts put together, opened and closed."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from batchgen.sandbox.clock import Clock, check_speed
from batchgen.sandbox.connections import is_loopback
from batchgen.sandbox.database import Database
from batchgen.sandbox.disk import sweep
from batchgen.sandbox.faults import Faults
from batchgen.sandbox.inputs import Inputs
from batchgen.sandbox.models import Model, built_in, currency_of, sold_in
from batchgen.sandbox.render import Renderer
from batchgen.sandbox.service.app import Api
from batchgen.sandbox.service.events import Events, check_url
from batchgen.sandbox.service.parts import Conduct, Parts
from batchgen.sandbox.service.quotas import Quotas
from batchgen.sandbox.service.server import listen, serve
from batchgen.sandbox.storage.objects import ObjectStore
from batchgen.sandbox.storage.signer import Signer
from batchgen.sandbox.storage.uploads import Uploads
from batchgen.sandbox.tasks.bill import Bill
from batchgen.sandbox.tasks.scheduler import Room, Scheduler
from batchgen.sandbox.tasks.store import Store

DEFAULT_KEYS = {"sk-sandbox": "sandbox"}


class UnknownModels(ValueError):
    """The folder holds tasks of models that are not played."""


class Sandbox:
    """A local stand-in of DashScope for Wan models, with real files, quotas and a bill.

        async with Sandbox(folder, speed=60) as sandbox:
            ...  # point a client at sandbox.base_url with the key "sk-sandbox"

    Tasks, bill, clock and ports live in `folder` and survive a kill; without one they go with the
    sandbox. `speed` is how many seconds of rendering pass in one. `keys` maps API keys to the
    accounts whose tasks and quotas they share. `models` are those it plays (its own by default), at
    the prices of `region`.
    `start` is the time a new folder begins with (Unix seconds; the present by default). `events` is
    a URL of this machine that is told of every task that ends. The rest is told by `Conduct`.

    Raises ValueError for what cannot be. Entering raises RenderingUnavailable when the extra
    `sandbox` is not installed, ValueError when the folder holds something else or tasks in another
    currency (UnknownModels: of other models), and OSError when `port` is taken, the disk refuses,
    or another sandbox is running in the folder (BlockingIOError).
    """

    base_url: str
    face_url: str
    """For a browser: what is there."""
    clock: Clock
    font: str
    """The name of the font the pictures are written in."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        speed: float = 1.0,
        host: str = "127.0.0.1",
        port: int | None = None,
        keys: Mapping[str, str] = DEFAULT_KEYS,
        region: str = "ap-southeast-1",
        models: Mapping[str, Model] | None = None,
        faults: Faults | None = None,
        start: float | None = None,
        events: str | None = None,
        strict: bool = False,
        shared_queries: bool = False,
        steady_rise: bool = False,
        failure_rate: float = 0.0,
    ) -> None:
        if not is_loopback(host):
            raise ValueError(f"the sandbox listens on this machine alone, not on {host}")
        check_speed(speed)
        if events is not None:
            check_url(events)
        self.faults = faults or Faults()
        self._folder = folder
        self._speed = speed
        self._host = host
        self._port = port
        self._keys = dict(keys)
        self._region = region
        self._models = sold_in(region, built_in() if models is None else models)
        self._start = start
        self._events = events
        self._conduct = Conduct(
            strict=strict,
            shared_queries=shared_queries,
            steady_rise=steady_rise,
            failure_rate=failure_rate,
        )

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            folder = self._folder or Path(
                stack.enter_context(TemporaryDirectory(prefix="sandbox-"))
            )
            renderer = Renderer(folder / "results", folder / "inputs")
            stack.callback(renderer.close)
            self.font = renderer.font
            database = Database(folder / "sandbox.sqlite" if self._folder else None)
            stack.callback(database.close)
            # Not before: while another sandbox runs in this folder, it is writing there.
            for name in ("results", "inputs", "uploads"):
                sweep(folder / name)
            self._open_clock(database)
            self.faults.begin(self.clock.now)
            stack.callback(self._keep_clock, database)
            await self._serve(stack, database, renderer, folder)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def bill(self) -> Bill:
        """What all tasks have cost so far. Raises OSError where the disk refuses."""
        return self._scheduler.bill()

    def _open_clock(self, database: Database) -> None:
        start = database.recall("clock")
        if start is None:
            start = time.time() if self._start is None else self._start
        self.clock = Clock(start, speed=self._speed, loop=asyncio.get_running_loop())

    def _keep_clock(self, database: Database) -> None:
        with suppress(OSError):
            database.remember("clock", self.clock.now())

    async def _serve(
        self, stack: AsyncExitStack, database: Database, renderer: Renderer, folder: Path
    ) -> None:
        api_listener = stack.enter_context(listen(self._host, self._port, database, "api port"))
        results_listener = stack.enter_context(listen(self._host, None, database, "results port"))
        origin = "http://{}:{}".format(*results_listener.getsockname())
        signer = Signer(_secret(database), origin)
        parts = self._parts(stack, database, signer, folder)
        objects = ObjectStore(
            scheduler=parts.scheduler,
            renderer=renderer,
            signer=signer,
            uploads=parts.uploads,
            clock=self.clock,
            faults=self.faults,
        )
        for application, listener in (
            (objects.application(), results_listener),
            (Api(parts).application(), api_listener),
        ):
            runner = await serve(application, listener, self.clock, database)
            stack.push_async_callback(runner.cleanup)
        if self._events is not None:
            await stack.enter_async_context(Events(parts, self._events))
        self.face_url = "http://{}:{}/".format(*api_listener.getsockname())
        self.base_url = f"{self.face_url}api/v1"

    def _parts(
        self, stack: AsyncExitStack, database: Database, signer: Signer, folder: Path
    ) -> Parts:
        store = Store(database, currency_of(self._region))
        unknown = store.models() - self._models.keys()
        if unknown:
            raise UnknownModels(
                f"it holds tasks of models that are not known: {', '.join(sorted(unknown))}"
            )
        self._scheduler = Scheduler(store, self.clock, self._room)
        stack.callback(self._scheduler.close)
        uploads = Uploads(database, folder / "uploads", signer, self.clock)
        return Parts(
            keys=self._keys,
            region=self._region,
            models=self._models,
            conduct=self._conduct,
            clock=self.clock,
            database=database,
            store=store,
            scheduler=self._scheduler,
            inputs=Inputs(folder / "inputs", uploads.resolve, self._scheduler.inputs_needed),
            uploads=uploads,
            signer=signer,
            quotas=Quotas(asyncio.get_running_loop()),
            faults=self.faults,
        )

    def _room(self, name: str) -> Room:
        model = self._models[name]
        limits = self.faults.limits(name, model.per_second, model.running, model.queue_length)
        return Room(limits.running, limits.queue)


def _secret(database: Database) -> bytes:
    """Signs the URLs of results; kept, so that a URL outlives the process that made it."""
    kept = database.recall("secret")
    if kept is None:
        kept = os.urandom(20).hex()
        database.remember("secret", kept)
    return bytes.fromhex(kept)
