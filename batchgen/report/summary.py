"""The end of a run: what came of it, what to do next, what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from batchgen.api.standing import CHANGED, JobReport
from batchgen.api.summary import Summary
from batchgen.core.lifecycle import State
from batchgen.errors import ExitCode
from batchgen.report.document import jobs_data
from batchgen.report.errors import error_data
from batchgen.report.money import money_data, spending
from batchgen.report.stops import stops
from batchgen.report.text import clean, clipped, count, counts, duration
from batchgen.report.troubles import troubles


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
        "stops": list(summary.stops),
        "budget": money_data(summary.budget),
        "budget_reached": summary.budget_reached,
        "missing": money_data(summary.missing) if summary.budget_reached else None,
        "error": error_data(summary.error) if summary.error else None,
        **jobs_data(summary.jobs),
    }


def _all_there(summary: Summary) -> Text:
    files = sum(len(job.files) for job in summary.jobs)
    told = "the one result is" if files == 1 else f"all {files:,} results are"
    return Text(f"{clean(summary.name)}: {told} on disk: {clean(str(summary.folder))}")


def _parts(summary: Summary) -> Iterator[RenderableType]:
    yield Text(f"{clean(summary.name)}: {_headline(summary)}", style="bold")
    yield from troubles(_named(summary))
    reasons = stops(summary)
    for advice, those in reasons.items():
        yield from (Text(f"stopped: {clipped(reason)}", style="yellow") for reason in those)
        yield Padding(Text(advice, style="dim"), (0, 0, 0, 2), expand=False)
    if summary.unfinished:
        stuck = bool(reasons) or summary.error is not None
        how = "when that is put right" if stuck else "run the same command again"
        yield Text(
            f"{count(len(summary.unfinished), 'job')} to go on with: {how}."
            " Nothing is bought twice."
        )
    files = sum(len(job.files) for job in summary.jobs)
    news = f" ({summary.saved:,} of them new)" if 0 < summary.saved < files else ""
    yield Text(f"{count(files, 'result')}{news} in {clean(str(summary.folder))}")
    if money := spending(summary.spent, summary.reserved):
        yield Text(f"{money}, by all runs of this batch")
    yield Text(f"it took {duration(summary.seconds)}")


def _headline(summary: Summary) -> str:
    return counts(
        {
            "done": summary.count(State.DONE),
            "failed": len(summary.failed),
            "in need of a person": len(summary.need_a_person),
            "changed too late": len(summary.changed),
            "unfinished": len(summary.unfinished),
        }
    )


def _named(summary: Summary) -> Iterator[JobReport]:
    """The jobs, those changed after they were paid for once more as such."""
    changed = set(summary.changed)
    for job in summary.jobs:
        yield job
        if job.id in changed:
            yield replace(job, state=CHANGED)
