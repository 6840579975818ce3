"""What tells of a batch, from witnesses that know nothing of each other: the files in its folder,
its journal, and the service's own memory of requests, tasks and results.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import av
from PIL import Image

from batchgen.core.facts import Fact
from batchgen.core.job import Job
from batchgen.core.policy import Policy
from batchgen.core.standing import Standing
from batchgen.errors import BatchgenError
from batchgen.journal import Journal
from batchgen.sandbox import Faults, Point, Rule

PICTURES, VIDEOS = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}, {".mp4"}


class Watch(Faults):
    """Rules over a sandbox, and what arrived there, refused or not."""

    def __init__(self, *rules: Rule) -> None:
        self.arrived: list[tuple[float, Point]] = []
        self.posted: list[tuple[float, str, str]] = []
        """Of each POST for a task: when, for which model, with which prompt."""
        super().__init__(*rules)

    def watches(self, point: Point, call: Any = None) -> bool:
        """Asked without a call once about each request, before anything is looked at."""
        if call is None:
            self.arrived.append((self._now(), point))
        return True

    def meets(self, point: Point, call: Any) -> Any:
        if point in {Point.SUBMIT, Point.GENERATE}:
            self.posted.append((self._now(), call.model, call.prompt))
        return super().meets(point, call)

    def at_point(self, point: Point) -> list[float]:
        """When requests of a kind arrived."""
        return [at for at, where in self.arrived if where is point]


@dataclass(frozen=True, slots=True)
class Task:
    """A task in the file of a sandbox."""

    id: str
    model: str
    digest: str
    status: str
    created: float
    ended: float | None
    cost: int

    @property
    def billed(self) -> bool:
        """Now, or when it has ended."""
        return self.status not in {"FAILED", "CANCELED"}


def tasks(service: Path) -> list[Task]:
    """All that a sandbox of this process has made, in their order.

    Its file is opened for reading only: a second SQLite in one process does not see the locks of
    the first, and would take away the log that the sandbox is writing to.
    """
    file = service / "sandbox.sqlite"
    if not file.exists():
        return []
    columns = "id, model, digest, status, created, ended, cost"
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute(f"SELECT {columns} FROM task ORDER BY number").fetchall()
    return [Task(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Count:
    """Tasks that a service has made for an account, and those of them that cost nothing."""

    created: int = 0
    unbilled: int = 0

    def __sub__(self, earlier: Count) -> Count:
        return Count(self.created - earlier.created, self.unbilled - earlier.unbilled)


@dataclass(frozen=True, slots=True)
class Service:
    """A sandbox: in a process of its own it is asked over HTTP what it has made."""

    folder: Path
    base_url: str = ""
    _digests: dict[Path, str] = field(default_factory=dict)

    def count(self, account: str) -> Count:
        """What was ever made for an account."""
        with urlopen(self.base_url.replace("/api/v1", "/sandbox/bill"), timeout=60) as answer:
            lines = [line for line in json.load(answer)["models"] if line["account"] == account]
        created = sum(line["tasks"] for line in lines)
        return Count(created, sum(line["failed"] + line["canceled"] for line in lines))

    def rendered(self) -> Collection[str]:
        """The SHA-256 digests of all files that it has made and still keeps."""
        results = self.folder / "results"
        for path in results.iterdir() if results.exists() else ():
            if path not in self._digests and path.suffix != ".part":
                self._digests[path] = sha256(path)
        return self._digests.values()


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What a batch's folder and its journal tell at a moment when nobody runs it."""

    output: Path
    service: Service
    facts: list[Fact]
    standing: Standing
    """What the facts add up to."""
    sidecars: dict[str, dict[str, Any]]
    """By the name of their job."""
    torn: list[str]
    """Sidecars that are no whole documents."""
    private: set[str]
    """Names in the private folder, before the journal was looked at, which leaves files there."""
    unreadable: str = ""
    """Why the journal cannot be read."""

    @classmethod
    def of(cls, output: Path, service: Service) -> Witnesses:
        private, facts, unreadable = listing(output / ".batchgen"), [], ""
        standing = Standing(_ANY)
        try:
            facts = list(story(output))
            for fact in facts:
                standing.after(fact)
        except BatchgenError as error:
            unreadable = str(error)
        sidecars, torn = {}, []
        for path in sorted(output.glob("*.json")):
            try:
                sidecars[path.stem] = json.loads(path.read_bytes())
            except ValueError:
                torn.append(path.name)
        return cls(output, service, facts, standing, sidecars, torn, private, unreadable)

    @property
    def jobs(self) -> list[Job]:
        return list(self.standing.jobs.values())

    @property
    def media(self) -> dict[str, Path]:
        """Every file under a final name that is no sidecar."""
        there = listing(self.output)
        paths = {name: self.output / name for name in there if not name.endswith(".json")}
        return {name: path for name, path in paths.items() if path.is_file()}


_ANY = Policy(lanes={})


def story(output: Path) -> Iterator[Fact]:
    """The facts of a batch's journal, if there is one."""
    if journal := Journal.peek(output):
        with journal:
            yield from journal.replay()


def listing(folder: Path) -> set[str]:
    """The names in a folder, if there is one."""
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def files_below(folder: Path, *, but: Path | None = None) -> list[Path]:
    """All files, at any depth."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if but is None or but not in path.parents)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def frames(path: Path) -> int:
    """How many there are in a picture or video, all of them decoded; raises for what is cut."""
    status = path.stat()
    return _decoded(path, status.st_mtime_ns, status.st_size)


@cache
def _decoded(path: Path, _changed: int, _size: int) -> int:
    if path.suffix in VIDEOS:
        with av.open(str(path)) as container:
            return sum(1 for _ in container.decode(video=0))
    with Image.open(path) as picture:
        picture.load()
    return 1


def most_in(times: list[float], seconds: float) -> int:
    """The most of these moments that lie in any window of this length."""
    times = sorted(times)
    start = most = 0
    for end, at in enumerate(times):
        while times[start] <= at - seconds + 1e-6:
            start += 1
        most = max(most, end - start + 1)
    return most
