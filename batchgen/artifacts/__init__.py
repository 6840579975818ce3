"""Keeps what was paid for: results under names that cannot leave the batch's folder.

    names       is an id a safe file name, what are a job's files called, which names collide
    tree        one batch's folder: publishing without overwriting, sidecars, what is missing
    part        an unfinished download: resumed, hashed as it comes, durable before it is published
    growing     its file
    publishing  from a part to a result under its final name
    notes       what is known of bytes on the disk, for whoever comes after a crash
    checksums   bytes held against the MD5 or CRC-64 that their store gives
    placing     a final name, without overwriting
    media       what a media file is and whether it is whole (pictures, mp4, avi, sounds,
                measured)
    sidecar     the JSON document beside a result
    disk        the edge to the file system

A result's way, each step durable before the next::

    with Tree(Path("output"), "detective") as tree:
        part = tree.part("fox.mp4.0385dc79")
        async with part:                                 # hashes what an earlier run left
            await part.restart(note, crc64=crc64)        # ... or begins with other bytes
            await part.write(chunk)                      # ... as often as bytes come
            # NotMedia: an error page, a cut file. Occupied: somebody else's file.
            published, measured = await tree.keep(part, lambda measured: "fox.mp4")
        entry = {**published.as_json(), **measured.as_json()}
        await tree.write_sidecar("fox", sidecar(job="fox", files=[entry], ...))

Plain values in, plain values out; no network, no journal, no clock.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from batchgen.artifacts.names import (
    folded,
    names_of,
    problem_with,
    result_name,
    sidecar_name,
    slug,
)
from batchgen.artifacts.sidecar import sidecar

if TYPE_CHECKING:
    from batchgen.artifacts.measured import Measured, NotMedia
    from batchgen.artifacts.media import measure, measure_input
    from batchgen.artifacts.part import Part
    from batchgen.artifacts.publishing import Occupied, Published
    from batchgen.artifacts.tree import Tree

_HOMES = {
    "Measured": "measured",
    "NotMedia": "measured",
    "Occupied": "publishing",
    "Part": "part",
    "Published": "publishing",
    "Tree": "tree",
    "measure": "media",
    "measure_input": "media",
}

__all__ = [
    "Measured",
    "NotMedia",
    "Occupied",
    "Part",
    "Published",
    "Tree",
    "folded",
    "measure",
    "measure_input",
    "names_of",
    "problem_with",
    "result_name",
    "sidecar",
    "sidecar_name",
    "slug",
]


def __getattr__(name: str) -> Any:
    """Load a name when it is first asked for: who plans a batch needs file names, and no disk."""
    if name not in _HOMES:
        raise AttributeError(f"module 'batchgen.artifacts' has no attribute {name!r}")
    return getattr(import_module(f"batchgen.artifacts.{_HOMES[name]}"), name)
