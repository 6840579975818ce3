"""One batch of a soak: a manifest of any jobs, run by the real program, which is killed again and
again until it comes to its end by itself.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.promises.oracle import broken_at_the_end, broken_by_a_death
from tests.promises.witnesses import Count, Service

CHECKOUT = Path(__file__).parents[2]
SPEED = 60.0
"""Seconds of the service in one of ours."""

LAG, SETTLE = 0.5, 2
"""Seconds that the list of tasks is behind, and that batchgen gives it."""

LIFE = (0.6, 5.0)
"""Seconds after which a run is killed, at least and at most."""

MOST_KILLS = 12
"""Of one batch: then it may run to its end."""

PATIENCE = 300
"""Seconds that a run may take when nobody kills it."""

AGAIN = 3
"""Runs that may end with a doubt that is not settled yet."""

_WORDS = (
    ("fox", "heron", "tram", "violin", "kettle", "harbour", "lantern", "ferry", "moth", "orchard"),
    ("crosses", "sleeps", "turns", "drifts", "burns", "waits", "falls", "hums", "returns"),
    ("at dawn", "in the rain", "below the bridge", "behind the glass", "on a slow river"),
)


@dataclass
class Player:
    """The process that plays the service."""

    process: subprocess.Popen[str]
    service: Service

    def faults(self) -> dict[str, int]:
        """How often each fault has struck since the last time that this was asked."""
        assert self.process.stdin
        assert self.process.stdout
        print(file=self.process.stdin, flush=True)
        told: dict[str, int] = json.loads(self.process.stdout.readline())
        return told


@contextmanager
def service(folder: Path, *, keys: dict[str, str], seed: int, losses: float) -> Iterator[Player]:
    """A service for the time of a block."""
    order = {"folder": str(folder), "speed": SPEED, "keys": keys, "seed": seed, "losses": losses}
    command = [sys.executable, str(Path(__file__).with_name("service.py"))]
    pipe = subprocess.PIPE
    command.append(json.dumps({**order, "lag": LAG}))
    with (
        folder.with_suffix(".log").open("w") as log,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout
            yield Player(process, Service(folder, process.stdout.readline().strip()))
        finally:
            process.communicate(timeout=60)


@dataclass
class Night:
    """A batch in a folder of its own, and what came of it."""

    folder: Path
    player: Player
    key: str
    account: str
    dice: random.Random
    jobs: int
    kills: int = 0
    runs: int = 0
    lost: int = 0
    """Answers to submits."""
    adopted: int = 0
    paid: int = 0
    """Tasks that are billed."""
    broken: list[str] = field(default_factory=list)

    @property
    def output(self) -> Path:
        return self.folder / "output" / "night"

    @property
    def bought_twice(self) -> int:
        return max(0, self.paid - self.jobs)

    @property
    def done(self) -> int:
        """Jobs whose results are all there."""
        there = {path.name for path in self.output.glob("*.*")}
        return sum({*files, f"{job}.json"} <= there for job, files in self.files.items())

    def run(self) -> None:
        """Run it until it is done, and check every promise on the way and at the end."""
        (self.folder / "night.yaml").write_text(json.dumps(self._manifest), encoding="utf-8")
        before = self._count()
        code = self._until_it_ends()
        count = self._count() - before
        self.paid = count.created - count.unbilled
        faults = self.player.faults()
        self.lost = sum(times for name, times in faults.items() if name.startswith("answer lost"))
        if code != 0:
            self.broken.append(f"the last run ended with exit code {code}")
        self.broken += self._broken_secrets()
        self.broken += broken_at_the_end(
            self.output, self.player.service, jobs=self.files, count=count, key=self.key
        )
        if not self.broken:
            self.broken += self._broken_rest()
        sidecars = [json.loads(path.read_text()) for path in self.output.glob("*.json")]
        self.adopted = sum(sidecar.get("adopted", False) for sidecar in sidecars)

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        jobs = [self._job(number) for number in range(self.jobs)]
        return {"limits": {"settle": SETTLE}, "jobs": jobs}

    @cached_property
    def files(self) -> dict[str, Collection[str]]:
        """The names of each job's files."""
        return {job["id"]: _files(job) for job in self._manifest["jobs"]}

    def _job(self, number: int) -> dict[str, Any]:
        prompt = " ".join(self.dice.choice(words) for words in _WORDS)
        job = {"id": f"shot-{number:03}", "prompt": f"The {prompt}, take {number}."}
        if self.dice.random() < 0.5:
            return {**job, "model": "wan2.2-t2v-plus", "size": "624*624"}
        n = self.dice.randint(1, 3)
        return {**job, "model": "wan2.2-t2i-flash", "size": "512*512", "n": n}

    def _count(self) -> Count:
        return self.player.service.count(self.account)

    def _until_it_ends(self) -> int:
        code, endings = 0, 0
        while endings < AGAIN:
            code = self._one_run()
            if code >= 0:
                endings += 1
            if code == 0 or self.broken:
                break
        return code

    def _one_run(self) -> int:
        """Its exit code; below zero where it was killed."""
        self.runs += 1
        life = self.dice.uniform(*LIFE) if self.kills < MOST_KILLS else PATIENCE
        with (self.folder / "said").open("ab") as said, self._start(said) as process:
            try:
                return process.wait(timeout=life)
            except subprocess.TimeoutExpired:
                process.kill()
            except BaseException:  # the soak itself is stopped: what it has started goes with it
                process.kill()
                raise
        if process.returncode >= 0:  # it ended in the same moment
            return process.returncode
        self.kills += 1
        if life == PATIENCE:
            self.broken.append(f"a run did not end within {PATIENCE} s")
        self.broken += broken_by_a_death(self.output, self.player.service, key=self.key)
        return process.returncode

    def _start(self, said: Any) -> subprocess.Popen[bytes]:
        base_url = self.player.service.base_url
        return subprocess.Popen(
            [sys.executable, "-m", "batchgen", "run", "night.yaml", "--base-url", base_url],
            cwd=self.folder,
            env=_environment() | {"DASHSCOPE_API_KEY": self.key, "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )

    def _broken_rest(self) -> Iterator[str]:
        """A batch that is done is run again for nothing."""
        tree, bought = self._tree(), self._count()
        with (self.folder / "said").open("ab") as said, self._start(said) as process:
            code = process.wait(timeout=PATIENCE)
        if (code, self._count(), self._tree()) != (0, bought, tree):
            yield f"run once more, it ended with {code} and was not at rest"

    def _tree(self) -> dict[str, tuple[int, int]]:
        """When each result was last written, and how long it is."""
        files = [path for path in self.output.iterdir() if path.is_file()]
        return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}

    def _broken_secrets(self) -> Iterator[str]:
        """Neither the key nor the signature of an address is in what was said."""
        said = (self.folder / "said").read_bytes()
        yield from (
            f"P7: {word} was said" for word in (self.key, "Signature=") if word.encode() in said
        )


def _files(job: dict[str, Any]) -> list[str]:
    if job["model"].startswith("wan2.2-t2v"):
        return [f"{job['id']}.mp4"]
    if job["n"] == 1:
        return [f"{job['id']}.png"]
    return [f"{job['id']}-{place}.png" for place in range(1, job["n"] + 1)]


def _environment() -> dict[str, str]:
    """Of whoever runs the soak, without what would lead batchgen elsewhere; as the checkout's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DASHSCOPE_")}
    paths = [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(paths)}
