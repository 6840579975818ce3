"""The files of a finished job, held against what the journal says of them.

What the sidecar must say is made from the journal (``Sealer.document``), and its list of files says
what each of them must be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from batchgen.artifacts import NotMedia, Tree
from batchgen.core.job import Job
from batchgen.version import VERSION


class Flaw(StrEnum):
    """What is wrong with a file; the value is the word that people read."""

    MISSING = "missing"
    CUT = "of another size"
    CHANGED = "with other bytes"
    UNREADABLE = "no whole picture or video"
    NO_SIDECAR = "no sidecar of this job"
    OTHER_WORDS = "a sidecar that says something else"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flawed:
    """A result that is not what was saved. ``index`` is its place in the answer, from 0."""

    name: str
    index: int
    flaw: Flaw


async def flawed_results(tree: Tree, job: Job, document: Mapping[str, Any]) -> list[Flawed]:
    """The job's saved results that are not as its sidecar must say. Reads each to its end."""
    told = {file["path"]: file for file in document["files"]}
    found = []
    for index, result in enumerate(job.results):
        if result.name and (flaw := await _flaw(tree, told[result.name])):
            found.append(Flawed(name=result.name, index=index, flaw=flaw))
    return found


async def sidecar_flaw(tree: Tree, job: Job, document: Mapping[str, Any]) -> Flaw | None:
    """What is wrong with the job's sidecar; None where it says what the journal says.

    One that another version has written may have other keys, but nothing else of what both have.
    """
    standing = await tree.read_sidecar(job.id)
    if standing is None:
        return Flaw.NO_SIDECAR
    by = standing["batchgen"].get("version")
    keys = document.keys() if by == VERSION else document.keys() & standing.keys()
    same = all(standing.get(key) == document[key] for key in keys - {"batchgen"})
    return None if same else Flaw.OTHER_WORDS


async def _flaw(tree: Tree, told: Mapping[str, Any]) -> Flaw | None:
    name = told["path"]
    if tree.missing([(name, told["bytes"])]):
        return Flaw.CUT if await tree.checksum(name) else Flaw.MISSING
    standing = await tree.checksum(name)
    if standing is None or standing.sha256 != told["sha256"]:
        return Flaw.CHANGED
    try:
        await tree.measure(name)
    except NotMedia:
        return Flaw.UNREADABLE
    return None
