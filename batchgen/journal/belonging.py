"""Where a batch's journal lies, and whose it is."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from batchgen.errors import Mistake
from batchgen.journal.database import Kind, Stamp


def home_in(folder: Path) -> Path:
    """Where batchgen keeps what is its own in a batch's folder."""
    return folder / ".batchgen"


def file_in(home: Path) -> Path:
    """The journal itself."""
    return home / "journal.sqlite"


def explain(home: Path) -> None:
    """Leave a text for whoever finds the folder."""
    text = files("batchgen.journal").joinpath("README.txt").read_text("utf-8")
    place = home / "README.txt"
    if not place.exists() or place.read_text("utf-8", errors="replace") != text:
        place.write_text(text, "utf-8")


def seen_from(folder: Path, source: Path | None) -> str:
    """Where a manifest lies as seen from the batch's folder; empty where nobody said."""
    return os.path.relpath(source, folder) if source else ""


def refuse_other(stamp: Stamp, *, kind: Kind, manifest: str) -> None:
    """Raise Mistake where the journal is another manifest's, or not of the kind that is asked."""
    if stamp.manifest != manifest:
        raise Mistake(
            f"this folder holds the batch of another manifest: {stamp.manifest!r}, "
            f"not {manifest!r}",
            hint="give the manifests different names, or use --output with another folder",
        )
    if stamp.kind != kind:
        raise Mistake(
            f"this batch was begun with the {stamp.kind}, and cannot go on with the {kind}",
            hint="use --output with another folder",
        )


def refuse_twin(stamp: Stamp, folder: Path, source: Path | None) -> None:
    """Refuse a manifest of the same name whose file is another; one that was moved is the same."""
    other = folder / stamp.source
    if source is None or not stamp.source or not other.exists() or other.samefile(source):
        return
    raise Mistake(
        f"this folder holds the batch of another manifest of the same name: {other.resolve()}",
        hint="give the manifests different names, or use --output with another folder",
    )
