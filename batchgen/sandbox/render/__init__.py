"""Real MP4 and PNG files for the tasks' results, made when they are first fetched.

Rules.
1. A result is rendered on its first download, not when its task ends: a hundred tasks that end
   together cost nothing.
2. A file is whole before its first byte is sent, so that its length is known; it is the same
   however often it is made.
3. Rendering has two threads of its own; it never competes with the disk work of the loop's default
   executor. Two results at a time are all that is in memory; the others wait.
4. What is equal is made once: a result (until it has to make room for others), a picture at the
   size in which it is shown, a chord, the frames of a picture that stands still. The task stands on
   the frame, so two tasks never share a file.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from batchgen.sandbox.disk import Shelf
from batchgen.sandbox.orders import Order

MOST_BYTES = 1 << 30
"""Of rendered files kept; the least recently used go first, and are made again when they are
wanted.
"""


class RenderingUnavailable(Exception):
    """The packages that encode video and draw pictures are not installed."""


class Studio(Protocol):
    """What `studio.py` offers; the module itself is imported on demand, as its packages are an
    extra.
    """

    def font_name(self) -> str: ...

    def make(self, order: Order, task_id: str, place: int, inputs: Path, target: Path) -> None: ...


class Renderer:
    """Files of results in `folder`, from pictures in `inputs`. Raises RenderingUnavailable."""

    def __init__(self, folder: Path, inputs: Path) -> None:
        self._studio = _studio()
        self.font = self._studio.font_name()
        self._folder = folder
        self._inputs = inputs
        for each in (folder, inputs):
            each.mkdir(parents=True, exist_ok=True)
        self._shelf = Shelf(folder, MOST_BYTES)
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="render")
        self._making: dict[str, asyncio.Future[Path]] = {}

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def file(self, order: Order, task_id: str, place: int) -> Path:
        """The file of one result: the video (`place` 0), or the image with that number.

        Raises OSError where the disk has no room for it.
        """
        key = hashlib.sha256(f"{order!r}|{task_id}|{place}".encode()).hexdigest()[:40]
        future = self._making.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(self._pool, self._made, key, order, task_id, place)
            self._making[key] = future
            future.add_done_callback(lambda _: self._making.pop(key))
        # One client that goes away does not stop the others' rendering.
        return await asyncio.shield(future)

    def _made(self, key: str, order: Order, task_id: str, place: int) -> Path:
        path = self._folder / key
        with suppress(FileNotFoundError):
            os.utime(path)
            return path
        part = path.with_suffix(".part")
        try:
            self._studio.make(order, task_id, place, self._inputs, part)
            return self._shelf.put(part, key)
        finally:
            part.unlink(missing_ok=True)


def _studio() -> Studio:
    try:
        return cast("Studio", import_module(".studio", __package__))
    except ImportError as error:
        raise RenderingUnavailable(
            f"the sandbox renders real files and lacks {error.name}: "
            "pip install 'batchgen[sandbox]'"
        ) from error
