"""The plan of a manifest: what the next run would buy, for how much, and when it would end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from batchgen.api.standing import BatchReport, JobReport, lacking
from batchgen.catalog import Money
from batchgen.manifest import Job, Manifest
from batchgen.report.document import (
    adopted_words,
    jobs_data,
    jobs_listed,
    problems_data,
    time_data,
)
from batchgen.report.forecast import Forecast, forecast
from batchgen.report.money import money_data, spending, totals
from batchgen.report.text import clean, count, counts, duration, moment
from batchgen.report.troubles import troubles

MOST_ROWS = 40
"""Of jobs that are shown one by one unless all are asked for."""

_UNKNOWN = "unknown"


def plan_view(
    manifest: Manifest, report: BatchReport, *, every_job: bool = False, now: float | None = None
) -> Group:
    """The plan for a person; beyond `MOST_ROWS` jobs they are only counted by model.

    ``now`` is where the forecast starts from, in Unix seconds; None: the wall clock's.
    """
    expected = forecast(manifest, report)
    parts: list[RenderableType] = [
        Text(f"{clean(report.name)}: {jobs_listed(report.jobs)}", style="bold"),
        Text(f"results: {clean(str(report.folder))}"),
    ]
    if every_job or len(report.jobs) <= MOST_ROWS:
        parts += [Text(), _jobs_table(report.jobs)]
    if report.to_buy:
        parts += [Text(), _models_table(manifest, report.to_buy, expected)]
    parts += [Text(), *_next_run(report), *_ending(expected, time.time() if now is None else now)]
    if missing := missing_of(manifest, report):
        parts.append(Text(f"{missing} more than the budget allows.", style="yellow"))
    parts += troubles(report.jobs)
    return Group(*parts)


def plan_data(manifest: Manifest, report: BatchReport) -> dict[str, Any]:
    """The plan for a program; ``seconds`` is an estimate that leaves out ``unmeasured`` models."""
    expected = forecast(manifest, report)
    return {
        "name": report.name,
        "folder": str(report.folder),
        "to_buy": [job.id for job in report.to_buy],
        "to_spend": [money_data(total) for total in totals(job.price for job in report.to_buy)],
        "without_price": [job.id for job in report.to_buy if job.price is None],
        "models": [
            {
                "model": model,
                "jobs": len(jobs),
                "to_spend": [money_data(total) for total in totals(job.price for job in jobs)],
                "seconds": expected.by_model.get(model),
            }
            for model, jobs in _by_model(report.to_buy).items()
        ],
        "seconds": expected.seconds,
        "unmeasured": list(expected.unmeasured),
        "budget": money_data(manifest.budget),
        "missing": money_data(missing_of(manifest, report)),
        "adopted": report.adopted,
        "deadline": time_data(report.deadline),
        "spent": money_data(report.spent),
        "reserved": money_data(report.reserved),
        "warnings": problems_data(manifest.warnings),
        **jobs_data(report.jobs),
    }


def missing_of(manifest: Manifest, report: BatchReport) -> Money | None:
    """What the manifest's budget lacks for the worst case of everything; None: nothing."""
    prices = [job.price for job in report.to_buy]
    return lacking(manifest.budget, [report.spent, report.reserved, *prices])


def _jobs_table(jobs: Iterable[JobReport]) -> Table:
    table = _table("job", "state", "model")
    table.add_column("at most", justify="right")
    for job in jobs:
        price = str(job.price) if job.price else _UNKNOWN
        table.add_row(clean(job.id), str(job.state), job.model, price)
    return table


def _models_table(manifest: Manifest, to_buy: Iterable[JobReport], expected: Forecast) -> Table:
    """What is to buy, by model."""
    wanted = {job.id: job for job in manifest.jobs}
    table = _table("to buy")
    for title in ("jobs", "makes", "at most", "takes about"):
        table.add_column(title, justify="right")
    for model, jobs in _by_model(to_buy).items():
        made = _made([wanted[job.id] for job in jobs if job.id in wanted])
        seconds = expected.by_model.get(model)
        takes = _UNKNOWN if seconds is None else duration(seconds)
        table.add_row(model, f"{len(jobs):,}", made, _sum(jobs), takes)
    return table


def _by_model(jobs: Iterable[JobReport]) -> Mapping[str, list[JobReport]]:
    by_model: dict[str, list[JobReport]] = {}
    for job in jobs:
        by_model.setdefault(job.model, []).append(job)
    return by_model


def _made(jobs: list[Job]) -> str:
    """``600 seconds``, ``4 images`` or, where the service decides how long they are, ``3 videos``.

    Of one model.
    """
    if not jobs:
        return ""
    if jobs[0].model.kind == "image":
        return count(sum(job.request.results for job in jobs), "image")
    lengths = [int(job.request.parameters.get("duration", 0)) for job in jobs]
    if min(lengths) > 0:
        return count(sum(lengths), "second")
    return count(len(jobs), "video")


def _ending(expected: Forecast, now: float) -> Iterator[Text]:
    left_out = ", ".join(map(clean, expected.unmeasured))
    if expected.seconds:
        takes, ends = duration(expected.seconds), moment(now + expected.seconds)
        without = f", without {left_out}" if left_out else ""
        yield Text(
            f"An estimate under the service's limits{without}:"
            f" it takes {takes}, begun now until {ends}."
        )
    elif left_out:
        yield Text(f"How long it takes is not known: nobody has measured {left_out}.")


def _next_run(report: BatchReport) -> Iterator[Text]:
    if report.to_buy:
        buys = f"The next run buys {count(len(report.to_buy), 'job')} for {_sum(report.to_buy)}"
        yield Text(f"{buys} at most; nothing is billed for what fails.", style="bold")
    else:
        yield Text("The next run buys nothing.", style="bold")
    others = Counter(job.state for job in report.jobs) - Counter(job.state for job in report.to_buy)
    if others:
        yield Text(f"Not bought again: {counts(others)}.")
    if report.deadline:
        kept = f"is kept there until {moment(report.deadline)} at least"
        yield Text(f"What {count(len(report.to_collect), 'job')} may have at the service {kept}.")
    if report.adopted:
        yield Text(f"{adopted_words(report.adopted)}.")
    if so_far := spending(report.spent, report.reserved):
        yield Text(f"So far: {so_far}.")


def _sum(jobs: Iterable[JobReport]) -> str:
    """``USD 4.50``, with what cannot be told."""
    jobs = list(jobs)
    parts = [str(total) for total in totals(job.price for job in jobs)]
    if unpriced := sum(job.price is None for job in jobs):
        parts.append(f"{count(unpriced, 'job')} of unknown price")
    return " and ".join(parts)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
