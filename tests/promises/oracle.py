"""What batchgen promises, checked after whole batches.

P1  no double pay: accepted POSTs are at most the jobs and the retries that were allowed
P2  no lost task: each task at the service is a job's, or the job is told as in doubt
P3  a final name means a whole result of the service, a sidecar means its media and no other's, and
    what the journal calls saved or done is on the disk
P4  a run of what is finished sends nothing, fetches nothing and changes no byte
P5  rates, places in flight and the budget hold in every window
P7  the key is nowhere but in the request's header, and no signed query outlives its download
P8  nothing is written outside the roots, and nothing is left over in them
P9  exit code, summary, journal, sidecars and the service's bill agree

Rules of this file:

* A promise that is broken is a line of text; no lines, no broken promise.
* ``broken_by_a_death`` looks at a batch that nobody runs, at whatever moment its last run died:
  what no death may leave. The others look for that, too.
* ``broken_at_the_end`` looks at a batch of which a run has said that everything is done.
* ``keep_promises`` looks at a rehearsal, whatever became of it, with what its summary said.
"""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from av.error import FFmpegError
from rich.console import Console

from batchgen.api import Summary
from batchgen.core.facts import Renewed, ResultsVanished, Saved, Sealed, SidecarVanished
from batchgen.core.lifecycle import State
from batchgen.errors import ExitCode
from batchgen.journal import Journal
from batchgen.manifest import load
from batchgen.report.summary import summary_data, summary_view
from batchgen.sandbox import Point
from batchgen.sandbox.models import built_in
from tests.promises.witnesses import (
    Count,
    Service,
    Task,
    Watch,
    Witnesses,
    files_below,
    frames,
    listing,
    most_in,
    sha256,
    tasks,
)

QUERIES_PER_SECOND = 20
"""Of one account, for each kind of query (Manage asynchronous tasks, 2026)."""

LASTING = {"journal.sqlite", "journal.extent", "lock", "README.txt", "parts"}
"""What a batch keeps in its private folder when nobody runs it."""


def broken_by_a_death(output: Path, service: Service, *, key: str) -> list[str]:
    """P3 and P7, as far as they hold at every moment: links wait in the journal until the next run
    has fetched them.
    """
    found = Witnesses.of(output, service)
    return [*_half_done(found), *_key_told(found, key)]


def broken_at_the_end(
    output: Path, service: Service, *, jobs: Mapping[str, Collection[str]], count: Count, key: str
) -> list[str]:
    """P1, P3, P7 and P8 after exit code 0.

    ``jobs`` maps each job's id to the names of its files, ``count`` is what the service has made
    for them.
    """
    found = Witnesses.of(output, service)
    paid = count.created - count.unbilled
    broken = [] if paid == len(jobs) else [f"P1: {paid} tasks were paid for, of {len(jobs)} jobs"]
    wanted = {name for job, files in jobs.items() for name in (*files, f"{job}.json")}
    there = listing(output)
    broken += [f"P3: {name} is missing" for name in sorted(wanted - there)]
    parts = listing(output / ".batchgen" / "parts")
    left = (there - wanted - {".batchgen"}) | (found.private - LASTING) | parts
    broken += [f"P8: {name} is left over" for name in sorted(left)]
    return [*broken, *_half_done(found), *_key_told(found, key), *_links_told(found)]


async def keep_promises(
    rehearsal: Any, summary: Summary, *, retries: int = 0, said: str = "", again: bool = True
) -> None:
    """Check them all after a run. ``retries`` are new attempts that somebody allowed; ``said`` is
    what was written to screens and logs. Not ``again``: what is left to do is not to be done.
    """
    found = Witnesses.of(rehearsal.output, Service(rehearsal.folder / "service"))
    made = tasks(found.service.folder)
    broken = [
        *_bought_twice(found, made, retries),
        *_lost(found, made),
        *_half_done(found),
        *_limits_passed(made, rehearsal),
        *_secrets_told(found, rehearsal, said + words(summary)),
        *_written_elsewhere(found, rehearsal.folder),
        *_contradictions(found, made, summary),
    ]
    if again and not broken and all(job.state in _ENDED for job in found.jobs):
        broken += [line async for line in _restless(rehearsal, made)]
    assert not broken, "\n".join(broken)


def words(summary: Summary) -> str:
    """All that a person and a program are told at the end."""
    shown = io.StringIO()
    Console(file=shown, width=4_000).print(summary_view(summary))
    return shown.getvalue() + json.dumps(summary_data(summary), ensure_ascii=False)


_ENDED = {State.DONE, State.PARTIAL, State.FAILED, State.CANCELED, State.WITHDRAWN}

# -- P1, P2: tasks ---------------------------------------------------------------------------------


def _bought_twice(found: Witnesses, made: list[Task], retries: int) -> Iterator[str]:
    if len(made) > len(found.jobs) + retries:
        yield f"P1: {len(made)} tasks of {len(found.jobs)} jobs"
    twice = sum(count - 1 for count in Counter(task.digest for task in made).values())
    if twice > retries:
        yield f"P1: requests that were taken twice: {twice}"


def _lost(found: Witnesses, made: list[Task]) -> Iterator[str]:
    known = found.standing.task_ids
    unknown = [task.id for task in made if task.billed and task.id not in known]
    doubts = found.standing.counts[State.IN_DOUBT] + found.standing.counts[State.SUBMITTING]
    if len(unknown) > doubts:
        yield f"P2: no job knows of {unknown}, {doubts} are in doubt"


# -- P3: files -------------------------------------------------------------------------------------


def _half_done(found: Witnesses) -> Iterator[str]:
    yield from (f"P3: {name} is no whole document" for name in found.torn)
    yield from _half_results(found)
    yield from _half_sidecars(found)
    yield from _half_jobs(found)
    yield from _journal_ahead(found)


def _half_results(found: Witnesses) -> Iterator[str]:
    known = found.service.rendered() if found.media else ()
    for name, path in found.media.items():
        if name.startswith(".probe-"):
            continue  # a death left it, and the next run takes it away
        if sha256(path) not in known:
            yield f"P3: {name} ({path.stat().st_size} bytes) is no whole result of the service"


def _half_sidecars(found: Witnesses) -> Iterator[str]:
    owners: dict[str, str] = {}
    for name, sidecar in found.sidecars.items():
        task = sidecar["task_id"]
        if task and (other := owners.setdefault(task, name)) != name:
            yield f"P3: the sidecars of {name} and {other} are of one task"
        for file in sidecar["files"]:
            path = found.output / file["path"]
            if not path.is_file():
                yield f"P3: the sidecar of {name} is there without {file['path']}"
            elif (path.stat().st_size, sha256(path)) != (file["bytes"], file["sha256"]):
                yield f"P3: the sidecar of {name} tells other bytes than those of {file['path']}"
            else:
                yield from _cut(path, file.get("frames"))


def _cut(path: Path, told: int | None) -> Iterator[str]:
    try:
        if told not in {None, there := frames(path)}:
            yield f"P3: {path.name} has {there} frames, and not {told}"
    except (OSError, FFmpegError) as error:
        yield f"P3: {path.name} cannot be shown to its end: {error}"


def _half_jobs(found: Witnesses) -> Iterator[str]:
    for job in found.jobs:
        if job.state is not State.DONE:
            continue
        if job.id not in found.sidecars:
            yield f"P3: {job.id} is done without a sidecar"
        elif {file["path"] for file in found.sidecars[job.id]["files"]} != {
            result.name for result in job.results if result.name
        }:
            yield f"P3: the journal and the sidecar of {job.id} name other files"


def _journal_ahead(found: Witnesses) -> Iterator[str]:
    """What it calls saved or done is on the disk."""
    if found.unreadable:
        yield f"P3: the journal cannot be read: {found.unreadable}"
    there: dict[tuple[str, int | None], str] = {}
    for fact in found.facts:
        match fact:
            case Saved(job=job, index=index):
                there[job, index] = str(fact.file["path"])
            case Sealed(job=job):
                there[job, None] = f"{job}.json"
            case SidecarVanished(job=job):
                there.pop((job, None), None)
            case ResultsVanished(job=job) | Renewed(job=job):
                there = {key: name for key, name in there.items() if key[0] != job}
            case _:
                pass
    for name in there.values():
        if not (found.output / name).is_file():
            yield f"P3: the journal tells of {name}, and it is not there"


# -- P4: rest --------------------------------------------------------------------------------------

_OPEN = {"lock", "journal.sqlite-wal", "journal.sqlite-shm"}
"""Files that whoever looks into a journal may leave."""


async def _restless(rehearsal: Any, made: list[Task]) -> Any:
    paths = [path for path in files_below(rehearsal.output) if path.name not in _OPEN]
    before = {path: path.read_bytes() for path in paths}
    sent = len(getattr(rehearsal.faults, "arrived", ()))
    summary = await rehearsal.run()
    if (summary.submitted, summary.saved) != (0, 0):
        yield "P4: something was done again"
    if len(getattr(rehearsal.faults, "arrived", ())) != sent:
        yield "P4: the service was asked"
    if len(tasks(rehearsal.folder / "service")) != len(made):
        yield "P4: something was bought"
    for path, content in before.items():
        if path.read_bytes() != content:
            yield f"P4: bytes of {path.name} were changed"


# -- P5: limits ------------------------------------------------------------------------------------


def _limits_passed(made: list[Task], rehearsal: Any) -> Iterator[str]:
    manifest = load(rehearsal.folder / "film.yaml")
    if isinstance(rehearsal.faults, Watch):
        yield from _rates_passed(rehearsal.faults)
    if manifest.max_in_flight:
        moments = [(task.created, task.ended or float("inf")) for task in made]
        most = max((sum(a <= at < b for a, b in moments) for at, _ in moments), default=0)
        if most > manifest.max_in_flight:
            yield f"P5: {most} tasks at once"
    budget = rehearsal.settings.get("budget") or manifest.budget
    if budget is not None and sum(task.cost for task in made if task.billed) > budget.micro:
        yield "P5: the budget"


def _rates_passed(watch: Watch) -> Iterator[str]:
    models = built_in()
    for model in {model for _, model, _ in watch.posted}:
        posts = [at for at, which, _ in watch.posted if which == model]
        if most_in(posts, 1.0) > models[model].per_second:
            yield f"P5: POSTs of {model}"
    for point in (Point.QUERY, Point.LIST):
        if most_in(watch.at_point(point), 1.0) > QUERIES_PER_SECOND:
            yield f"P5: {point}"


# -- P7, P8: secrets, places -----------------------------------------------------------------------


def _key_told(found: Witnesses, key: str) -> Iterator[str]:
    for path in files_below(found.output):
        if key.encode() in path.read_bytes():
            yield f"P7: the key in {path.name}"


def _links_told(found: Witnesses, *, waiting: bool = False) -> Iterator[str]:
    """``waiting``: the journal keeps links that are yet to be fetched."""
    for path in files_below(found.output):
        if waiting and path.name.startswith("journal.sqlite"):
            if path.stat().st_mode & 0o077:
                yield f"P7: {path.name} has links, and is open to others"
        elif b"Signature=" in path.read_bytes():
            yield f"P7: a signed query in {path.name}"


def _secrets_told(found: Witnesses, rehearsal: Any, said: str) -> Iterator[str]:
    if rehearsal.key in said:
        yield "P7: the key on a screen"
    if "Signature=" in said:
        yield "P7: a signed query on a screen"
    waiting = False
    if (journal := Journal.peek(found.output)) is not None:
        with journal:
            waiting = bool(journal.links())
    for path in files_below(rehearsal.folder, but=found.service.folder):
        content = path.read_bytes()
        if rehearsal.key.encode() in content:
            yield f"P7: the key in {path.name}"
        if found.output not in path.parents and b"Signature=" in content:
            yield f"P7: a signed query in {path.name}"
    yield from _links_told(found, waiting=waiting)


def _written_elsewhere(found: Witnesses, folder: Path) -> Iterator[str]:
    folders = {path.name for path in folder.iterdir() if path.is_dir()}
    strange = folders - {"output", "service"} | listing(Path(os.environ["HOME"]))
    strange |= listing(found.output.parent) - {found.output.name}
    yield from (f"P8: {name} is no part of the batch" for name in sorted(strange))


# -- P9: what is told ------------------------------------------------------------------------------


def _contradictions(found: Witnesses, made: list[Task], summary: Summary) -> Iterator[str]:
    told = {job.id: job.state for job in summary.jobs}
    known = {job.id: job.state for job in found.jobs if job.state is not State.WITHDRAWN}
    if not told.items() <= known.items():
        yield "P9: the summary and the journal differ"
    for name, state in known.items():
        if state in {State.DONE, State.PARTIAL} and name not in found.sidecars:
            yield f"P9: {name} has no sidecar"
    if (code := summary.exit_code) not in _codes(summary, known):
        yield f"P9: the exit code {code}"
    yield from _wrong_bill(found, {task.id: task for task in made if task.status == "SUCCEEDED"})
    yield from _unsaid(summary)


def _wrong_bill(found: Witnesses, bill: Mapping[str, Task]) -> Iterator[str]:
    if found.standing.spent > sum(task.cost for task in bill.values()):
        yield "P9: less was billed than the journal says"
    for name, sidecar in found.sidecars.items():
        cost = round(sidecar["cost"]["amount"] * 1e6)
        if sidecar["task_id"] and cost != bill[sidecar["task_id"]].cost:
            yield f"P9: {name} was billed otherwise"


def _unsaid(summary: Summary) -> Iterator[str]:
    said = words(summary)
    for job in (*summary.need_a_person, *summary.failed):
        if job.id not in said:
            yield f"P9: {job.id} is not named"
        if not job.message and job.state != State.CANCELED:  # which says it all
            yield f"P9: {job.id} has no reason"


def _codes(summary: Summary, states: Mapping[str, State]) -> set[ExitCode]:
    """The codes that the states allow, where neither a signal nor an error ended the run."""
    if summary.error is not None:
        return {summary.error.exit_code}
    if summary.signal is not None:
        return {summary.signal, ExitCode.MORE_TO_DO}
    if summary.stops or summary.budget_reached:
        return {ExitCode.ACCOUNT}
    found = set(states.values())
    if summary.changed or found & {
        *(State.IN_DOUBT, State.LOST, State.EXPIRED, State.PARKED, State.CANCELED)
    }:
        return {ExitCode.NEEDS_A_PERSON}
    if found & {State.FAILED, State.PARTIAL}:
        return {ExitCode.SOME_FAILED}
    return {ExitCode.DONE} if found <= {State.DONE} else {ExitCode.MORE_TO_DO}
