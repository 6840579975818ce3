"""What batchgen promises, checked after whole batches by witnesses that know nothing of each other:
the journal, the output tree, and the sandbox's own memory of tasks and requests.

P1  no double pay: accepted POSTs are at most the jobs and the retries that were allowed
P2  no lost task: each task at the service is a job's, or the job is told as in doubt
P3  a final name means whole, a sidecar means its media, done means both
P4  a run of what is finished sends nothing, fetches nothing and changes no byte
P5  rates, places in flight and the budget hold in every window
P7  the key is nowhere but in the request's header, and no signed query outlives its download
P8  nothing is written outside the roots
P9  exit code, summary, journal, sidecars and the service's bill agree
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
from PIL import Image
from rich.console import Console

from batchgen.api import Summary
from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from batchgen.core.policy import Policy
from batchgen.core.standing import Standing
from batchgen.errors import ExitCode
from batchgen.journal import Journal
from batchgen.manifest import load
from batchgen.report.summary import summary_data, summary_view
from batchgen.sandbox import Faults, Point, Rule
from batchgen.sandbox.models import built_in

QUERIES_PER_SECOND = 20
"""Of one account, for each kind of query (Manage asynchronous tasks, 2026)."""


class Watch(Faults):
    """Rules over a sandbox, and what arrived there, refused or not."""

    def __init__(self, *rules: Rule) -> None:
        self.arrived: list[tuple[float, Point]] = []
        self.posted: list[tuple[float, str, str]] = []
        """Of each POST for a task: when, for which model, with which prompt."""
        super().__init__(*rules)

    def watches(self, point: Point, call: Any = None) -> bool:
        """Asked without a call once about each request, before anything is looked at."""
        if call is None:
            self.arrived.append((self._now(), point))
        return True

    def meets(self, point: Point, call: Any) -> Any:
        if point in {Point.SUBMIT, Point.GENERATE}:
            self.posted.append((self._now(), call.model, call.prompt))
        return super().meets(point, call)

    def at_point(self, point: Point) -> list[float]:
        """When requests of a kind arrived."""
        return [at for at, where in self.arrived if where is point]


@dataclass(frozen=True)
class Bought:
    """A task in the sandbox's file."""

    id: str
    model: str
    digest: str
    status: str
    created: float
    ended: float | None
    cost: int


@dataclass(frozen=True)
class Witnesses:
    """The three of them, after a run."""

    folder: Path
    output: Path
    standing: Standing
    tasks: list[Bought]
    sidecars: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, rehearsal) -> Witnesses:
        sidecars = {
            path.stem: json.loads(path.read_text("utf-8"))
            for path in rehearsal.output.glob("*.json")
        }
        return cls(
            rehearsal.folder,
            rehearsal.output,
            journal_of(rehearsal.output),
            ledger(rehearsal.folder),
            sidecars,
        )

    @property
    def jobs(self) -> list[Job]:
        return list(self.standing.jobs.values())

    @property
    def media(self) -> dict[str, Path]:
        """Everything under a final name that is no sidecar."""
        paths = (path for path in self.output.iterdir() if path.is_file())
        return {path.name: path for path in paths if path.suffix != ".json"}


def journal_of(output: Path) -> Standing:
    """What the journal's facts add up to."""
    standing = Standing(Policy(lanes={}))
    journal = Journal.peek(output)
    if journal is not None:
        with journal:
            for fact in journal.replay():
                standing.after(fact)
    return standing


def ledger(folder: Path) -> list[Bought]:
    """The tasks that the sandbox made, in their order."""
    file = folder / "service" / "sandbox.sqlite"
    if not file.exists():
        return []
    columns = "id, model, digest, status, created, ended, cost"
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute(f"SELECT {columns} FROM task ORDER BY number").fetchall()
    return [Bought(*row) for row in rows]


def words(summary: Summary) -> str:
    """All that a person and a program are told at the end."""
    shown = io.StringIO()
    Console(file=shown, width=4_000).print(summary_view(summary))
    return shown.getvalue() + json.dumps(summary_data(summary), ensure_ascii=False)


async def keep_promises(
    rehearsal, summary: Summary, *, retries: int = 0, said: str = "", again: bool = True
) -> None:
    """Check them all after a run. ``retries`` are new attempts that somebody allowed; ``said`` is
    what was written to screens and logs. Not ``again``: what is left to do is not to be done.
    """
    found = Witnesses.of(rehearsal)
    _no_double_pay(found, retries)
    _no_lost_task(found)
    _published_means_whole(found)
    _limits_hold(found, rehearsal)
    _secrets_are_kept(found, rehearsal.key, said + words(summary))
    _nothing_elsewhere(found)
    _witnesses_agree(found, summary)
    if again and all(job.state in _ENDED for job in found.jobs):
        await _again_for_nothing(rehearsal, found)


_OPEN = {"lock", "journal.sqlite-wal", "journal.sqlite-shm"}
"""Files that whoever looks into a journal may leave."""

_ENDED = {State.DONE, State.PARTIAL, State.FAILED, State.CANCELED, State.WITHDRAWN}


def _no_double_pay(found: Witnesses, retries: int) -> None:
    assert len(found.tasks) <= len(found.jobs) + retries, "P1: more tasks than jobs"
    twice = sum(count - 1 for count in Counter(task.digest for task in found.tasks).values())
    assert twice <= retries, "P1: one request was taken twice"


def _no_lost_task(found: Witnesses) -> None:
    known = found.standing.task_ids
    unbilled = {"FAILED", "CANCELED"}
    unknown = [task for task in found.tasks if task.id not in known and task.status not in unbilled]
    doubts = found.standing.counts[State.IN_DOUBT] + found.standing.counts[State.SUBMITTING]
    assert len(unknown) <= doubts, "P2: a task that no job knows of"


def _published_means_whole(found: Witnesses) -> None:
    lengths = {name: _measured(path) for name, path in found.media.items()}
    for name, sidecar in found.sidecars.items():
        for file in sidecar["files"]:
            path = found.output / file["path"]
            assert path.stat().st_size == file["bytes"], f"P3: {name} speaks of another file"
            assert file.get("frames") in {None, lengths[path.name]}, "P3: frames are missing"
    for job in found.jobs:
        if job.state is State.DONE:
            assert job.id in found.sidecars, f"P3: {job.id} is done without a sidecar"
            files = {file["path"] for file in found.sidecars[job.id]["files"]}
            assert files == {result.name for result in job.results if result.name}
            assert files <= found.media.keys(), f"P3: {job.id} is done without its files"


def _measured(path: Path) -> int:
    """Frames, all of them decoded; raises for what is cut."""
    if path.suffix != ".mp4":
        with Image.open(path) as picture:
            picture.load()
        return 1
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def _limits_hold(found: Witnesses, rehearsal) -> None:
    models, manifest = built_in(), load(rehearsal.folder / "film.yaml")
    watch = rehearsal.faults
    if isinstance(watch, Watch):
        for model in {model for _, model, _ in watch.posted}:
            posts = [at for at, which, _ in watch.posted if which == model]
            assert most_in(posts, 1.0) <= models[model].per_second, f"P5: POSTs of {model}"
        for point in (Point.QUERY, Point.LIST):
            assert most_in(watch.at_point(point), 1.0) <= QUERIES_PER_SECOND, f"P5: {point}"
    if manifest.max_in_flight:
        moments = [(task.created, task.ended or float("inf")) for task in found.tasks]
        for at, _ in moments:
            assert sum(a <= at < b for a, b in moments) <= manifest.max_in_flight, "P5: in flight"
    budget = rehearsal.settings.get("budget") or manifest.budget
    if budget is not None:
        worst = sum(task.cost for task in found.tasks if task.status not in {"FAILED", "CANCELED"})
        assert worst <= budget.micro, "P5: the budget"


def most_in(times: list[float], seconds: float) -> int:
    """The most of these moments that lie in any window of this length."""
    times = sorted(times)
    start = most = 0
    for end, at in enumerate(times):
        while times[start] <= at - seconds + 1e-6:
            start += 1
        most = max(most, end - start + 1)
    return most


def _secrets_are_kept(found: Witnesses, key: str, said: str) -> None:
    assert key not in said, "P7: the key on a screen"
    assert "Signature=" not in said, "P7: a signed query on a screen"
    with Journal.peek(found.output) or closing(io.BytesIO()) as journal:
        waiting = bool(journal.links()) if isinstance(journal, Journal) else False
    for path in _files(found.folder, but=found.folder / "service"):
        content = path.read_bytes()
        assert key.encode() not in content, f"P7: the key in {path}"
        if waiting and path.name.startswith("journal.sqlite"):  # links that are yet to be fetched
            assert path.stat().st_mode & 0o077 == 0, f"P7: {path} is open to others"
        else:
            assert b"Signature=" not in content, f"P7: a signed query in {path}"


def _nothing_elsewhere(found: Witnesses) -> None:
    outside = [path for path in found.folder.iterdir() if path.is_dir()]
    assert {path.name for path in outside} <= {"output", "service"}, "P8: a folder elsewhere"
    assert not list(Path(os.environ["HOME"]).iterdir()), "P8: something in the home folder"
    top = {path.name for path in found.output.parent.iterdir()}
    assert top == {found.output.name}, "P8: something beside the batch's folder"


def _witnesses_agree(found: Witnesses, summary: Summary) -> None:
    standing = found.standing
    told = {job.id: job.state for job in summary.jobs}
    known = {job.id: job.state for job in found.jobs if job.state is not State.WITHDRAWN}
    assert told.items() <= known.items(), "P9: the summary and the journal differ"
    for name, state in known.items():
        sealed = state in {State.DONE, State.PARTIAL}
        assert not sealed or name in found.sidecars, f"P9: {name} has no sidecar"
    bill = {task.id: task for task in found.tasks if task.status == "SUCCEEDED"}
    billed = sum(task.cost for task in bill.values())
    assert standing.spent <= billed, "P9: less was billed than the journal says"
    for name, sidecar in found.sidecars.items():
        if sidecar["task_id"]:
            cost = round(sidecar["cost"]["amount"] * 1e6)
            assert cost == bill[sidecar["task_id"]].cost, f"P9: {name} was billed otherwise"
    assert summary.exit_code in _codes(summary, known), "P9: the exit code"
    said = words(summary)
    for job in (*summary.need_a_person, *summary.failed):
        assert job.id in said, f"P9: {job.id} is not named"
        reason = job.message or job.state == State.CANCELED  # which says it all
        assert reason, f"P9: {job.id} has no reason"


def _codes(summary: Summary, states: dict[str, State]) -> set[ExitCode]:
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


async def _again_for_nothing(rehearsal, found: Witnesses) -> None:
    paths = [path for path in _files(found.output) if path.name not in _OPEN]
    before = {path: path.read_bytes() for path in paths}
    sent = len(getattr(rehearsal.faults, "arrived", ()))
    summary = await rehearsal.run()
    assert (summary.submitted, summary.saved) == (0, 0), "P4: something was done again"
    assert len(getattr(rehearsal.faults, "arrived", ())) == sent, "P4: the service was asked"
    assert len(ledger(rehearsal.folder)) == len(found.tasks), "P4: something was bought"
    changed = [path.name for path in before if path.read_bytes() != before[path]]
    assert not changed, "P4: bytes were changed"


def _files(folder: Path, *, but: Path | None = None) -> list[Path]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if but is None or but not in path.parents)
