"""A runner and the service of ``speed.py``, a process each, and what comes of them.

Rules.
1. The service has a core of its own where there are two; the runner has the others.
2. Whatever happens, both processes have ended when ``run`` returns; a runner that takes several
   times what it may is stopped. Their folders stay until the benchmark is over: ext4 gives out no
   inode again for minutes, so whoever writes after a removal has to search past all of them.
3. What a client does for its results is read from the service's notes and the files; nothing is
   asked of the runner itself, so that all are judged alike.
"""

from __future__ import annotations

import heapq
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from speed_runners import KEY, MODEL, SIZE
from speed_service import Notes

HERE = Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0))
USUAL_QUERIES = 20
"""A second: what batchgen keeps to when nobody says otherwise."""

CATALOG = """\
models:
  {model}:
    like: {model}
    limits:
      source: the benchmark
      submits_per_second: {per_second}
      running: {running}
      poll_seconds: 10
"""


@dataclass(frozen=True)
class Load:
    """Jobs, and the service that they meet; times in seconds."""

    jobs: int
    running: int
    seconds: float
    per_second: int = 5
    queries: int = USUAL_QUERIES
    spread: float = 0.25

    def __str__(self) -> str:
        return f"{self.jobs:,} jobs, {self.running:,} at once, about {self.seconds:g} s each"

    @property
    def longest(self) -> float:
        """When a runner that is still at it is stopped."""
        best = self.jobs * self.seconds / self.running + self.jobs / self.per_second
        return 120 + 4 * best + 0.05 * self.jobs


def instant(jobs: int) -> Load:
    """Jobs that nothing holds up."""
    return Load(jobs, jobs, 0.05, per_second=1_000_000, queries=1_000_000)


@dataclass(frozen=True)
class Cost:
    """Of a process: seconds on the clock and of a core, and the most memory, in MB."""

    took: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Outcome:
    """What a runner made of a load."""

    load: Load
    cost: Cost
    notes: Notes
    written: float
    """When the last result had its name, in Unix seconds."""

    @property
    def ideal(self) -> float:
        """Seconds from the first submit to the last end, if every submit leaves when the quota
        allows it and every task starts when a slot is free.
        """
        slots = [0.0] * self.load.running
        for number, seconds in enumerate(self.notes.rendering):
            submitted = number // self.load.per_second
            heapq.heappush(slots, max(heapq.heappop(slots), submitted) + seconds)
        return max(slots)

    @property
    def ratio(self) -> float:
        """Time from the first submit to the last file, in ideal schedules."""
        return (self.written - min(self.notes.submitted)) / self.ideal

    @property
    def questions(self) -> float:
        """Requests a job besides the submit and the download."""
        asked = self.notes.asked
        return (asked.total() - asked["submit"] - asked["download"]) / self.load.jobs

    @property
    def refused(self) -> int:
        """Answers 429."""
        return self.notes.refused.total()

    @property
    def share_refused(self) -> float:
        """Per cent of all requests that were answered 429."""
        return 100 * self.refused / self.notes.asked.total()

    def delay(self, quantile: float) -> float:
        """Seconds from a result that is ready to its first byte."""
        delays = sorted(at - self.notes.ended[task] for task, at in self.notes.fetched.items())
        return delays[int(quantile * len(delays))]

    @property
    def cpu(self) -> float:
        """Milliseconds of a core for each job."""
        return 1000 * self.cost.cpu / self.load.jobs

    @property
    def service_cpu(self) -> float:
        """The same of the service."""
        return 1000 * self.notes.cpu / self.load.jobs


def run(runner: str, load: Load) -> Outcome:
    """One runner, one load, one service."""
    folder = Path(tempfile.mkdtemp())
    with service(load) as (url, notes):
        cost = timed(command(runner, load, folder, url), load.longest)
    written = max(path.stat().st_ctime for path in (folder / "results").rglob("*.png"))
    return Outcome(load, cost, notes[0], written)


@contextmanager
def service(load: Load) -> Iterator[tuple[str, list[Notes]]]:
    """Its base URL, and the list that holds its notes in the end."""
    command = [sys.executable, str(HERE / "speed_service.py")]
    command += ["--running", str(load.running), "--seconds", str(load.seconds)]
    command += ["--spread", str(load.spread), "--queries", str(load.queries)]
    command += ["--per-second", str(load.per_second)]
    notes: list[Notes] = []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        os.sched_setaffinity(process.pid, {CORES[-1]})
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), notes
        finally:
            said, _ = process.communicate()
        notes.append(Notes.read(said))


def timed(command: Sequence[str], longest: float) -> Cost:
    """Run a process to its end, away from the service's core. Raises SystemExit where it fails or
    takes longer.
    """
    began = time.monotonic()
    environment = {**os.environ, "DASHSCOPE_API_KEY": KEY, "NO_PROXY": "127.0.0.1"}
    with tempfile.TemporaryFile("w+") as complaints:  # the SDK complains of its open sessions
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=complaints
        )
        limit = Timer(longest, process.kill)
        limit.start()
        try:
            os.sched_setaffinity(process.pid, set(CORES[:-1] or CORES))
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            limit.cancel()
            process.kill()  # does nothing to one that has ended
            process.wait()
        if process.returncode:
            complaints.seek(0)
            raise SystemExit(
                f"{' '.join(command)}: exit code {process.returncode} after"
                f" {time.monotonic() - began:.0f} s\n{complaints.read()}"
            )
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(time.monotonic() - began, cpu, usage.ru_maxrss / 1024)


def command(runner: str, load: Load, folder: Path, url: str) -> list[str]:
    """Of a runner that leaves its files in the folder's ``results``."""
    results = str(folder / "results")
    if runner == "batchgen":
        path = manifest(load, folder)
        start = [sys.executable, "-m", "batchgen", "run", str(path), "--quiet"]
        return [*start, "--base-url", url, "--output", results]
    prompts = folder / "prompts.txt"
    prompts.write_text("\n".join(f"Fox {n}" for n in range(load.jobs)))
    few = min(load.running, 200)
    at_once = {"bare": few, "fresh": few, "slots": load.running}.get(runner, load.jobs)
    program = "sdk" if runner == "slots" else runner
    start = [sys.executable, str(HERE / "speed_runners.py"), program, url]
    return [*start, str(prompts), results, "--at-once", str(at_once)]


def manifest(load: Load, folder: Path) -> Path:
    """A manifest of so many jobs, with a catalog that knows the service's limits. The quota of
    questions is named where it is another than batchgen's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    limits = CATALOG.format(model=MODEL, per_second=load.per_second, running=load.running)
    (folder / "models.yaml").write_text(limits)
    jobs = (json.dumps({"id": f"job-{n}", "prompt": f"Fox {n}"}) for n in range(load.jobs))
    (folder / "jobs.jsonl").write_text("\n".join(jobs))
    lines = [f"defaults: {{model: {MODEL}, size: {SIZE}}}", "catalog: models.yaml"]
    if load.queries != USUAL_QUERIES:
        lines.append(f"limits: {{queries_per_second: {load.queries}}}")
    path = folder / "race.yaml"
    path.write_text("\n".join([*lines, "jobs_from: jobs.jsonl", ""]))
    return path
