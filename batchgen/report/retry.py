"""What was marked to be sent again, what it risks, and what was not marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from batchgen.api.retrying import Choice, Kept, Retried
from batchgen.api.standing import JobReport
from batchgen.report.document import job_data, named
from batchgen.report.lines import indented
from batchgen.report.money import money_data, totals
from batchgen.report.text import clean, count

RISKS: Mapping[Choice, str] = {
    Choice.UNPAID: "failed or cancelled, and not billed",
    Choice.IN_DOUBT: "in doubt: where the service has taken the lost request after all, the same is"
    " bought twice",
    Choice.EXPIRED: "made and paid for, and no longer to be had: paid for again",
    Choice.LOST: "a task whose end nobody knows is given up: where it ends well after all, the same"
    " is bought twice",
    Choice.PARTIAL: "paid for again as a whole, with what has come of it",
}
"""What is said of the marked jobs, by what marked them."""

_LOOK_FIRST = (
    "`batchgen run` would look for their tasks first, and free of charge: unmarked, they are"
    " settled by it in most cases."
)


def retry_view(retried: Retried) -> Group:
    """The marks for a person."""
    return Group(*_parts(retried))


def retry_data(retried: Retried) -> dict[str, Any]:
    """The marks for a program."""
    return {
        "name": retried.name,
        "folder": str(retried.folder),
        "exit_code": int(retried.exit_code),
        "to_spend": [money_data(total) for total in _prices(one.job for one in retried.marked)],
        "done": retried.done,
        "marked": [
            {**job_data(one.job), "risk": RISKS[one.choice], "replaced": list(one.replaced)}
            for one in retried.marked
        ],
        "kept": [{**job_data(one.job), "why": one.why} for one in retried.kept],
    }


def _parts(retried: Retried) -> Iterator[RenderableType]:
    title = f"{count(len(retried.marked), 'job')} marked" if retried.marked else "nothing marked"
    yield Text(f"{clean(retried.name)}: {title}", style="bold")
    for choice, jobs in retried.by_choice.items():
        cost = " and ".join(map(str, _prices(jobs))) or "an unknown price"
        yield indented(f"{count(len(jobs), 'job')} for {cost} at most: {RISKS[choice]}")
        yield indented(named(jobs), deeper=2)
        if choice is Choice.IN_DOUBT and (unsought := [job for job in jobs if not job.held]):
            yield indented(f"{named(unsought)}: {_LOOK_FIRST}", deeper=2)
    if moved := sum(len(one.replaced) for one in retried.marked):
        yield indented(f"{count(moved, 'file')} moved to .batchgen/replaced")
    if retried.marked:
        yield Text("Nothing was sent. Next: `batchgen run` sends them.")
    if retried.kept:
        yield Text("not marked:")
    for why, kept in _by_reason(retried.kept).items():
        yield indented(f"{named(one.job for one in kept)}: {why}")


def _by_reason(kept: Iterable[Kept]) -> Mapping[str, list[Kept]]:
    reasons: dict[str, list[Kept]] = {}
    for one in kept:
        reasons.setdefault(f"{one.job.state}; {one.why}", []).append(one)
    return reasons


def _prices(jobs: Iterable[JobReport]) -> list[Any]:
    return totals(job.price for job in jobs)
