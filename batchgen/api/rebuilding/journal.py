"""A journal made anew, where the old one is damaged or lost.

The old one is moved aside, never deleted. What is concluded of each job is for ``concluding``.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from batchgen.api.rebuilding.concluding import Conclusion, Retold
from batchgen.api.rebuilding.testimony import witness
from batchgen.api.settings import Settings
from batchgen.artifacts import Tree
from batchgen.artifacts.sidecar import parsed
from batchgen.catalog import Money
from batchgen.core.lifecycle import State
from batchgen.errors import ExitCode, JournalError
from batchgen.journal import Journal, JournalDamaged, Remains, Salvage
from batchgen.manifest import Manifest, output_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """A journal made anew. ``damage`` is what was wrong with the old one, None where there was
    nothing to mend; ``aside`` is the folder that it lies in now, None where there was none.
    """

    name: str
    folder: Path
    damage: str | None
    aside: Path | None = None
    jobs: tuple[Conclusion, ...] = ()
    tasks: tuple[str, ...] = ()
    """Ids of tasks whose job nobody knows any more."""
    spent: Money | None = None
    reserved: Money | None = None

    @property
    def unsettled(self) -> bool:
        """Something was concluded to be in doubt."""
        return bool(self.tasks) or any(one.state is State.IN_DOUBT for one in self.jobs)

    @property
    def exit_code(self) -> ExitCode:
        """DONE where everything is known."""
        return ExitCode.NEEDS_A_PERSON if self.unsettled else ExitCode.DONE


async def rebuild(manifest: Manifest, settings: Settings, *, now: float) -> Rebuilt:
    """Make the journal of a batch anew where it is damaged or lost; nothing is sent.

    Raises BatchHeld, Mistake where the journal is another batch's, and JournalError where it is of
    a newer version or the disk fails.
    """
    folder = output_folder(manifest, settings.output, sandbox=settings.sandbox)
    nothing = Rebuilt(name=manifest.name, folder=folder, damage=None)
    whose: dict[str, Any] = {
        "kind": settings.kind,
        "manifest": manifest.name,
        "source": manifest.path,
    }
    with Tree(folder.parent, folder.name) as tree:
        try:
            with Journal.open(folder, **whose) as journal:
                for _ in journal.replay():
                    pass
                retold = await recalled(journal, tree, manifest, settings, now=now)
                if retold is None:
                    return nothing
                return replace(nothing, **retold.told(), damage="the journal was missing")
        except JournalDamaged as error:
            damage = error.message
        with Remains(folder, **whose) as remains:
            retold = await Retold.of(remains.salvage, tree, manifest, settings, now)
            aside = remains.replace(retold.facts, requests=retold.requests, links=retold.links)
            return replace(nothing, **retold.told(), damage=damage, aside=aside)


async def recalled(
    journal: Journal, tree: Tree, manifest: Manifest, settings: Settings, *, now: float
) -> Retold | None:
    """Write into an empty journal what the sidecars say of the batch; None if it is not empty, or
    there are none: then nothing is lost.
    """
    if not journal.is_empty or not any(tree.folder.glob("*.json")):
        return None
    retold = await Retold.of(Salvage(), tree, manifest, settings, now)
    if not retold.testimony:
        return None
    await journal.commit(retold.facts, requests=retold.requests)
    return retold


def refuse_lost(folder: Path, manifest: str) -> None:
    """Raise JournalError where a batch has results and no journal: what else was sent for it is
    not known.
    """
    for path in folder.glob("*.json"):
        with suppress(OSError):
            if witness(parsed(path.read_bytes()), path.stem, manifest) is not None:
                raise JournalError(
                    f"the journal of the batch in {folder} is missing, but there are results of it",
                    hint="batchgen rebuild MANIFEST makes it anew, with what may have been sent",
                )
