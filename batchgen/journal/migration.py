"""Brings a journal of an older format to the one that is written here.

Rules of this file:

* Before a byte of it changes, a whole copy lies durable beside it. The copy is made anew each time,
  for an older batchgen may have gone on with the journal in between.
* All steps of all formats are one transaction: a death in their midst leaves the old journal.
* Whoever only looks reads an older journal as it is.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw

from batchgen.journal.database import (
    FORMAT,
    companions,
    connect,
    format_of,
    script,
    sync_folder,
    transaction,
    write_stamp,
)
from batchgen.version import VERSION


def migrate(path: Path) -> None:
    """Bring a journal that has been looked at to this format; the caller holds the batch's lock."""
    with closing(connect(str(path), apsw.SQLITE_OPEN_READWRITE)) as connection:
        if (found := format_of(connection)) == FORMAT:
            return
        _keep(connection, path.with_name(f"{path.stem}.format-{found}{path.suffix}"))
        with transaction(connection):
            for number in range(found, FORMAT):
                connection.execute(script(f"to_format_{number + 1}.sql"))
            write_stamp(connection, created_by=VERSION)


def _keep(connection: apsw.Connection, copy: Path) -> None:
    unborn = copy.with_name(copy.name + ".new")
    for leftover in (unborn, *companions(unborn)):
        leftover.unlink(missing_ok=True)
    unborn.touch(0o600)
    with (
        closing(connect(str(unborn), apsw.SQLITE_OPEN_READWRITE)) as target,
        target.backup("main", connection, "main") as backup,
    ):
        while not backup.done:
            backup.step()
    unborn.replace(copy)
    sync_folder(copy.parent)
