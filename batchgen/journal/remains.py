"""A damaged journal, and the way to a new one.

The batch's lock is held from the first look at what is left to the exchange.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw

from batchgen.core.facts import Fact
from batchgen.journal.belonging import file_in, home_in, refuse_other, refuse_twin, seen_from
from batchgen.journal.database import Kind, Stamp, connect, create, fold, open_to_write
from batchgen.journal.lock import BatchLock
from batchgen.journal.log import Journal
from batchgen.journal.renewal import exchange, unfinished_in
from batchgen.journal.reporting import reported
from batchgen.journal.salvage import LinkKey, Salvage, salvage


class Remains:
    """What is left of a batch's journal; a context manager that keeps others out of the batch.

    Raises BatchHeld, Mistake where it is another batch's, and JournalError where the disk fails.
    """

    def __init__(self, folder: Path, *, kind: Kind, manifest: str, source: Path | None) -> None:
        self._home = home_in(folder)
        self._path = file_in(self._home)
        self._lock = BatchLock(self._home / "lock")
        self._stamp: tuple[Kind, str, str] = (kind, manifest, seen_from(folder, source))
        with reported(self._path):
            self._lock.acquire()
            try:
                self.salvage: Salvage = salvage(self._path)
                known = {"kind": kind, "manifest": manifest, "source": "", "created_by": ""}
                stamp = Stamp(**{**known, **self.salvage.stamp})  # type: ignore[arg-type]
                refuse_other(stamp, kind=kind, manifest=manifest)
                refuse_twin(stamp, folder, source)
            except BaseException:
                self._lock.release()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()

    def replace(
        self,
        facts: Sequence[Fact],
        *,
        requests: Mapping[str, Mapping[str, Any]],
        links: Mapping[LinkKey, str],
    ) -> Path | None:
        """Make a new journal of ``facts`` and put it in the place of what is left, which is kept:
        the folder that it lies in now; None where nothing was there.
        """
        kind, manifest, source = self._stamp
        unfinished = unfinished_in(self._home)
        with reported(unfinished):
            create(unfinished, kind=kind, manifest=manifest, source=source)
            self._lock.acquire()  # once more: the new journal gives its own hold back
            with Journal(unfinished, open_to_write(unfinished), self._lock) as journal:
                journal.append(facts, requests=requests, links=links)
            with closing(connect(str(unfinished), apsw.SQLITE_OPEN_READWRITE)) as connection:
                fold(connection)
        with reported(self._path):
            return exchange(self._home, self._path)
