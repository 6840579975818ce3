"""How fast batchgen is, beside the official SDK and the best there can be, on one stand-in service
with the documented quotas.

    pip install --editable '.[bench]'
    python tests/bench/speed.py [--part loads|cpu|scale] [--draw speed.svg]

``loads``  300 jobs, 20 running at once, about 8 s each; then 1,000 jobs of about a minute, all in
           flight at once: batchgen and the SDK, in turn, each on a service of its own. The SDK
           submits all as fast as it may: asyncio, and at the first load a thread for each job
           (about 17 minutes). ``--all``: also with no more jobs in flight than run at once, and in
           1,000 threads (25 minutes). *Ideal* is the schedule that submits as fast as the quota
           and starts each task as soon as a slot is free, with the renderings of that very run
``cpu``    2,000 instant jobs: batchgen, and aiohttp with the same three requests a job, which keeps
           its connections, and which makes one anew for each POST and each download, as batchgen
           does to be safe (two minutes)
``scale``  1,000, 10,000 and, with ``--large``, 100,000 instant jobs: planned, run, run again when
           done (3 minutes; with ``--large`` half an hour)

The service has a core of its own where there are two. It stops by itself, and judges nothing: the
targets stand beside the figures.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from speed_drawing import Bars, Curve, Section, draw
from speed_measuring import Cost, Load, Outcome, command, instant, run, service, timed

SHORT, LONG = Load(300, 20, 8), Load(1000, 1000, 60)
CPU_JOBS, SCALES, LARGEST = 2_000, (1_000, 10_000), 100_000
FEW = 10
"""Jobs of a run that shows what the start costs, and fills the caches for the next."""

NAMES = {
    "batchgen": "batchgen",
    "sdk": "SDK, asyncio",
    "threads": "SDK, threads",
    "slots": "SDK, in slots",
    "bare": "aiohttp",
    "fresh": "aiohttp, anew",
}


class Column(NamedTuple):
    """A figure of the table of loads, and of a drawing."""

    head: str
    below: str
    title: str
    of: Callable[[Outcome], float]
    form: str
    ideal: str = ""
    target: str = ""
    most: float | None = None
    """The target as a number."""


COLUMNS = (
    Column(
        "time to the", "last file", "time to the last file, in ideal schedules",
        lambda outcome: outcome.ratio, "{:.3f} x", "1.000 x", "<= 1.03 x", 1.03,
    ),
    Column(
        "questions", "a job", "questions a job (query, list, limits)",
        lambda outcome: outcome.questions, "{:.2f}", "1.00", "<= 1.50", 1.5,
    ),
    Column(
        "answers", "429", "answers 429", lambda outcome: outcome.refused, "{:.0f}", "0",
    ),
    Column(
        "of all", "requests", "answers 429 of all requests",
        lambda outcome: outcome.share_refused, "{:.1f} %", "0.0 %", "< 1.0 %", 1.0,
    ),
    Column(
        "ready to first", "byte, p50", "from ready to the first byte, p50",
        lambda outcome: outcome.delay(0.5), "{:.1f} s", "0.0 s",
    ),
    Column(
        "ready to first", "byte, p95", "from ready to the first byte, p95",
        lambda outcome: outcome.delay(0.95), "{:.1f} s", "0.0 s", "<= 3.0 s", 3.0,
    ),
    Column(
        "CPU", "a job", "CPU a job", lambda outcome: outcome.cpu, "{:.1f} ms",
    ),
    Column(
        "peak", "memory", "peak memory", lambda outcome: outcome.cost.memory, "{:.0f} MB",
    ),
)  # fmt: skip
DRAWN = (0, 1, 3, 5, 6, 7)


RUNNERS = {SHORT: ("batchgen", "sdk", "threads"), LONG: ("batchgen", "sdk")}
ALL = {SHORT: (*RUNNERS[SHORT], "slots"), LONG: (*RUNNERS[LONG], "threads")}


def loads(*, every: bool) -> Iterator[Section]:
    for runner in RUNNERS[SHORT]:
        run(runner, instant(FEW))
    for load, runners in (ALL if every else RUNNERS).items():
        say(f"\n{load}")
        outcomes = {runner: run(runner, load) for runner in runners}
        say_outcomes(outcomes)
        ideal = outcomes["batchgen"].ideal
        yield Section(
            str(load),
            f"{load.per_second} submits and {load.queries} questions a second;"
            f" the ideal schedule takes {ideal:.0f} s",
            [
                Bars(
                    COLUMNS[place].title,
                    COLUMNS[place].form,
                    named(outcomes, COLUMNS[place].of),
                    COLUMNS[place].most,
                )
                for place in DRAWN
            ],
        )


def say_outcomes(outcomes: dict[str, Outcome]) -> None:
    rows = [["", *(column.head for column in COLUMNS)], ["", *(c.below for c in COLUMNS)]]
    for runner, outcome in outcomes.items():
        figures = (column.form.format(column.of(outcome)) for column in COLUMNS)
        rows.append([NAMES[runner], *figures])
    rows.append(["ideal", *(column.ideal for column in COLUMNS)])
    rows.append(["target", *(column.target for column in COLUMNS)])
    say_table(rows)
    for runner, outcome in outcomes.items():
        asked = (f"{count:,} {kind}" for kind, count in sorted(outcome.notes.asked.items()))
        say(f"  {NAMES[runner]} asked: {', '.join(asked)}; ideal: {outcome.ideal:.0f} s")


def cpu() -> Iterator[Section]:
    """Each twice, in turn: the better one counts."""
    load, best = instant(CPU_JOBS), dict[str, Outcome]()
    for runner in ("bare", "fresh", "batchgen") * 2:
        outcome = run(runner, load)
        best[runner] = min(best.get(runner, outcome), outcome, key=lambda each: each.cpu)
    least = best["bare"].cpu
    say(f"\n{load.jobs:,} instant jobs, the better of two runs")
    rows = [["", "CPU a job", "x aiohttp", "peak memory", "took", "service's CPU"]]
    rows += [
        [
            NAMES[runner],
            f"{each.cpu:.2f} ms",
            f"{each.cpu / least:.2f} x",
            f"{each.cost.memory:.0f} MB",
            f"{each.cost.took:.1f} s",
            f"{each.service_cpu:.2f} ms",
        ]
        for runner, each in best.items()
    ]
    say_table([*rows, ["target", "", "<= 3.00 x", "", "", ""]])
    yield Section(
        f"{load.jobs:,} instant jobs",
        "beside aiohttp alone: the same three requests a job, and no journal",
        [
            Bars("CPU a job", "{:.1f} ms", named(best, lambda each: each.cpu), 3 * least),
            Bars("peak memory", "{:.0f} MB", named(best, lambda each: each.cost.memory)),
        ],
    )


def named(outcomes: Mapping[str, Outcome], of: Callable[[Outcome], float]) -> dict[str, float]:
    """A figure of each runner, by its full name."""
    return {NAMES[runner]: of(outcome) for runner, outcome in outcomes.items()}


class Scale(NamedTuple):
    """What so many jobs took: to plan, to run, and to run again when all were done."""

    jobs: int
    plan: Cost
    run: Cost
    again: Cost

    @classmethod
    def of(cls, jobs: int) -> Scale:
        load = instant(jobs)
        folder = Path(tempfile.mkdtemp())
        with service(load) as (url, notes):
            start = command("batchgen", load, folder, url)
            plan = [sys.executable, "-m", "batchgen", "plan", str(folder / "race.yaml")]
            planned = timed(plan, load.longest)
            cost = timed(start, load.longest)
            again = timed(start, load.longest)
        assert notes[0].asked["submit"] == jobs, "a second run sends nothing"
        return cls(jobs, planned, cost, again)

    def job(self, start: float) -> float:
        """Milliseconds of a core for each job, where the start takes so many seconds of it."""
        return 1000 * (self.run.cpu - start) / self.jobs


def scale(*, large: bool) -> Iterator[Section]:
    start = min(Scale.of(FEW).run.cpu for _ in range(2))
    scales = [Scale.of(jobs) for jobs in (*SCALES, *([LARGEST] if large else []))]
    costs = {each.jobs: each.job(start) for each in scales}
    say(f"\ninstant jobs; CPU a job without the {start:.1f} s of a core that the start takes")
    say_scales(scales, costs)
    yield Section(
        "From a thousand jobs up",
        "instant jobs, without what the start takes; a second run finds all done and sends nothing",
        [
            Curve("CPU a job", "{:.2f} ms", costs),
            Curve("peak memory", "{:.0f} MB", {each.jobs: each.run.memory for each in scales}),
            Curve("a second run", "{:.1f} s", {each.jobs: each.again.took for each in scales}),
        ],
    )


def say_scales(scales: Sequence[Scale], costs: Mapping[int, float]) -> None:
    least = costs[scales[0].jobs]
    rows = [["jobs", "planned in", "with", "CPU a job", "growth", "peak memory", "second run"]]
    rows += [
        [
            f"{each.jobs:,}",
            f"{each.plan.took:.1f} s",
            f"{each.plan.memory:.0f} MB",
            f"{costs[each.jobs]:.2f} ms",
            f"{100 * (costs[each.jobs] / least - 1):+.1f} %",
            f"{each.run.memory:.0f} MB",
            f"{each.again.took:.1f} s",
        ]
        for each in scales
    ]
    say_table([*rows, ["target", "seconds", "", "flat", "a few %", "a few 100 MB", "seconds"]])


def say_table(rows: Sequence[Sequence[str]]) -> None:
    """Names to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *figures in rows:
        cells = [f"{each:>{width}}" for each, width in zip(figures, widths[1:], strict=True)]
        say("  " + "  ".join([f"{name:{widths[0]}}", *cells]).rstrip())


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - figures are all it is for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", choices=["loads", "cpu", "scale"])
    parser.add_argument("--all", action="store_true", help="the SDK in more ways")
    parser.add_argument("--large", action="store_true", help="100,000 jobs as well")
    parser.add_argument("--draw", type=Path, metavar="FILE.svg")
    arguments = parser.parse_args()
    parts = {
        "loads": partial(loads, every=arguments.all),
        "cpu": cpu,
        "scale": partial(scale, large=arguments.large),
    }
    say(f"{os.cpu_count()} cores; ratios of one run can be compared, seconds of two cannot")
    chosen = [part for name, part in parts.items() if arguments.part in {None, name}]
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        sections = [section for part in chosen for section in part()]
    tempfile.tempdir = None
    if arguments.draw:
        draw(arguments.draw, sections)


if __name__ == "__main__":
    main()
