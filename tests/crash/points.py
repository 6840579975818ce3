"""The moments at which a process can die: before and after every step that leaves a trace.

Rules of this file:

* The program knows nothing of it. What is watched are the doors through which every step goes:
  the functions of ``os`` that change a disk, the file objects of aiofiles, a request on its way
  through aiohttp, and the commits of the journal.
* A point has a name that is the same in every run of the same batch: what is random in it (task
  ids, process ids) is left out, and a commit goes by each fact that it holds. So a point that a
  first run has met can be found again, and new steps in the program are new points by themselves.
* Death is ``os._exit``: no ``finally``, no buffer, no thread comes after it.
"""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import aiohttp
from aiofiles.threadpool.binary import AsyncBufferedReader
from aiohttp.client_proto import ResponseHandler

from batchgen.journal import Journal, log

DEATH = 66
"""The exit code of a process that died at its point."""

REPEATED = 4
"""How often a point of one name counts: polls come as often as they please."""

_RANDOM = re.compile(r"(?<=\.)[0-9a-f]{8}(?=\.)|(?<=\.probe-)\d+")
_FILE_STEPS = (
    "write",
    "fsync",
    "link",
    "rename",
    "replace",
    "unlink",
    "mkdir",
    "rmdir",
    "ftruncate",
)


class Point(NamedTuple):
    """A moment: the ``number``-th time (from 1) that something of this name happens."""

    name: str
    number: int


class Watch:
    """Sees every point that the process passes, and ends it at ``target``."""

    def __init__(self, target: Point | None, at_point: Callable[[Point], None]) -> None:
        self._target = target
        self._at_point = at_point
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._answers: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        """What is waited for on a connection."""

    def install(self) -> None:
        """From here on, every step of this process is seen."""
        for name in _FILE_STEPS:
            setattr(os, name, self._file_step(name, getattr(os, name)))
        os.open = self._opening(os.open)
        for name in ("writelines", "close"):
            step = self._part_step(name, getattr(AsyncBufferedReader, name))
            setattr(AsyncBufferedReader, name, step)
        Journal._write = self._commit(Journal._write)
        log.write_fold = self._folding(log.write_fold)
        aiohttp.ClientSession._request = self._exchange(aiohttp.ClientSession._request)
        aiohttp.ClientRequest.send = self._sending(aiohttp.ClientRequest.send)
        ResponseHandler.data_received = self._receiving(ResponseHandler.data_received)

    def passes(self, name: str) -> None:
        with self._lock:
            self._seen[name] += 1
            point = Point(name, self._seen[name])
            if point.number > REPEATED:
                return
            if point == self._target:
                os._exit(DEATH)
            self._at_point(point)

    def _file_step(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(step)
        def watched(*arguments: Any, **options: Any) -> Any:
            what = f"{name} {_named(arguments[-1 if name == 'link' else 0])}"
            self.passes(f"before {what}")
            try:
                return step(*arguments, **options)
            finally:
                self.passes(f"after {what}")

        return watched

    def _opening(self, step: Callable[..., int]) -> Callable[..., int]:
        @wraps(step)
        def watched(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
            if not flags & os.O_CREAT:
                return step(path, flags, *arguments, **options)
            what = f"create {_named(path)}"
            self.passes(f"before {what}")
            descriptor = step(path, flags, *arguments, **options)
            self.passes(f"after {what}")
            return descriptor

        return watched

    def _part_step(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(step)
        async def watched(file: Any, *arguments: Any) -> Any:
            what = f"{name} {_named(file.name)}"
            self.passes(f"before {what}")
            answer = await step(file, *arguments)
            self.passes(f"after {what}")
            return answer

        return watched

    def _commit(self, step: Callable[..., None]) -> Callable[..., None]:
        @wraps(step)
        def watched(journal: Journal, facts: Any, *arguments: Any) -> None:
            names = [f"{type(fact).__name__} {getattr(fact, 'job', '')}".strip() for fact in facts]
            for name in names:
                self.passes(f"before commit {name}")
            step(journal, facts, *arguments)
            for name in names:
                self.passes(f"after commit {name}")

        return watched

    def _folding(self, step: Callable[..., None]) -> Callable[..., None]:
        @wraps(step)
        def watched(*arguments: Any) -> None:
            self.passes("before the fold")
            step(*arguments)
            self.passes("after the fold")

        return watched

    def _exchange(self, step: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(step)
        async def watched(session: Any, method: str, url: Any, **options: Any) -> Any:
            what = _request_name(method, url)
            self.passes(f"before {what} has a connection")
            answer = await step(session, method, url, **options)
            self.passes(f"after {what} is answered")
            return answer

        return watched

    def _sending(self, step: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(step)
        async def watched(request: Any, connection: Any) -> Any:
            what = _request_name(request.method, request.url)
            self.passes(f"before {what} is written")
            answer = await step(request, connection)
            self._answers[connection.protocol] = what
            self.passes(f"after {what} is written")
            return answer

        return watched

    def _receiving(self, step: Callable[..., None]) -> Callable[..., None]:
        @wraps(step)
        def watched(connection: Any, data: bytes) -> None:
            if what := self._answers.pop(connection, None):
                self.passes(f"before {what} is heard, its answer is at the door")
            step(connection, data)

        return watched


def _named(where: Any) -> str:
    """The last part of a path, or of what a descriptor stands for."""
    if isinstance(where, int):
        where = Path(f"/proc/self/fd/{where}").readlink()
    return _RANDOM.sub("*", Path(os.fsdecode(where)).name)


def _request_name(method: str, url: Any) -> str:
    path = str(url).partition("?")[0]
    if method == "POST":
        return f"POST {path.rpartition('/')[2]}"
    if path.endswith("/tasks"):
        return "GET the list"
    if path.endswith("/models/limits"):
        return "GET the limits"
    return "GET a task" if "/tasks/" in path else "GET a result"
