"""What a run finds when it arrives: what the manifest has changed, what the tree has lost, and what
would be in the way of the results it is about to buy.

Rules of this file:

* A run that is refused has changed nothing but what the next one would change as well.
* What was bought and is bought anew leaves its place for ``.batchgen/replaced``, after the facts
  that say so: a death between the two is healed by the next run, which finds the job unsent and the
  old result still in its place (``left_over``).
* A run that only collects never asks what the manifest wants.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from batchgen.api.settings import Settings
from batchgen.api.standing import RERUN, wishes_of
from batchgen.artifacts import Tree, names_of, sidecar_name
from batchgen.catalog import Money
from batchgen.core import facts as f
from batchgen.core.batch import Batch
from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from batchgen.core.wishes import Difference, difference, is_kept
from batchgen.errors import Mistake
from batchgen.manifest import Job as WantedJob
from batchgen.manifest import Manifest
from batchgen.version import VERSION

ACCOUNT = "default"
"""The name of the one account there is, in every fact."""

_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """The facts that a run begins with, already taken in by the batch."""

    facts: list[f.Fact]
    """To be written down before anything else, and of no use from then on."""
    changed: frozenset[str]
    """Jobs whose request was changed after it was paid for, and which stay as bought."""
    gone: frozenset[str]
    """Jobs whose files are no longer in the tree, nor at the service."""
    replaced: tuple[str, ...]
    """Names to set aside when the facts are written down: of what is bought anew."""
    too_dear: Mapping[str, Money | None]
    """The changed jobs that were to be bought anew and that the budget does not allow, with their
    prices."""


async def arrive(
    batch: Batch,
    tree: Tree,
    manifest: Manifest,
    settings: Settings,
    *,
    chosen: Collection[str] | None,
    now: float,
) -> Arrival:
    """Hold the manifest and the tree against the batch.

    Raises Mistake, before anything is bought, where prices or file names stand against it.
    """
    started = f.RunStarted(at=now, account=ACCOUNT, version=VERSION)
    batch.after(started)
    lost = list(_vanished(batch, tree, now))
    gone = frozenset(fact.job for fact in lost if _is_gone(batch, fact, now))
    changes = _Changes() if settings.collect else _changes(batch, manifest, settings, chosen, now)
    settled = gone | changes.renewed
    back = [fact for fact in lost if fact.job not in settled]
    cut = [name for fact in back for name in _names_lost(batch, fact)]
    _take(batch, back)
    old = () if settings.collect else await _check_names(batch, tree, manifest, chosen)
    for name in cut:  # after the last refusal
        await tree.set_aside(name)
    return Arrival(
        facts=[started, *changes.facts, *back],
        changed=changes.changed,
        gone=gone - changes.renewed,
        replaced=old,
        too_dear=changes.too_dear,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changes:
    """What the manifest has changed."""

    facts: tuple[f.Fact, ...] = ()
    changed: frozenset[str] = frozenset()
    renewed: frozenset[str] = frozenset()
    too_dear: Mapping[str, Money | None] = field(default_factory=dict)


def _changes(
    batch: Batch,
    manifest: Manifest,
    settings: Settings,
    chosen: Collection[str] | None,
    now: float,
) -> _Changes:
    _check_currency(batch, manifest)
    found = _difference(batch, manifest, now)
    changed = found.changed if chosen is None else found.changed & frozenset(chosen)
    _take(batch, found.facts)
    if not settings.rerun_changed:
        return _Changes(facts=found.facts, changed=changed)
    renewals, too_dear = _rerun(batch, manifest, changed, chosen, now)
    _take(batch, renewals)
    anew = _difference(batch, manifest, now).facts
    _take(batch, anew)
    renewed = frozenset(fact.job for fact in renewals)
    return _Changes(
        facts=(*found.facts, *renewals, *anew),
        changed=changed - renewed,
        renewed=renewed,
        too_dear=too_dear,
    )


def _difference(batch: Batch, manifest: Manifest, now: float) -> Difference:
    standing = batch.standing
    kept = {job.id for job in manifest.jobs if is_kept(standing, job.id, job.identity)}
    return difference(standing, wishes_of(manifest, kept), account=ACCOUNT, at=now, kept=kept)


def _take(batch: Batch, facts: Iterable[f.Fact]) -> None:
    for fact in facts:
        batch.after(fact)


def _rerun(
    batch: Batch,
    manifest: Manifest,
    changed: Collection[str],
    chosen: Collection[str] | None,
    now: float,
) -> tuple[list[f.Renewed], Mapping[str, Money | None]]:
    """The changed jobs to buy anew, as far as the budget goes, and those for which it is too short:
    what cannot be bought yet does not take the old result from its place.
    """
    standing, budget = batch.standing, batch.policy.budget
    waiting = [job for job in manifest.jobs if chosen is None or job.id in chosen]
    unsent = [job for job in waiting if standing.jobs[job.id].state is State.PENDING]
    room = math.inf if budget is None else budget - standing.spent - standing.reserved
    room -= sum(job.price.micro for job in unsent if job.price)
    renewals: list[f.Renewed] = []
    short: dict[str, Money | None] = {}
    for wanted in waiting:
        job = standing.jobs[wanted.id]
        if job.id not in changed or job.state not in RERUN:
            continue
        price = wanted.price.micro if wanted.price else 0
        if price > room:
            short[job.id] = wanted.price
            continue
        room -= price
        renewals.append(
            f.Renewed(
                at=now,
                account=job.account,
                job=job.id,
                attempt=job.attempt,
                reason="its request was changed, and the change is to be bought",
            )
        )
    return renewals, short


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
) -> tuple[str, ...]:
    """A result that could not be saved under its name must not be bought.

    Returns the names that are taken by what was bought before, for a job that is bought anew.
    """
    there = set(os.listdir(tree.folder))  # noqa: PTH208  (of 200,000 names no paths are made)
    complaints: list[str] = []
    old: list[str] = []
    for wanted in manifest.jobs:
        job = batch.standing.jobs[wanted.id]
        if job.state is not State.PENDING or not (chosen is None or job.id in chosen):
            continue
        ours = left_over(job, there)
        old += ours
        taken = [name for name in _names(wanted) if name in there and name not in ours]
        complaints += [await _complaint(tree, wanted, name) for name in taken]
    if complaints:
        more = len(complaints) - _NAMED
        shown = complaints[:_NAMED] + ([f"and {more} more"] if more > 0 else [])
        raise Mistake(
            "\n".join(["files are in the way of what would be bought:", *shown]),
            hint="move them elsewhere, or use --output with another folder",
        )
    return tuple(old)


def left_over(job: Job, there: Collection[str]) -> tuple[str, ...]:
    """What stands in the tree of the job's newest attempt, as the journal knows it."""
    saved = [result.name for result in job.results if result.name]
    names = [*saved, sidecar_name(job.id)] if saved else []
    return tuple(name for name in names if name in there)


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
        elif not tree.has(sidecar_name(job.id)):
            yield f.SidecarVanished(**says, attempt=job.attempt)
