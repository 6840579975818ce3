"""Where a batch stands, also while a run is at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from batchgen.api.standing import BatchReport
from batchgen.catalog import Money
from batchgen.report.document import adopted_words, jobs_data, jobs_listed, time_data
from batchgen.report.money import money_data, spending, totals
from batchgen.report.text import clean, count, counts, moment
from batchgen.report.troubles import troubles


def status_view(report: BatchReport) -> Group:
    """The status for a person."""
    return Group(*_parts(report))


def status_data(report: BatchReport) -> dict[str, Any]:
    """The status for a program."""
    return {
        "name": report.name,
        "folder": str(report.folder),
        "holder": report.holder,
        "adopted": report.adopted,
        "deadline": time_data(report.deadline),
        "next": next_steps(report),
        "spent": money_data(report.spent),
        "reserved": money_data(report.reserved),
        "to_spend": [money_data(total) for total in _to_spend(report)],
        **jobs_data(report.jobs),
    }


def _parts(report: BatchReport) -> Iterator[RenderableType]:
    title = f"{clean(report.name)}: {jobs_listed(report.jobs)}"
    yield Text(f"{title}: {counts(report.counts)}", style="bold")
    yield Text(f"results: {clean(str(report.folder))}")
    if report.holder:
        yield Text(f"running: {clean(report.holder)}", style="green")
    else:
        yield Text("running: nobody is at it just now")
    if so_far := spending(report.spent, report.reserved, _to_spend(report)):
        yield Text(f"money: {so_far}")
    if report.adopted:
        yield Text(adopted_words(report.adopted))
    yield from troubles(report.jobs)
    yield from (Text(f"next: {step}", style="bold") for step in next_steps(report))


def next_steps(report: BatchReport) -> list[str]:
    """What a person does next, each with its command; nothing where all is done or going on."""
    if report.holder:
        return []
    steps = []
    if collected := report.to_collect:
        until = f", until {moment(report.deadline)} at least" if report.deadline else ""
        theirs = f"what {count(len(collected), 'job')} may have at the service"
        steps.append(f"`batchgen collect` fetches {theirs}{until}")
    if report.to_buy:
        steps.append(f"`batchgen run` sends {count(len(report.to_buy), 'job')}")
    return steps


def _to_spend(report: BatchReport) -> list[Money]:
    """The worst case of what is still to buy."""
    return totals(job.price for job in report.to_buy)
