"""How fast batchgen is, beside the official SDK and the best there can be, on one stand-in service
with the documented quotas.

    pip install --editable '.[bench]'
    python tests/bench/speed.py [--part loads|cpu|scale] [--draw speed.svg]

``loads``  300 jobs, 20 running at once, about 8 s each; then 1,000 jobs of about a minute, all in
           flight at once: batchgen and the SDK in turn, each on a service of its own. *Ideal* is
           the schedule that submits as fast as the quota and starts each task as soon as a slot is
           free, with the renderings that this run has drawn (about 14 minutes)
``cpu``    2,000 instant jobs: batchgen, and aiohttp with the same three requests a job
``scale``  1,000, 10,000 and, with ``--large``, 100,000 jobs: planned, run, run again when done

The service has a core of its own where there are two. It stops by itself, and judges nothing.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from speed_drawing import Panel, draw
from speed_runners import KEY, MODEL, SIZE
from speed_service import Notes

HERE = Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0))
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
    queries: int = 20
    spread: float = 0.25

    def __str__(self) -> str:
        return f"{self.jobs} jobs, {self.running} at once, about {self.seconds:g} s each"


LOADS = (Load(300, 20, 8), Load(1000, 1000, 60))
INSTANT = Load(2000, 2000, 0.05, per_second=1_000_000, queries=1_000_000)


@dataclass(frozen=True)
class Cost:
    """Of a process: seconds on the clock and of a core, and the most memory, in MB."""

    took: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Outcome:
    """What a runner made of a load."""

    runner: str
    load: Load
    cost: Cost
    notes: Notes

    @property
    def ratio(self) -> float:
        """Time from the first submit to the last result fetched, in ideal schedules."""
        return (max(self.notes.fetched.values()) - min(self.notes.submitted)) / ideal(self)

    @property
    def questions(self) -> float:
        """Requests a job besides the submit and the download."""
        asked = self.notes.asked
        return (asked["query"] + asked["list"] + asked["cancel"]) / self.load.jobs

    @property
    def refused(self) -> int:
        return sum(self.notes.refused.values())

    def delay(self, quantile: float) -> float:
        """Seconds from a result that is ready to its first byte."""
        delays = sorted(at - self.notes.ended[task] for task, at in self.notes.fetched.items())
        return delays[int(quantile * len(delays))]

    @property
    def cpu(self) -> float:
        """Milliseconds of a core for each job."""
        return 1000 * self.cost.cpu / self.load.jobs


def ideal(outcome: Outcome) -> float:
    """Seconds from the first submit to the last end, if every submit leaves when the quota allows
    it and every task starts when a slot is free.
    """
    slots = [0.0] * outcome.load.running
    for number, seconds in enumerate(outcome.notes.rendering):
        submitted = number / outcome.load.per_second
        heapq.heappush(slots, max(heapq.heappop(slots), submitted) + seconds)
    return max(slots)


@contextmanager
def service(load: Load, folder: Path) -> Iterator[tuple[str, list[Notes]]]:
    """Its base URL, and the list that holds its notes in the end."""
    command = [sys.executable, str(HERE / "speed_service.py"), str(folder)]
    command += ["--running", str(load.running), "--seconds", str(load.seconds)]
    command += ["--spread", str(load.spread), "--queries", str(load.queries)]
    command += ["--per-second", str(load.per_second)]
    notes: list[Notes] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        os.sched_setaffinity(process.pid, {CORES[-1]})
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), notes
        finally:
            said, _ = process.communicate()
            notes.append(Notes.read(said))


def timed(command: Sequence[str], environment: dict[str, str]) -> Cost:
    """Run a process to its end, away from the service's core. Raises where it fails."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as complaints:  # the SDK complains of its open sessions
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=complaints,
        )
        os.sched_setaffinity(process.pid, set(CORES[:-1] or CORES))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            complaints.seek(0)
            raise SystemExit(f"{command}: exit code {process.returncode}\n{complaints.read()}")
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(time.monotonic() - began, cpu, usage.ru_maxrss / 1024)


def manifest(load: Load, folder: Path) -> Path:
    """A manifest of so many jobs, with a catalog that knows the service's limits."""
    folder.mkdir(parents=True, exist_ok=True)
    limits = CATALOG.format(model=MODEL, per_second=load.per_second, running=load.running)
    (folder / "models.yaml").write_text(limits)
    lines = (json.dumps({"id": f"job-{n}", "prompt": f"Fox {n}"}) for n in range(load.jobs))
    (folder / "jobs.jsonl").write_text("\n".join(lines))
    path = folder / "race.yaml"
    path.write_text(
        f"defaults: {{model: {MODEL}, size: {SIZE}}}\ncatalog: models.yaml\n"
        f"limits: {{max_in_flight: {2 * load.running}}}\njobs_from: jobs.jsonl\n"
    )
    return path


def run(runner: str, load: Load) -> Outcome:
    """One runner, one load, one service."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with service(load, folder / "service") as (url, notes):
            command, environment = commanded(runner, load, folder, url)
            cost = timed(command, environment)
        return Outcome(runner, load, cost, notes[0])


def commanded(runner: str, load: Load, folder: Path, url: str) -> tuple[list[str], dict[str, str]]:
    if runner == "batchgen":
        path = manifest(load, folder)
        command = [sys.executable, str(HERE / "speed_runners.py"), "batchgen", url, str(path)]
        command += [str(folder / "results"), "--queries", str(load.queries)]
        return command, {"DASHSCOPE_API_KEY": KEY}
    prompts = folder / "prompts.txt"
    prompts.write_text("\n".join(f"Fox {n}" for n in range(load.jobs)))
    at_once = min(load.running, 200 if runner == "bare" else load.running)
    command = [sys.executable, str(HERE / "speed_runners.py"), runner, url, str(prompts)]
    return [*command, str(folder / "results"), "--at-once", str(at_once)], {}


def loads() -> Iterator[Panel]:
    for load in LOADS:
        say(f"\n{load}")
        outcomes = {runner: run(runner, load) for runner in ("batchgen", "sdk")}
        for runner, outcome in outcomes.items():
            say(
                f"  {runner:8}  {outcome.ratio:.3f} x ideal ({ideal(outcome):.0f} s);"
                f" {outcome.questions:.2f} questions a job; {outcome.refused} answers 429;"
                f" ready to first byte p50 {outcome.delay(0.5):.1f} s,"
                f" p95 {outcome.delay(0.95):.1f} s;"
                f" {outcome.cpu:.1f} ms of CPU a job, {outcome.cost.memory:.0f} MB"
            )
        figures: dict[str, Callable[[Outcome], float]] = {
            "time, in ideal schedules": lambda outcome: outcome.ratio,
            "questions a job": lambda outcome: outcome.questions,
            "answers 429": lambda outcome: outcome.refused,
            "seconds from ready to first byte, p95": lambda outcome: outcome.delay(0.95),
        }
        for figure, of in figures.items():
            bars = {runner: of(outcome) for runner, outcome in outcomes.items()}
            best = 1.0 if figure.startswith(("time", "questions")) else 0.0
            yield Panel(f"{load}: {figure}", bars, best)


def cpu() -> Iterator[Panel]:
    """Each twice, in turn: the better one counts."""
    runners = ("bare", "batchgen")
    outcomes = [run(runner, INSTANT) for runner in runners * 2]
    least = {
        runner: min(outcome.cpu for outcome in outcomes if outcome.runner == runner)
        for runner in runners
    }
    say(
        f"\n{INSTANT.jobs} instant jobs: {least['batchgen']:.2f} ms of CPU a job,"
        f" {least['batchgen'] / least['bare']:.2f} x bare aiohttp ({least['bare']:.2f} ms)"
    )
    yield Panel("milliseconds of CPU for an instant job", least)


def scale(*, large: bool) -> Iterator[Panel]:
    panels: dict[str, dict[str, float]] = {}
    for jobs in (1_000, 10_000, *([100_000] if large else [])):
        load = Load(jobs, jobs, 0.05, per_second=1_000_000, queries=1_000_000)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with service(load, folder / "service") as (url, _):
                command, environment = commanded("batchgen", load, folder, url)
                plan = [sys.executable, "-m", "batchgen", "plan", str(folder / "race.yaml")]
                planned = timed(plan, {})
                cost = timed(command, environment)
                again = timed(command, environment)
        say(
            f"\n{jobs} jobs: planned in {planned.took:.1f} s, {planned.memory:.0f} MB;"
            f" run with {1000 * cost.cpu / jobs:.2f} ms of CPU a job, {cost.memory:.0f} MB;"
            f" run again in {again.took:.1f} s"
        )
        for title, value in (
            ("milliseconds of CPU a job", 1000 * cost.cpu / jobs),
            ("MB", cost.memory),
            ("seconds of a second run", again.took),
        ):
            panels.setdefault(title, {})[f"batchgen, {jobs} jobs"] = value
    for title, bars in panels.items():
        yield Panel(title, bars)


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - figures are all it is for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", choices=["loads", "cpu", "scale"])
    parser.add_argument("--large", action="store_true", help="100,000 jobs as well")
    parser.add_argument("--draw", type=Path, metavar="FILE.svg")
    arguments = parser.parse_args()
    parts = {"loads": loads, "cpu": cpu, "scale": partial(scale, large=arguments.large)}
    chosen = [part for name, part in parts.items() if arguments.part in {None, name}]
    panels = list(chain.from_iterable(part() for part in chosen))
    if arguments.draw:
        draw(arguments.draw, panels)


if __name__ == "__main__":
    main()
