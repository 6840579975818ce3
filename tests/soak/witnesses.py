"""What batchgen promises, checked from outside by three witnesses that do not know of each other:
the files in the batch's folder, its journal, and the service's own account of what it has made.

Rules of this file:

* A promise that is broken is a line of text; no lines, no broken promise.
* ``broken_by_a_death`` looks at a batch that nobody runs, at whatever moment its last run died.
  ``broken_at_the_end`` looks at one of which a run has said that everything is done.
* A file is whole if its bytes are those that the service has rendered: the measure is the service's
  own files, not what batchgen has written about itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from batchgen.core.facts import Fact, ResultsVanished, Saved, Sealed, SidecarVanished
from batchgen.errors import BatchgenError
from batchgen.journal import Journal

LASTING = {"journal.sqlite", "journal.extent", "lock", "README.txt", "parts"}
"""What a batch keeps in its private folder when nobody runs it."""


@dataclass(frozen=True, slots=True)
class Count:
    """Tasks that the service has made for an account, and those of them that cost nothing."""

    created: int = 0
    unbilled: int = 0

    def __sub__(self, earlier: Count) -> Count:
        return Count(self.created - earlier.created, self.unbilled - earlier.unbilled)


@dataclass
class Ledger:
    """The service's own account: a sandbox, asked while it runs, and the files in its folder."""

    base_url: str
    folder: Path
    _digests: dict[Path, str] = field(default_factory=dict)

    def count(self, account: str) -> Count:
        """What was ever made for an account."""
        lines = [line for line in self._bill()["models"] if line["account"] == account]
        created = sum(line["tasks"] for line in lines)
        return Count(created, sum(line["failed"] + line["canceled"] for line in lines))

    def rendered(self) -> Collection[str]:
        """The SHA-256 digests of all files that the service has made and still keeps."""
        for path in (self.folder / "results").iterdir():
            if path not in self._digests and path.suffix != ".part":
                self._digests[path] = sha256(path)
        return self._digests.values()

    def _bill(self) -> dict[str, Any]:
        with urlopen(self.base_url.replace("/api/v1", "/sandbox/bill"), timeout=60) as answer:
            return json.load(answer)


def broken_by_a_death(folder: Path, ledger: Ledger) -> list[str]:
    """What no death may leave: half a file under its name, a sidecar without its files, a journal
    that runs ahead of the folder.
    """
    return [*_broken_files(folder, ledger), *_broken_sidecars(folder), *_broken_journal(folder)]


def broken_at_the_end(
    folder: Path, ledger: Ledger, *, jobs: Mapping[str, Collection[str]], count: Count
) -> list[str]:
    """What must be true when a run has ended with exit code 0.

    ``jobs`` maps each job's id to the names of its files, ``count`` is what the service has made
    for them.
    """
    broken = []
    # Before the journal is looked at, which leaves files beside it.
    private = _listing(folder / ".batchgen")
    if count.created - count.unbilled != len(jobs):
        paid = count.created - count.unbilled
        broken.append(f"{paid} tasks were paid for, of {len(jobs)} jobs")
    wanted = {name for job, files in jobs.items() for name in (*files, f"{job}.json")}
    there = _listing(folder)
    broken += [f"{name} is missing" for name in sorted(wanted - there)]
    parts = _listing(folder / ".batchgen" / "parts")
    left = (there - wanted - {".batchgen"}) | (private - LASTING) | parts
    broken += [f"{name} is left over" for name in sorted(left)]
    return [*broken, *broken_by_a_death(folder, ledger)]


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _listing(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def _broken_files(folder: Path, ledger: Ledger) -> Iterator[str]:
    """A final name means a whole file."""
    results = [path for end in ("*.mp4", "*.png") for path in folder.glob(end)]
    known = ledger.rendered() if results else ()
    for path in results:
        if sha256(path) not in known:
            yield f"{path.name} ({path.stat().st_size} bytes) is no whole result of the service"


def _sidecars(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(folder.glob("*.json")):
        yield path, json.loads(path.read_bytes())


def _broken_sidecars(folder: Path) -> Iterator[str]:
    """A sidecar means its files, and no two are of one task."""
    tasks: dict[str, str] = {}
    try:
        for path, sidecar in _sidecars(folder):
            if (other := tasks.setdefault(sidecar["task_id"], path.name)) != path.name:
                yield f"{path.name} and {other} are of one task"
            for file in sidecar["files"]:
                media = path.parent / file["path"]
                if not media.is_file():
                    yield f"{path.name} is there without {file['path']}"
                elif (media.stat().st_size, sha256(media)) != (file["bytes"], file["sha256"]):
                    yield f"{path.name} tells other bytes than those of {file['path']}"
    except (ValueError, KeyError) as error:
        yield f"a sidecar is no whole document: {error!r}"


def _broken_journal(folder: Path) -> Iterator[str]:
    """What the journal calls saved or done is on the disk."""
    there: dict[tuple[str, int | None], str] = {}
    try:
        for fact in _story(folder):
            match fact:
                case Saved(job=job, index=index):
                    there[job, index] = str(fact.file["path"])
                case Sealed(job=job):
                    there[job, None] = f"{job}.json"
                case SidecarVanished(job=job):
                    there.pop((job, None), None)
                case ResultsVanished(job=job):
                    there = {key: name for key, name in there.items() if key[0] != job}
                case _:
                    pass
    except BatchgenError as error:
        yield f"the journal cannot be read: {error}"
    for name in there.values():
        if not (folder / name).is_file():
            yield f"the journal tells of {name}, and it is not there"


def _story(folder: Path) -> Iterator[Fact]:
    if journal := Journal.peek(folder):
        with journal:
            yield from journal.replay()
