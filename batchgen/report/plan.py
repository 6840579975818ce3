"""The plan of a manifest: what the next run would buy, and for how much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from batchgen.api.standing import BatchReport, JobReport
from batchgen.manifest import Job, Manifest
from batchgen.report.document import jobs_data, jobs_listed
from batchgen.report.money import money_data, spending, totals
from batchgen.report.text import clean, count, counts
from batchgen.report.troubles import troubles

MOST_ROWS = 40
"""Of jobs that are shown one by one unless all are asked for."""

_UNKNOWN = "unknown"


def plan_view(manifest: Manifest, report: BatchReport, *, every_job: bool = False) -> Group:
    """The plan for a person; beyond `MOST_ROWS` jobs they are only counted by model."""
    parts: list[RenderableType] = [
        Text(f"{clean(report.name)}: {jobs_listed(report.jobs)}", style="bold"),
        Text(f"results: {clean(str(report.folder))}"),
    ]
    if every_job or len(report.jobs) <= MOST_ROWS:
        parts += [Text(), _jobs_table(report.jobs)]
    if report.to_buy:
        parts += [Text(), _models_table(manifest, report.to_buy)]
    parts += [Text(), *_next_run(report), *troubles(report.jobs)]
    return Group(*parts)


def plan_data(report: BatchReport) -> dict[str, Any]:
    """The plan for a program."""
    return {
        "name": report.name,
        "folder": str(report.folder),
        "to_buy": [job.id for job in report.to_buy],
        "to_spend": [money_data(total) for total in totals(job.price for job in report.to_buy)],
        "without_price": [job.id for job in report.to_buy if job.price is None],
        "spent": money_data(report.spent),
        "reserved": money_data(report.reserved),
        **jobs_data(report.jobs),
    }


def _jobs_table(jobs: Iterable[JobReport]) -> Table:
    table = _table("job", "state", "model")
    table.add_column("at most", justify="right")
    for job in jobs:
        price = str(job.price) if job.price else _UNKNOWN
        table.add_row(clean(job.id), str(job.state), job.model, price)
    return table


def _models_table(manifest: Manifest, to_buy: Iterable[JobReport]) -> Table:
    """What is to buy, by model."""
    wanted = {job.id: job for job in manifest.jobs}
    by_model: dict[str, list[JobReport]] = {}
    for job in to_buy:
        by_model.setdefault(job.model, []).append(job)
    table = _table("to buy")
    for title in ("jobs", "makes", "at most"):
        table.add_column(title, justify="right")
    for model, jobs in by_model.items():
        made = _made([wanted[job.id] for job in jobs if job.id in wanted])
        table.add_row(model, f"{len(jobs):,}", made, _sum(jobs))
    return table


def _made(jobs: list[Job]) -> str:
    """``600 seconds`` or ``4 images``, of one model."""
    if not jobs:
        return ""
    unit = jobs[0].model.prices.unit
    return count(sum(job.request.parameters[unit.asked] for job in jobs), unit)


def _next_run(report: BatchReport) -> Iterator[Text]:
    if report.to_buy:
        buys = f"The next run buys {count(len(report.to_buy), 'job')} for {_sum(report.to_buy)}"
        yield Text(f"{buys} at most; nothing is billed for what fails.", style="bold")
    else:
        yield Text("The next run buys nothing.", style="bold")
    others = Counter(job.state for job in report.jobs) - Counter(job.state for job in report.to_buy)
    if others:
        yield Text(f"Not bought again: {counts(others)}.")
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
