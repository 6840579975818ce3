"""What a run finds when it arrives: what the manifest has changed, what the tree has lost, and what
would be in the way of the results it is about to buy.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from batchgen.api.standing import wishes_of
from batchgen.artifacts import Tree, names_of, sidecar_name
from batchgen.core import facts as f
from batchgen.core.batch import Batch
from batchgen.core.lifecycle import State
from batchgen.core.wishes import difference
from batchgen.errors import Mistake
from batchgen.manifest import Job as WantedJob
from batchgen.manifest import Manifest
from batchgen.version import VERSION

ACCOUNT = "default"
"""The name of the one account there is, in every fact."""

_NAMED = 20


@dataclass(frozen=True, slots=True)
class Arrival:
    """The facts that a run begins with, already taken in by the batch."""

    facts: tuple[f.Fact, ...]
    changed: frozenset[str]
    """Jobs whose request was changed after it was paid for."""
    gone: frozenset[str]
    """Jobs whose files are no longer in the tree, nor at the service."""


async def arrive(
    batch: Batch, tree: Tree, manifest: Manifest, *, chosen: Collection[str] | None, now: float
) -> Arrival:
    """Hold the manifest and the tree against the batch.

    Raises Mistake, before anything is bought, where prices or file names stand against it.
    """
    _check_currency(batch, manifest)
    facts: list[f.Fact] = [f.RunStarted(at=now, account=ACCOUNT, version=VERSION)]
    batch.after(facts[0])
    found = difference(batch.standing, wishes_of(manifest), account=ACCOUNT, at=now)
    lost = list(_vanished(batch, tree, now))
    gone = {fact.job for fact in lost if _is_gone(batch, fact, now)}
    back = [fact for fact in lost if fact.job not in gone]
    cut = [name for fact in back for name in _names_lost(batch, fact)]
    for fact in (*found.facts, *back):
        batch.after(fact)
        facts.append(fact)
    await _check_names(batch, tree, manifest, chosen)
    for name in cut:  # after the last refusal: a run that is refused touches nothing
        await tree.set_aside(name)
    changed = found.changed if chosen is None else found.changed & frozenset(chosen)
    return Arrival(tuple(facts), changed, frozenset(gone))


def _is_gone(batch: Batch, fact: f.JobFact, now: float) -> bool:
    """What the service no longer has, or was asked for without a task, cannot be fetched again:
    whatever is left of it stays.
    """
    job = batch.standing.jobs[fact.job]
    return isinstance(fact, f.ResultsVanished) and (job.task_id is None or now > job.expires)


def _names_lost(batch: Batch, fact: f.JobFact) -> Iterator[str]:
    """The names whose files are gone, or have another size than was saved."""
    if isinstance(fact, f.ResultsVanished):
        results = batch.standing.jobs[fact.job].results
        yield from (name for index in fact.indexes if (name := results[index].name))


def _check_currency(batch: Batch, manifest: Manifest) -> None:
    """One batch, one price list: money of two currencies cannot be added up, nor capped."""
    jobs = batch.standing.jobs.values()
    bought = {job.currency for job in jobs if job.spent or job.reserved}
    prices = {job.price.currency for job in manifest.jobs if job.price}
    if bought and prices and prices != bought:
        raise Mistake(
            f"this batch was begun in a region that bills in {bought.pop()}, and the region of"
            f" this run bills in {prices.pop()}",
            hint="tasks of one region are unknown to the others: use --output with another folder",
        )


async def _check_names(
    batch: Batch, tree: Tree, manifest: Manifest, chosen: Collection[str] | None
) -> None:
    """A result that could not be saved under its name must not be bought."""
    there = {path.name for path in tree.folder.iterdir()}
    complaints = [
        await _complaint(tree, job, name)
        for job in manifest.jobs
        if batch.standing.jobs[job.id].state is State.PENDING
        and (chosen is None or job.id in chosen)
        for name in _names(job)
        if name in there
    ]
    if complaints:
        more = len(complaints) - _NAMED
        shown = complaints[:_NAMED] + ([f"and {more} more"] if more > 0 else [])
        raise Mistake(
            "\n".join(["files are in the way of what would be bought:", *shown]),
            hint="move them elsewhere, or use --output with another folder",
        )


def _names(job: WantedJob) -> Iterator[str]:
    for name in names_of(job.id, job.request.results, job.model.suffix):
        try:
            os.fsencode(name)
        except UnicodeEncodeError:
            raise Mistake(
                f"file names cannot hold {name!a} in this locale",
                hint="set PYTHONUTF8=1, or a UTF-8 locale such as LC_ALL=C.UTF-8",
            ) from None
        yield name


async def _complaint(tree: Tree, job: WantedJob, name: str) -> str:
    known = await tree.read_sidecar(job.id) if name == sidecar_name(job.id) else None
    paid = f", and it says that the job was paid for: task {known['task_id']}" if known else ""
    return f"  {tree.folder / name} (job {job.id}){paid}"


def _vanished(batch: Batch, tree: Tree, now: float) -> Iterator[f.JobFact]:
    """What was done and is no longer in the tree: it is fetched or written again, never bought."""
    settled = {State.DONE, State.PARTIAL}
    jobs = [job for job in batch.standing.jobs.values() if job.state in settled]
    files = [(result.name, result.bytes) for job in jobs for result in job.results if result.name]
    missing = set(tree.missing(files))
    for job in jobs:
        indexes = tuple(n for n, result in enumerate(job.results) if result.name in missing)
        says: dict[str, Any] = {"at": now, "account": job.account, "job": job.id}
        if indexes:
            yield f.ResultsVanished(**says, attempt=job.attempt, indexes=indexes)
        elif not (tree.folder / sidecar_name(job.id)).is_file():
            yield f.SidecarVanished(**says, attempt=job.attempt)
