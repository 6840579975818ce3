"""One batch's folder: results get their names when they are whole, and no name twice.

Rules of this file:

- The order on disk is law: the part's bytes, then the result's name, then the sidecar, each durable
  before the next begins. So a final name means a whole file, and a sidecar means its results.
- A name is taken without overwriting (a hard link fails where a name exists). What stands there
  already is ours only if it proves so: a result by the same bytes, a sidecar by its own words.
- Nobody else writes among the parts, so what lies there is known after one look, and what does not
  lie there is not looked for. Only a part that goes is removed without a look.
- Every file is reached from folders opened once, without following a link; nobody who swaps a
  folder for a link during a run leads a byte elsewhere.
- The disk is waited for in a few threads of our own, so that a hanging disk does not hold up the
  rest of the program.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from batchgen.artifacts.disk import (
    in_thread,
    is_taken,
    make_folders,
    open_root,
    open_subfolder,
    reading,
    size_of,
    translated,
    unlink_if_there,
)
from batchgen.artifacts.measured import Measured
from batchgen.artifacts.media import measure
from batchgen.artifacts.names import sidecar_name
from batchgen.artifacts.notes import write_whole
from batchgen.artifacts.part import Part
from batchgen.artifacts.placing import Placing, is_stale_probe
from batchgen.artifacts.publishing import (
    Occupied,
    Published,
    Publisher,
    file_name,
    receipt_name,
)
from batchgen.artifacts.sidecar import canonical, parsed, same_job

_T = TypeVar("_T")

_THREADS = 4
_MAX_SIDECAR = 16 << 20
_OUT_OF_HANDLES = {errno.EMFILE, errno.ENFILE}
_PAUSES = (1.0, 5.0, 25.0, 60.0)
"""Seconds."""
_FEW_INODES = 64
"""With fewer left, no result is sure to get its file, its note and its sidecar."""


class Tree:
    """The folder of one batch; a context manager. Methods raise `MachineError` if the disk refuses.

    Names given to it are names of files in the folder; a path is a ValueError.
    """

    def __init__(self, root: Path, name: str) -> None:
        """Open the batch ``name`` below the output folder ``root``, creating what is not there.

        A small file proves that the folder can be written to. A symbolic link on the way to
        ``root`` is followed, for the user put it there; one below it is refused.
        """
        self.folder = root.absolute() / file_name(name)
        self._private_folder = self.folder / ".batchgen"
        with ExitStack() as opened:
            make_folders(self.folder.parent)
            top = open_root(self.folder.parent)
            opened.callback(os.close, top)
            self._folder = open_subfolder(top, name, self.folder)
            opened.callback(os.close, self._folder)
            self._private = open_subfolder(self._folder, ".batchgen", self._private_folder)
            opened.callback(os.close, self._private)
            self._parts_folder = self._private_folder / "parts"
            self._parts = open_subfolder(self._private, "parts", self._parts_folder)
            opened.callback(os.close, self._parts)
            with translated("write to", self.folder):
                self._placing = Placing.between(self._parts, self._folder)
            self._lying: set[str] = set()
            self._has_looked = False
            self._publisher = Publisher(
                self.folder, self._folder, self._parts, self._placing, self._lying
            )
            self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="batchgen-disk")
            # Called first: no thread may meet a closed folder.
            opened.callback(self._executor.shutdown)
            self._opened = opened.pop_all()

    def __repr__(self) -> str:
        return f"<Tree {self.folder}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for disk operations under way and close the folders."""
        self._opened.close()

    def part(self, name: str) -> Part:
        """Return the unfinished file ``name``, which may be there from an earlier run."""
        path = self._parts_folder / f"{file_name(name)}.part"
        if not self._has_looked:  # not sooner: another run may have had the folder until just now
            with translated("look at", self._parts_folder):
                self._lying.update(os.listdir(self._parts))  # noqa: PTH208 - it has no path
            self._has_looked = True
        return Part(path, self._parts, self._executor, self._lying)

    def free(self) -> int | None:
        """Return the bytes that this process may still write here; None where nobody knows.

        0 as well where there are no inodes left for files to be.
        """
        try:
            found = os.fstatvfs(self._folder)
        except OSError:
            return None
        if found.f_files and found.f_favail < _FEW_INODES:
            return 0
        return found.f_bavail * found.f_frsize if found.f_blocks else None

    async def sweep(self, jobs: Collection[str]) -> None:
        """Remove what lies among the parts, except what may belong to one of these jobs."""
        with translated("clear", self._parts_folder):
            await self._run(self._sweep, frozenset(jobs))

    async def recall(self, part: Part, name: str) -> Published | None:
        """Return the result that a part was published as, or was about to be, before the program
        died; None if it was not, or if it is no longer what it was. Raises `Occupied`.
        """
        path = self.folder / file_name(name)
        if receipt_name(name) not in self._lying:
            return None
        with translated("read", path):
            return await self._run(self._publisher.recall, part, path)

    async def keep(
        self, part: Part, name_of: Callable[[Measured], str]
    ) -> tuple[Published, Measured]:
        """Finish, measure and publish an open part, durably, under the name that what it is asks
        for; a small one in one go.

        A file of the same bytes under that name is adopted: the program died after publishing it.
        Raises `Occupied` for anything else that stands there, and leaves it alone; `NotMedia` for
        what is no whole picture or video, has not the checksums that were to be expected, or is
        refused so by ``name_of``. Either way the part is closed, and its bytes are on the disk.
        """
        held = part.taken_whole()
        if held is None:
            await part.finish()
        with translated("publish", part.path):
            return await self._run(self._publisher.keep, part, held, name_of)

    async def checksum(self, name: str) -> Published | None:
        """Hash what stands under a final name; None if there is no such regular file."""
        path = self.folder / file_name(name)
        with translated("read", path):
            return await self._run(self._publisher.checksum, path, self._folder)

    async def measure(self, name: str) -> Measured:
        """Measure what stands under a final name. Raises `NotMedia`."""
        with translated("read", self.folder / file_name(name)):
            return await self._run(self._measure, name)

    async def write_sidecar(self, job_id: str, document: Mapping[str, Any]) -> None:
        """Put a job's sidecar under its name, durably; call it when the results are published.

        Replaces only a sidecar of the same manifest and job; raises `Occupied` for anything else.
        """
        path = self.folder / file_name(sidecar_name(job_id))
        with translated("write", path):
            await self._run(self._write_sidecar, path, document)

    async def read_sidecar(self, job_id: str) -> dict[str, Any] | None:
        """Return a job's sidecar; None if there is none that batchgen wrote."""
        path = self.folder / file_name(sidecar_name(job_id))
        with translated("read", path):
            return parsed(await self._run(self._standing, path.name))

    async def set_aside(self, name: str) -> Path | None:
        """Move a file that is to be made anew to ``.batchgen/replaced``; None if there is none."""
        path = self.folder / file_name(name)
        with translated("move", path):
            return await self._run(self._set_aside, path)

    def missing(self, files: Iterable[tuple[str, int]]) -> list[str]:
        """Return the names that are not there as regular files of the size given (in bytes).

        Asks for each name rather than listing the folder: it is faster even for 100,000 files
        (a listing has no sizes), and a file system that changes the Unicode form of names finds
        them all the same.
        """
        with translated("look at", self.folder):
            return [name for name, size in files if size_of(name, self._folder) != size]

    def has(self, name: str) -> bool:
        """Say whether a regular file is there, or a link to one."""
        with translated("look at", self.folder):
            try:
                return stat.S_ISREG(os.stat(name, dir_fd=self._folder).st_mode)
            except (FileNotFoundError, NotADirectoryError):
                return False

    def _sweep(self, jobs: frozenset[str]) -> None:
        for name in os.listdir(self._parts):  # noqa: PTH208 - a folder that is open has no path
            ends = (at for at, character in enumerate(name) if character in "-.")
            if name.startswith("."):
                continue  # the probe of a run that is just being refused, or of a dead one
            is_ours = size_of(name, self._parts) is not None
            if is_ours and not any(name[:at] in jobs for at in ends):
                unlink_if_there(name, self._parts)
                self._lying.discard(name)
        for folder in (self._parts, self._folder):
            for name in filter(is_stale_probe, os.listdir(folder)):  # noqa: PTH208 - likewise
                unlink_if_there(name, folder)

    def _measure(self, name: str) -> Measured:
        with reading(name, self._folder) as fd:
            return measure(fd)

    def _write_sidecar(self, path: Path, document: Mapping[str, Any]) -> None:
        content, standing = canonical(document), self._standing(path.name)
        if standing is not None and not same_job(parsed(standing), document):
            raise Occupied(path, "it is no sidecar of this job")
        if standing != content:
            self._replace(path, content, taken=standing is not None)
        os.fsync(self._folder)
        unlink_if_there(f"{path.name}.tmp", self._parts)
        for receipt in (receipt_name(file["path"]) for file in document.get("files", ())):
            unlink_if_there(receipt, self._parts)
            self._lying.discard(receipt)

    def _standing(self, name: str) -> bytes | None:
        """Return what stands under a sidecar's name, as far as a sidecar can be long."""
        if size_of(name, self._folder) is None:
            return None
        with reading(name, self._folder) as fd:
            return os.pread(fd, _MAX_SIDECAR, 0)

    def _replace(self, path: Path, content: bytes, *, taken: bool) -> None:
        # Always the same name: what a crash leaves is removed when the sidecar is written again.
        temporary = f"{path.name}.tmp"
        write_whole(temporary, self._parts, content)
        if taken:
            os.rename(temporary, path.name, src_dir_fd=self._parts, dst_dir_fd=self._folder)
        elif not self._placing.place(temporary, path.name):
            raise Occupied(path, "it is no sidecar of this job")

    def _set_aside(self, path: Path) -> Path | None:
        if size_of(path.name, self._folder) is None:
            return None
        folder = self._private_folder / "replaced"
        replaced = open_subfolder(self._private, folder.name, folder)
        try:
            names = (f"{path.stem}~{number}{path.suffix}" for number in count(1))
            free = next(name for name in names if not is_taken(name, replaced))
            os.rename(path.name, free, src_dir_fd=self._folder, dst_dir_fd=replaced)
            os.fsync(replaced)
        finally:
            os.close(replaced)
        os.fsync(self._folder)
        return folder / free

    async def _run(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Without file handles, wait for some: each operation can be begun again, as it could be
        after a crash.
        """
        for pause in _PAUSES:
            try:
                return await in_thread(self._executor, function, *arguments)
            except OSError as error:
                if error.errno not in _OUT_OF_HANDLES:
                    raise
            await asyncio.sleep(pause)
        return await in_thread(self._executor, function, *arguments)
