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

from batchgen.sandbox.clock import Clock
from batchgen.sandbox.connections import is_loopback
from batchgen.sandbox.faults import Faults
from batchgen.sandbox.inputs import Pictures
from batchgen.sandbox.render import Renderer
from batchgen.sandbox.service.app import Api
from batchgen.sandbox.service.parts import Parts
from batchgen.sandbox.service.quotas import Quotas
from batchgen.sandbox.service.server import listen, serve
from batchgen.sandbox.storage.objects import ObjectStore
from batchgen.sandbox.storage.signer import Signer
from batchgen.sandbox.tasks.bill import Bill
from batchgen.sandbox.tasks.scheduler import Scheduler
from batchgen.sandbox.tasks.store import Store

DEFAULT_KEYS = {"sk-sandbox": "sandbox"}


class Sandbox:
    """A local stand-in of DashScope for Wan models, with real files, quotas and a bill.

        async with Sandbox(folder, speed=60) as sandbox:
            ...  # point a client at sandbox.base_url with the key "sk-sandbox"

    Tasks, bill, clock and ports live in `folder` and survive a kill; without one they go with the
    sandbox. `speed` is how many seconds of rendering pass in one. `keys` maps API keys to the
    accounts whose tasks and quotas they share. `start` is the time a new folder begins with (Unix
    seconds; the present by default).

    Entering raises RenderingUnavailable when the extra `sandbox` is not installed, ValueError when
    the folder holds something else, and OSError when `port` is taken, the disk refuses, or another
    sandbox is running in the folder (BlockingIOError).
    """

    base_url: str
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
        faults: Faults | None = None,
        start: float | None = None,
    ) -> None:
        if not is_loopback(host):
            raise ValueError(f"the sandbox listens on this machine alone, not on {host}")
        self.faults = faults or Faults()
        self._folder = folder
        self._speed = speed
        self._host = host
        self._port = port
        self._keys = dict(keys)
        self._region = region
        self._start = start

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            folder = self._folder or Path(
                stack.enter_context(TemporaryDirectory(prefix="sandbox-"))
            )
            renderer = Renderer(folder / "results", folder / "inputs")
            stack.callback(renderer.close)
            self.font = renderer.font
            store = Store(folder / "sandbox.sqlite" if self._folder else None)
            stack.callback(store.close)
            self._open_clock(store)
            stack.callback(self._keep_clock, store)
            await self._serve(stack, store, renderer, folder)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def bill(self) -> Bill:
        """What all tasks have cost so far. Raises OSError where the disk refuses."""
        return self._scheduler.bill()

    def _open_clock(self, store: Store) -> None:
        start = store.recall("clock")
        if start is None:
            start = time.time() if self._start is None else self._start
        self.clock = Clock(start, speed=self._speed, loop=asyncio.get_running_loop())

    def _keep_clock(self, store: Store) -> None:
        with suppress(OSError):
            store.remember("clock", self.clock.now())

    async def _serve(
        self, stack: AsyncExitStack, store: Store, renderer: Renderer, folder: Path
    ) -> None:
        api_listener = stack.enter_context(listen(self._host, self._port, store, "api port"))
        results_listener = stack.enter_context(listen(self._host, None, store, "results port"))
        self._scheduler = Scheduler(store, self.clock)
        signer = Signer(_secret(store), "http://{}:{}".format(*results_listener.getsockname()))
        parts = Parts(
            keys=self._keys,
            region=self._region,
            clock=self.clock,
            store=store,
            scheduler=self._scheduler,
            pictures=Pictures(folder / "inputs", renderer),
            signer=signer,
            quotas=Quotas(asyncio.get_running_loop()),
            faults=self.faults,
        )
        objects = ObjectStore(self._scheduler, renderer, signer, self.clock, self.faults)
        for application, listener in (
            (objects.application(), results_listener),
            (Api(parts).application(), api_listener),
        ):
            runner = await serve(application, listener, self.clock, store)
            stack.push_async_callback(runner.cleanup)
        self.base_url = "http://{}:{}/api/v1".format(*api_listener.getsockname())


def _secret(store: Store) -> bytes:
    """Signs the URLs of results; kept, so that a URL outlives the process that made it."""
    kept = store.recall("secret")
    if kept is None:
        kept = os.urandom(20).hex()
        store.remember("secret", kept)
    return bytes.fromhex(kept)
