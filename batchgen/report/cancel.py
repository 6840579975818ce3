"""What was cancelled at the service, and what goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from batchgen.api.canceling import Cancellation
from batchgen.api.standing import JobReport
from batchgen.report.document import job_data, named
from batchgen.report.lines import indented
from batchgen.report.text import clean, clipped, count


def cancel_view(cancellation: Cancellation) -> Group:
    """The end of the tasks for a person."""
    return Group(*_parts(cancellation))


def cancel_data(cancellation: Cancellation) -> dict[str, Any]:
    """The end of the tasks for a program."""
    stopped = cancellation.stopped
    return {
        "name": cancellation.name,
        "folder": str(cancellation.folder),
        "exit_code": int(cancellation.exit_code),
        "cancelled": [job_data(job) for job in cancellation.canceled],
        "goes_on": [{**job_data(one.job), "why": one.why} for one in cancellation.goes_on],
        "stopped": stopped.reason if stopped else None,
    }


def _parts(cancellation: Cancellation) -> Iterator[RenderableType]:
    name, canceled = clean(cancellation.name), cancellation.canceled
    if not canceled and not cancellation.goes_on:
        yield Text(f"{name}: nothing of it is at the service", style="bold")
        return
    yield Text(f"{name}: {count(len(canceled), 'task')} cancelled, not billed", style="bold")
    if canceled:
        yield indented(named(canceled))
    if cancellation.stopped:
        yield Text(f"stopped: {clipped(cancellation.stopped.reason)}", style="yellow")
    if cancellation.goes_on:
        yield Text(f"{count(len(cancellation.goes_on), 'job')} could not be cancelled:")
    reasons: dict[str, list[JobReport]] = {}
    for one in cancellation.goes_on:
        reasons.setdefault(one.why, []).append(one.job)
    for why, jobs in reasons.items():
        yield indented(f"{named(jobs)}: {clipped(why)}")
    if cancellation.goes_on:
        yield Text("Next: what goes on is paid for, and `batchgen collect` fetches it.")
    if canceled:
        yield Text("`batchgen retry` marks what was cancelled, to be sent again.")
