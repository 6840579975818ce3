"""A visit to a batch: under its lock, with its journal and its tree, and without a run.

For what is no run and may still change what the next one does: marking, cancelling, verifying.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from batchgen.api.rebuilding import refuse_lost
from batchgen.api.settings import Settings, matches, policy_of
from batchgen.artifacts import Tree
from batchgen.catalog import Request
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from batchgen.core.standing import Standing
from batchgen.errors import Mistake
from batchgen.journal import Journal
from batchgen.manifest import Manifest, output_folder
from batchgen.runner.clock import Clock
from batchgen.runner.errand import Errand
from batchgen.runner.sealer import Sealer


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A batch that nobody else changes meanwhile. Made inside a running event loop."""

    journal: Journal
    tree: Tree
    standing: Standing
    clock: Clock
    sealer: Sealer

    async def note(self, *facts: f.Fact) -> None:
        """Take facts in, and write them down. Raises JournalError."""
        for fact in facts:
            self.standing.after(fact)
        await self.journal.commit(facts)

    def is_beyond_reach(self, job: Job) -> bool:
        """What the service no longer has, or never made a task of, cannot be fetched again."""
        return job.task_id is None or self.clock.now() > job.expires

    def chosen(self, only: str | None) -> list[Job]:
        """The jobs that the journal knows and the glob chooses, in the order of the manifest.

        Raises Mistake for a glob that chooses none.
        """
        known = [job for job in self.standing.jobs.values() if job.state is not State.WITHDRAWN]
        jobs = [job for job in known if matches(job.id, only)]
        if only is not None and not jobs:
            raise Mistake(
                f"No job of this batch has an id that matches {only}.",
                hint="batchgen status --json lists the ids",
            )
        return sorted(jobs, key=lambda job: job.order)


@contextmanager
def visit(
    manifest: Manifest, settings: Settings, *, wall: Callable[[], float] = time.time
) -> Iterator[Visit | None]:
    """Come to the batch of a manifest; None where it was never begun, and nothing is made then.

    Raises BatchHeld while a run is at it, Mistake where the batch is another's, MachineError.
    """
    folder = output_folder(manifest, settings.output, sandbox=settings.sandbox)
    if not Journal.is_begun(folder):
        refuse_lost(folder, manifest.name)
        yield None
        return
    kind = settings.kind
    with (
        Tree(folder.parent, folder.name) as tree,
        Journal.open(folder, kind=kind, manifest=manifest.name, source=manifest.path) as journal,
    ):
        standing = journal.recall(policy_of(manifest, settings, manifest.catalog))
        for fact in journal.replay(standing.taken):
            standing.after(fact)
        journal.check_file()
        clock = Clock(wall())
        errand = Errand(
            manifest=manifest.name,
            folder=manifest.folder,
            catalog=manifest.catalog,
            region=manifest.region,
            request_of=lambda identity: Request.from_document(journal.request(identity)),
            clock=clock,
        )
        sealer = Sealer(errand, journal, tree)
        yield Visit(journal=journal, tree=tree, standing=standing, clock=clock, sealer=sealer)
