"""What went wrong with jobs, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.console import RenderableType
from rich.text import Text

from batchgen.api.standing import CHANGED, JobReport
from batchgen.core.lifecycle import State
from batchgen.report.lines import indented
from batchgen.report.text import clean, clipped, count, moment

HELD = "in doubt, held"
"""The word for a doubt that the service's list could not settle."""

ADVICE: Mapping[str, str] = {
    HELD: "The answer to the request was lost, and the service's list cannot tell whether it was"
    " taken: look in the service's console for a task of this model at that time. The next run"
    " looks once more; only `batchgen retry --in-doubt` sends it again, which may buy it twice.",
    State.IN_DOUBT: "The answer to the request was lost: it may have been taken, and paid for."
    " batchgen never sends it again by itself before that is settled: every `batchgen run` and"
    " `batchgen collect` looks for its task at the service. So can you, in its console.",
    State.EXPIRED: "Made and paid for, but the service keeps results for 24 hours only."
    " `batchgen retry --expired` has them bought again.",
    State.LOST: "The service says it does not know a task that it made. The next run asks again;"
    " its support may know more, with the task's id. `batchgen retry --lost` gives it up, which may"
    " buy it twice.",
    State.PARKED: "Put right what stands in its way, if you can; the next `batchgen run` or"
    " `batchgen collect` looks again. `batchgen retry --lost` gives it up, which may buy it twice.",
    State.CANCELED: "Cancelled at the service, and not billed. `batchgen retry` has it sent again"
    " by the next run.",
    CHANGED: "Changed in the manifest after it was paid for: the result as bought stays."
    " `batchgen run --rerun-changed` buys the new one and moves the old one to .batchgen/replaced;"
    " under another id both are kept.",
    State.PARTIAL: "Some results were not made, and not billed; the others are on disk."
    " `batchgen retry --partial` has all of them bought again.",
    State.FAILED: "Not billed, and not sent again as it is: `batchgen retry` has the next run send"
    " it again, and so does a change in the manifest (the words, a seed).",
}
"""What to do, by the state that is the trouble; in the order of urgency."""


def troubles(jobs: Iterable[JobReport]) -> Iterator[RenderableType]:
    """All jobs in trouble, by state: the service's words, then what to do."""
    found: dict[str, list[JobReport]] = {kind: [] for kind in ADVICE}
    for job in jobs:
        if (kind := _kind(job)) in found:
            found[kind].append(job)
    for kind, those in found.items():
        if those:
            yield Text(f"{count(len(those), 'job')} {kind}", style=_style(kind))
            yield from (indented(line) for line in _stories(those))
            yield indented(ADVICE[kind], style="dim")


def _kind(job: JobReport) -> str | None:
    if job.again:
        return None
    return HELD if job.held else job.state


def _style(state: str) -> str:
    return "bold red" if state in {State.FAILED, State.PARTIAL} else "bold yellow"


def _stories(jobs: Iterable[JobReport]) -> Iterator[str]:
    """``fox, wave: words``: jobs that have the same to tell share a line."""
    same: dict[str, list[str]] = {}
    for job in jobs:
        same.setdefault(_words(job), []).append(clean(job.id))
    for words, ids in same.items():
        yield f"{', '.join(ids)}: {words}"


def _words(job: JobReport) -> str:
    said = ": ".join(clipped(part) for part in (job.code, job.message) if part)
    if job.state in {State.FAILED, State.PARTIAL}:
        return said or "the service gave no reason"
    task = f", task {clean(job.task_id)}" if job.task_id else ""
    sent = f", sent {moment(job.submitted_at)}" if job.submitted_at else ""
    again = f", looked for again at {moment(job.look_again_at)}" if job.look_again_at else ""
    kept = f", made, and kept there until {moment(job.deadline)}" if job.deadline else ""
    return f"{job.model}{task}{sent}{again}{kept}" + (f": {said}" if said else "")
