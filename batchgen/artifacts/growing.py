"""A file that is hashed as it grows, in the same thread: to switch to another costs more than the
hash of a small piece. For aiofiles, which waits for each of its methods in a thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BufferedRandom, FileIO
from typing import Any, Self

from batchgen.artifacts.checksums import Digest
from batchgen.artifacts.disk import open_file, pieces


class Growing(BufferedRandom):
    """Bytes that are appended, and their digest so far."""

    digest: Digest
    bytes: int
    """That were there when it was opened."""

    @classmethod
    def open(cls, name: str, folder: int, digest: Digest) -> Self:
        """Open for appending, creating it if need be, and hash what is there."""
        opened = cls(FileIO(name, "a+", opener=lambda name, flags: open_file(name, flags, folder)))
        opened.digest, opened.bytes = digest, 0
        try:
            for piece in pieces(opened.fileno()):
                digest.update(piece)
                opened.bytes += len(piece)
        except BaseException:
            opened.close()
            raise
        return opened

    def writelines(self, lines: Iterable[Any]) -> None:
        """Append pieces; all of them have gone to the system when it returns."""
        # As one, since each call lets go of the interpreter's lock, and has to wait for it again.
        content = b"".join(lines)
        self.write(content)
        self.flush()
        self.digest.update(content)
