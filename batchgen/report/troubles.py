"""What went wrong with jobs, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from batchgen.api.standing import CHANGED, JobReport
from batchgen.core.lifecycle import State
from batchgen.report.text import clean, clipped, count, moment

ADVICE: Mapping[str, str] = {
    State.IN_DOUBT: "The answer to the request was lost: it may have been taken, and paid for."
    " batchgen never sends it again by itself. Look in the service's console for a task of this"
    " model at that time.",
    State.EXPIRED: "Made and paid for, but the service keeps results for 24 hours only. Another id"
    " in the manifest buys the result anew.",
    State.LOST: "The service says it does not know a task that it made. Ask its support, with the"
    " task's id.",
    State.PARKED: "It stays as it is until the next run, which looks again.",
    State.CANCELED: "Cancelled at the service by somebody, and not billed. A change in the manifest"
    " (a seed, a word) sends the job again.",
    CHANGED: "Changed in the manifest after it was paid for: the result as bought stays. Another id"
    " buys the new one as well.",
    State.PARTIAL: "Some results were not made, and not billed; the others are on disk.",
    State.FAILED: "Not billed, and not sent again as it is: a change in the manifest (the words, a"
    " seed) sends it again.",
}
"""What to do, by the state that is the trouble; in the order of urgency."""


def troubles(jobs: Iterable[JobReport]) -> Iterator[RenderableType]:
    """All jobs in trouble, by state: the service's words, then what to do."""
    found: dict[str, list[JobReport]] = {state: [] for state in ADVICE}
    for job in jobs:
        if job.state in found:
            found[job.state].append(job)
    for state, those in found.items():
        if those:
            yield Text(f"{count(len(those), 'job')} {state}", style=_style(state))
            yield from (_indented(line) for line in _stories(those))
            yield _indented(ADVICE[state], style="dim")


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
    return f"{job.model}{task}{sent}" + (f": {said}" if said else "")


def _indented(line: str, *, style: str = "") -> Padding:
    return Padding(Text(line, style=style), (0, 0, 0, 2), expand=False)
