"""The end of a run: what came of it, what to do next, what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from batchgen.api.standing import CHANGED, JobReport
from batchgen.api.summary import Summary
from batchgen.core.lifecycle import State
from batchgen.errors import ExitCode
from batchgen.report.document import adopted_words, jobs_data
from batchgen.report.errors import bug_data, error_data
from batchgen.report.lines import indented
from batchgen.report.money import money_data, spending
from batchgen.report.stops import stops
from batchgen.report.text import clean, clipped, count, counts, duration, moment, size
from batchgen.report.troubles import troubles

_MOST_WAITING = 10
"""Jobs at the service that are named; --json has them all."""


def summary_view(summary: Summary) -> Group:
    """The summary for a person: one line where there was nothing to do."""
    if summary.nothing_done and summary.exit_code is ExitCode.DONE:
        return Group(_all_there(summary))
    return Group(*_parts(summary))


def summary_data(summary: Summary) -> dict[str, Any]:
    """The summary for a program."""
    return {
        "name": summary.name,
        "folder": str(summary.folder),
        "exit_code": int(summary.exit_code),
        "submitted": summary.submitted,
        "saved": summary.saved,
        "spent": money_data(summary.spent),
        "reserved": money_data(summary.reserved),
        "seconds": round(summary.seconds, 3),
        "changed": list(summary.changed),
        "adopted": summary.adopted,
        "unfetched": [job.id for job in summary.unfetched],
        "disk_needed": summary.disk_needed,
        "disk_free": summary.disk_free,
        "failing": summary.failing,
        "stops": list(summary.stops),
        "budget": money_data(summary.budget),
        "budget_reached": summary.budget_reached,
        "missing": money_data(summary.missing) if summary.budget_reached else None,
        "error": _error(summary),
        **jobs_data(summary.jobs),
    }


def _error(summary: Summary) -> dict[str, object] | None:
    if summary.bug is not None:
        return bug_data(summary.bug)
    return error_data(summary.error) if summary.error else None


def _all_there(summary: Summary) -> Text:
    files = sum(len(job.files) for job in summary.jobs)
    if not files:
        return Text(f"{clean(summary.name)}: nothing was paid for that could be fetched")
    told = "the one result is" if files == 1 else f"all {files:,} results are"
    return Text(f"{clean(summary.name)}: {told} on disk: {clean(str(summary.folder))}")


def _parts(summary: Summary) -> Iterator[RenderableType]:
    yield Text(f"{clean(summary.name)}: {_headline(summary)}", style="bold")
    yield from troubles(_named(summary))
    reasons = stops(summary)
    for advice, those in reasons.items():
        yield from (Text(f"stopped: {clipped(reason)}", style="yellow") for reason in those)
        yield indented(advice, style="dim")
    yield from _ended_early(summary)
    yield from _to_fetch(summary)
    if summary.unfinished:
        stuck = bool(reasons) or summary.error is not None or summary.disk_needed is not None
        how = "put that right, then run again" if stuck else "run the same command again"
        yield Text(
            f"{count(len(summary.unfinished), 'job')} to go on with: {how}."
            " Nothing is bought twice."
        )
    if summary.adopted:
        yield Text(adopted_words(summary.adopted))
    files = sum(len(job.files) for job in summary.jobs)
    news = f" ({summary.saved:,} of them new)" if 0 < summary.saved < files else ""
    yield Text(f"{count(files, 'result')}{news} in {clean(str(summary.folder))}")
    if money := spending(summary.spent, summary.reserved):
        yield Text(f"{money}, by all runs of this batch")
    yield Text(f"it took {duration(summary.seconds)}")


def _ended_early(summary: Summary) -> Iterator[RenderableType]:
    """What on this side kept jobs from being sent."""
    if summary.disk_needed is not None:
        free = "" if summary.disk_free is None else f", and {size(summary.disk_free)} are free"
        needed = f"the results of the jobs left may need {size(summary.disk_needed)}{free}"
        yield Text(f"stopped: {needed}", style="yellow")
        yield indented(
            "Free some space, or choose another disk with --output; then run again.", style="dim"
        )
    if summary.failing:
        yield Text("stopped: one job after another failed, as many as the manifest bears")
        yield indented(
            "Nothing more was sent. Look at what the service said, then run again.", style="dim"
        )


def _to_fetch(summary: Summary) -> Iterator[RenderableType]:
    """What is paid for and not on disk, by when it must be."""
    waiting = summary.unfetched
    if not waiting:
        return
    first = f"{moment(waiting[0].deadline)}" if waiting[0].deadline else ""
    sent = f"{count(len(waiting), 'job')} sent and not fetched; what is made of them is paid for"
    yield Text(f"{sent}: fetch the first by {first}")
    for job in waiting[:_MOST_WAITING]:
        task = f", task {clean(job.task_id)}" if job.task_id else ""
        until = moment(job.deadline or 0.0)
        yield indented(f"{until}: {clean(job.id)}{task}")
    if (more := len(waiting) - _MOST_WAITING) > 0:
        yield indented(f"and {more:,} more")
    yield indented(
        "batchgen collect fetches them and sends nothing; so does the next run, first.", style="dim"
    )


def _headline(summary: Summary) -> str:
    changed = f"; {len(summary.changed):,} of these changed too late" if summary.changed else ""
    numbers = counts(
        {
            "done": summary.count(State.DONE),
            "failed": len(summary.failed),
            "in need of a person": len(summary.need_a_person),
            "unfinished": len(summary.unfinished),
        }
    )
    return f"{numbers}{changed}"


def _named(summary: Summary) -> Iterator[JobReport]:
    """The jobs, those changed after they were paid for once more as such."""
    changed = set(summary.changed)
    for job in summary.jobs:
        yield job
        if job.id in changed:
            yield replace(job, state=CHANGED)
