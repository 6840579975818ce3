"""The batches that were begun with a manifest, for what asks for no job by its words.

What was paid for is in the journal, so a mistake in the manifest, or a manifest that has gone, is
no reason to leave it at the service. All that the manifest is needed for is to find the batch:

* by what it says (its name, `output:`), as far as that can be read,
* else by the journals beside: each says which file it was begun with.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from batchgen.api.endpoint import Place, refuse_other_region
from batchgen.api.settings import Settings
from batchgen.errors import JournalError, ManifestError, Mistake
from batchgen.journal import Journal
from batchgen.manifest import Manifest, load, outline, output_folder


def begun(
    path: Path, settings: Settings, *, place: Place, catalog_files: Sequence[Path] = ()
) -> list[Manifest]:
    """The manifest without its jobs, once for each batch that was begun with it.

    What is wrong with it stands in its ``warnings``. One that was never begun is given as it is.
    Raises Mistake where the manifest is wrong and no batch of it can be found.
    """
    found, mistake = _read(path, place, catalog_files)
    refuse_other_region(place, found.region, found.catalog)
    folder = output_folder(found, settings.output, sandbox=settings.sandbox)
    if Journal.is_begun(folder):
        return [found]
    others = [replace(found, name=name) for name in _names_beside(folder, path)]
    if mistake is not None and not others:
        raise mistake
    return others or [found]


def _read(
    path: Path, place: Place, catalog_files: Sequence[Path]
) -> tuple[Manifest, Mistake | None]:
    try:
        manifest = load(
            path,
            catalog_files=catalog_files,
            region=place.region,
            default_region=place.fallback,
            check_region=place.check_region,
        )
    except Mistake as mistake:
        found = outline(path, catalog_files=catalog_files)
        told = mistake.problems if isinstance(mistake, ManifestError) else found.warnings
        return replace(found, warnings=told), mistake
    return replace(manifest, jobs=(), warnings=()), None


def _names_beside(folder: Path, path: Path) -> Iterator[str]:
    """The folders of batches that say they were begun with this file."""
    if not folder.parent.is_dir():
        return
    for place in sorted(folder.parent.iterdir()):
        with suppress(JournalError, NotADirectoryError):
            if (journal := Journal.peek(place)) is not None:
                with journal:
                    source = journal.stamp.source
                if source and os.path.realpath(place / source) == os.path.realpath(path):
                    yield place.name
