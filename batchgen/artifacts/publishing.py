"""From a part to a result: a receipt, the final name, each durable before the next.

Rules of this file:

- Before a result gets its name, a receipt says which part's bytes it will hold. It stays until the
  sidecar is there: whoever died in between finds the result again without a download.
- Of what is written in one go the receipt comes before the bytes, which need no note then.
- A name is taken without overwriting. What stands there already is ours only by the same bytes.

Everything here is done in a thread of the disk, and can be begun again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchgen.artifacts.disk import pieces, reading, size_of, translated
from batchgen.artifacts.measured import Measured, NotMedia
from batchgen.artifacts.notes import read_note, write_note
from batchgen.artifacts.part import Held, Part
from batchgen.artifacts.placing import Placing
from batchgen.errors import MachineError


class Occupied(MachineError):
    """A name that a result or sidecar needs belongs to something else; nothing was overwritten."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{path} is in the way: {what}.",
            hint="Move it elsewhere and run again; what was downloaded is kept until then.",
        )
        self.path = path


@dataclass(frozen=True, slots=True)
class Published:
    """A result under its final name. ``sha256`` is hexadecimal."""

    path: Path
    bytes: int
    sha256: str

    def as_json(self) -> dict[str, Any]:
        """Return how a sidecar names the file: its path is relative to the sidecar."""
        return {"path": self.path.name, "bytes": self.bytes, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Publisher:
    """From the open folder of the parts into the batch's own, whose path is ``path``."""

    path: Path
    folder: int
    parts: int
    placing: Placing
    lying: set[str]
    """What lies among the parts."""

    def keep(
        self, part: Part, held: Held | None, name_of: Callable[[Measured], str]
    ) -> tuple[Published, Measured]:
        """Publish a part under the name that what it is asks for; ``held``: it is in memory."""
        if held is not None:
            return self._keep_whole(part, held, name_of)
        assert part.sha256 is not None
        measured = part.measure()
        path = self.path / file_name(name_of(measured))
        with translated("publish", path):
            self._write_receipt(part, path, part.sha256)
            return self._place(part, path, part.sha256), measured

    def _keep_whole(
        self, part: Part, held: Held, name_of: Callable[[Measured], str]
    ) -> tuple[Published, Measured]:
        content = b"".join(held.chunks)
        try:
            measured, sha256 = part.measure_whole(content)
            path = self.path / file_name(name_of(measured))
        except NotMedia:
            part.write_whole(held)  # it may have been paid for all the same
            raise
        with translated("publish", path):
            part.forget()
            self._write_receipt(part, path, sha256)
            part.write_bytes(content)
            return self._place(part, path, sha256), measured

    def _write_receipt(self, part: Part, path: Path, sha256: str) -> None:
        self.lying.add(receipt_name(path.name))
        receipt = {"part": part.path.name, "sha256": sha256}
        write_note(receipt_name(path.name), self.parts, receipt)

    def _place(self, part: Part, path: Path, sha256: str) -> Published:
        if self.placing.place(part.path.name, path.name):
            published = Published(path, size_of(path.name, self.folder) or 0, sha256)
        else:
            published = self._adopted(path, sha256)
        return self._settled(published, part)

    def _settled(self, published: Published, part: Part) -> Published:
        os.fsync(self.folder)
        # Two folders are not durable in the order of their changes: the part goes when the name
        # is safe, not before.
        part.forget()
        return published

    def recall(self, part: Part, path: Path) -> Published | None:
        """Go on where the program died with the receipt on the disk; None: not of this part."""
        receipt = read_note(receipt_name(path.name), self.parts)
        if receipt is None or receipt.get("part") != part.path.name:
            return None
        sha256 = receipt.get("sha256")
        standing = self.checksum(path, self.folder)
        if standing is not None and standing.sha256 == sha256:
            return self._settled(standing, part)
        waiting = self.checksum(part.path, self.parts)
        if waiting is None or waiting.sha256 != sha256:
            return None
        with reading(part.path.name, self.parts) as fd:
            os.fsync(fd)
        return self._place(part, path, waiting.sha256)

    def _adopted(self, path: Path, sha256: str) -> Published:
        """Return what stands under a name if it is the same result; else it is `Occupied`."""
        standing = self.checksum(path, self.folder)
        if standing is None:
            raise Occupied(path, "it is no regular file")
        if standing.sha256 != sha256:
            raise Occupied(path, "it holds other bytes than the result")
        with reading(path.name, self.folder) as fd:
            os.fsync(fd)
        return standing

    def checksum(self, path: Path, folder: int) -> Published | None:
        """Hash a regular file of one of the two folders; None if there is none."""
        if size_of(path.name, folder) is None:
            return None
        digest, size = hashlib.sha256(), 0
        with reading(path.name, folder) as fd:
            for piece in pieces(fd):
                digest.update(piece)
                size += len(piece)
        return Published(path, size, digest.hexdigest())


def receipt_name(name: str) -> str:
    """Under which a result's receipt lies among the parts."""
    return f"{file_name(name)}.receipt"


def file_name(name: str) -> str:
    """The name itself; ValueError for what is none of a file in a batch's folder."""
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise ValueError(f"{name!r} is no name of a file in a batch's folder")
    return name
