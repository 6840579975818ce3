"""Giving a whole file its final name, without ever taking a name that is in use.

A hard link fails where a name exists; a rename replaces it silently. So a rename is used only where
the file system has no links, and only over an empty file that took the name before. Copying would
leave half a file under a final name when the program dies; this leaves an empty one at worst, which
is known for our own where no links are.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import Self

from batchgen.artifacts.disk import open_file, size_of, unlink_if_there

_PROBE = ".probe-"
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def is_stale_probe(name: str) -> bool:
    """Whether a file is the probe of a process that has died over it."""
    number = name.removeprefix(_PROBE)
    if number == name or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass
    return False


@dataclass(frozen=True, slots=True)
class Placing:
    """From one open folder into another of the same file system."""

    parts: int
    folder: int
    has_links: bool

    @classmethod
    def between(cls, parts: int, folder: int) -> Self:
        """Find out, by writing and renaming a small file, whether hard links work here.

        Raises OSError where nothing can be written.
        """
        name = f"{_PROBE}{os.getpid()}"
        os.close(open_file(name, os.O_WRONLY | os.O_CREAT, parts))
        linking, renaming = cls(parts, folder, True), cls(parts, folder, False)
        try:
            linking.place(name, name)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            renaming.place(name, name)
            return renaming
        else:
            return linking
        finally:
            unlink_if_there(name, folder)
            unlink_if_there(name, parts)

    def place(self, source: str, name: str) -> bool:
        """Move a file from the parts to its final name; return False if the name is taken."""
        try:
            if self.has_links:
                os.link(
                    source,
                    name,
                    src_dir_fd=self.parts,
                    dst_dir_fd=self.folder,
                    follow_symlinks=False,
                )
            else:
                self._claim(name)
                os.rename(source, name, src_dir_fd=self.parts, dst_dir_fd=self.folder)
        except FileExistsError:
            return False
        return True

    def _claim(self, name: str) -> None:
        """Take a name with an empty file, which a rename then replaces at once."""
        try:
            os.close(open_file(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self.folder))
        except FileExistsError:
            if size_of(name, self.folder) != 0:
                raise
