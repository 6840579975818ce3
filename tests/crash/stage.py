"""A service that nobody kills, and batches at it whose runs die where a test wants them to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from batchgen.artifacts import part
from tests.crash.points import DEATH, Point
from tests.promises.oracle import broken_at_the_end, broken_by_a_death
from tests.promises.witnesses import Service

SPEED = 2_000
"""Seconds of the service in one of ours: a video takes some hundredths of one, and a day 43."""

ACCOUNTS = 2_000

CHECKOUT = Path(__file__).parents[2]

_SERVICE = """
import asyncio, sys
from pathlib import Path
from batchgen.sandbox import Sandbox

async def main(folder, speed, accounts):
    keys = {f"sk-stage-0123456789abcdef-{n}": f"account-{n}" for n in range(accounts)}
    async with Sandbox(folder, speed=speed, keys=keys) as sandbox:
        print(sandbox.base_url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
"""


@dataclass(frozen=True, slots=True)
class Film:
    """A manifest, and what it makes: the files of each job."""

    text: str
    files: Mapping[str, Collection[str]]
    held: int = part.HELD
    """Bytes up to which a result is written in one go."""


@dataclass
class Batch:
    """One batch of a film, with a folder and an account of its own."""

    stage: Stage
    film: Film
    folder: Path
    account: int

    def write(self) -> Batch:
        """Put the manifest into the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.manifest.write_text(self.film.text)
        return self

    @property
    def manifest(self) -> Path:
        return self.folder / "film.yaml"

    @property
    def output(self) -> Path:
        return self.folder / "output" / "film"

    @property
    def key(self) -> str:
        return f"sk-stage-0123456789abcdef-{self.account}"

    @property
    def environment(self) -> dict[str, str]:
        """What leads the program to the service, under the batch's own account."""
        return {
            "DASHSCOPE_HTTP_BASE_URL": self.stage.service.base_url,
            "DASHSCOPE_API_KEY": self.key,
        }

    def run(self, *, die_at: Point | None = None) -> Run:
        """Run it to its end, or to its death."""
        met = self.stage.folder / f"met-{next(self.stage.numbers)}"
        said = self.stage.folder / f"said-{self.account}"
        order = {
            "manifest": str(self.manifest),
            "speed": SPEED,
            "environment": self.environment,
            "held": self.film.held,
            "target": die_at,
            "met": str(met),
            "said": str(said),
        }
        code = self.stage.order(order)
        points = [Point(*json.loads(line)) for line in met.read_text().splitlines()]
        met.unlink()
        return Run(code, points, said.read_text())

    def broken_by_a_death(self) -> list[str]:
        return broken_by_a_death(self.output, self.stage.service, key=self.key)

    def broken_at_the_end(self) -> list[str]:
        service, jobs = self.stage.service, self.film.files
        count = service.count(f"account-{self.account}")
        return broken_at_the_end(self.output, service, jobs=jobs, count=count, key=self.key)


@dataclass(frozen=True, slots=True)
class Run:
    """How a run ended, and what it went through."""

    code: int
    points: list[Point]
    said: str

    @property
    def died(self) -> bool:
        return self.code == DEATH

    def asked(self, what: str) -> int:
        """How many requests of a kind it has made, as far as they are counted."""
        name = f"before {what} has a connection"
        return max((point.number for point in self.points if point.name == name), default=0)


@dataclass
class Stage:
    """The service and the process whose children die."""

    folder: Path
    service: Service
    victim: subprocess.Popen[str]
    numbers: Iterator[int] = field(default_factory=count)

    def batch(self, film: Film, folder: Path | None = None) -> Batch:
        """A batch that nobody has run yet; its manifest is to be written."""
        number = next(self.numbers)
        assert number < ACCOUNTS
        return Batch(self, film, folder or self.folder / str(number) / "batch", number)

    def order(self, order: dict[str, Any]) -> int:
        assert self.victim.stdin
        assert self.victim.stdout
        print(json.dumps(order), file=self.victim.stdin, flush=True)
        return int(self.victim.stdout.readline())


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Both processes, for the time of a block."""
    service = [sys.executable, "-c", _SERVICE, str(folder / "service"), str(SPEED), str(ACCOUNTS)]
    victim = [sys.executable, "-m", "tests.crash.victim"]
    with _process(service) as serving, _process(victim) as dying:
        assert serving.stdout
        base_url = serving.stdout.readline().strip()
        yield Stage(folder, Service(folder / "service", base_url), dying)


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that ends when nobody speaks to it any more."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=CHECKOUT) as process:
        try:
            yield process
        finally:
            process.communicate(timeout=60)
