"""Puts a new journal in the place of a damaged one, which is kept.

Rules of this file:

* The new journal is written whole under another name. Its last renaming is the commit: before it
  the damaged journal stands as it did, after it the exchange is finished by whoever comes next.
* The old files are moved into a folder of their own, in which nothing is ever overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from batchgen.journal.database import companions, make_folder, sync_folder


def unfinished_in(home: Path) -> Path:
    """Where the new journal is written."""
    return home / "journal.rebuilding.sqlite"


def exchange(home: Path, path: Path) -> Path | None:
    """Let the new journal take the place of the one at ``path``; where the old one lies now."""
    for stray in companions(unfinished_in(home)):
        stray.unlink(missing_ok=True)
    unfinished_in(home).replace(_finished_in(home))
    sync_folder(home)
    return finish(home, path)


def finish(home: Path, path: Path) -> Path | None:
    """Finish an exchange that a death has interrupted, if there is one."""
    if not (new := _finished_in(home)).exists():
        return None
    old = [file for file in (*companions(path), path) if file.exists()]
    aside = next(_folders(home, old)) if old else None
    if aside is not None:
        make_folder(aside, 0o700)
        for file in old:
            file.rename(aside / file.name)
        sync_folder(aside)
    new.replace(path)
    sync_folder(home)
    return aside


def _finished_in(home: Path) -> Path:
    return home / "journal.rebuilt.sqlite"


def _folders(home: Path, files: list[Path]) -> Iterator[Path]:
    """The folders that take these files without a file of theirs being in the way."""
    folders = (home / f"damaged-{number}" for number in count(1))
    return (
        folder for folder in folders if not any((folder / file.name).exists() for file in files)
    )
