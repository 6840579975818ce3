"""What was concluded of each job when its journal was made anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from batchgen.api.rebuilding import Conclusion, Rebuilt
from batchgen.report.lines import indented
from batchgen.report.money import money_data, spending
from batchgen.report.text import clean, count, counts, enumerated


def rebuilt_view(rebuilt: Rebuilt) -> Group:
    """The conclusions for a person."""
    return Group(*_parts(rebuilt))


def rebuilt_data(rebuilt: Rebuilt) -> dict[str, Any]:
    """The conclusions for a program."""
    return {
        "name": rebuilt.name,
        "folder": str(rebuilt.folder),
        "exit_code": int(rebuilt.exit_code),
        "damage": rebuilt.damage,
        "aside": None if rebuilt.aside is None else str(rebuilt.aside),
        "spent": money_data(rebuilt.spent),
        "reserved": money_data(rebuilt.reserved),
        "counts": dict(Counter(str(one.state) for one in rebuilt.jobs)),
        "jobs": [
            {"id": one.job, "state": str(one.state), "task_id": one.task_id, "why": one.words}
            for one in rebuilt.jobs
        ],
        "tasks": list(rebuilt.tasks),
    }


def _parts(rebuilt: Rebuilt) -> Iterator[RenderableType]:
    name = clean(rebuilt.name)
    if rebuilt.damage is None:
        yield Text(f"{name}: nothing to mend", style="bold")
        return
    yield Text(f"{name}: the journal was made anew", style="bold")
    yield indented(clean(rebuilt.damage))
    if rebuilt.aside is not None:
        yield indented(f"the old one is kept in {clean(str(rebuilt.aside))}")
    yield Text(f"{count(len(rebuilt.jobs), 'job')}: {counts(_states(rebuilt.jobs))}")
    for (state, words), jobs in _by_words(rebuilt.jobs).items():
        names = enumerated([clean(one.job) for one in jobs])
        yield indented(f"{state}: {names}: {clean(words)}")
    if rebuilt.tasks:
        yield Text("tasks of jobs that nobody knows any more (the service keeps them 24 hours):")
        yield indented(", ".join(map(clean, rebuilt.tasks)))
    if so_far := spending(rebuilt.spent, rebuilt.reserved, []):
        yield Text(f"money: {so_far}")
    if rebuilt.unsettled:
        yield Text("Nothing was sent. Next: `batchgen run` looks for the tasks of jobs in doubt.")
    else:
        yield Text("Nothing was sent. Next: `batchgen run` goes on.")


def _states(jobs: Iterable[Conclusion]) -> Counter[str]:
    return Counter(str(one.state) for one in jobs)


def _by_words(jobs: Iterable[Conclusion]) -> dict[tuple[str, str], list[Conclusion]]:
    found: dict[tuple[str, str], list[Conclusion]] = {}
    for one in jobs:
        found.setdefault((str(one.state), one.words), []).append(one)
    return found
