"""Makes, opens and checks the SQLite file of a journal.

Rules of this file:

* A journal is born whole: it is made under another name, synced, and moved into place. So a file
  that is empty or has no tables was never used, and is replaced.
* WAL with synchronous=FULL: who looks does not stop who writes, and a commit that returned has
  reached the disk. A commit that failed may still be found there later; that is safe, for a fact
  is true when it is written, and an intent that was never acted on is only looked into.
* A journal of a newer format, or not ours, is refused without a change to it: it is looked at
  through a connection that cannot write. An older one can be looked at as it is (``migration``).
* While a run is going, or after it was killed, the newest facts lie in the -wal file alone. That
  they are all there is witnessed from outside (``extent``).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import apsw

from batchgen.errors import JournalError
from batchgen.journal.chain import Broken, seal
from batchgen.journal.extent import extent_of, read_extent
from batchgen.journal.pages import PAGE
from batchgen.journal.reporting import BUSY_SECONDS
from batchgen.journal.wal import wal_of
from batchgen.version import VERSION

Kind = Literal["sandbox", "service"]

FORMAT = 2
_APPLICATION_ID = 0x6267656E
_PROBLEMS_SHOWN = 3
_LONGEST_WAL = 8_000_000
"""Bytes that a -wal file keeps when it begins anew. The first commit of a hundred thousand jobs
makes it ten times as long, and after a kill every byte of it is read (``wal``)."""
_SHORT = ("head", "stamp", "link")
"""Tables that are read whole, whatever else is."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a journal is: of the sandbox or the service, whose manifest, made by which version."""

    kind: Kind
    manifest: str
    """Its name."""
    source: str
    """Where its file lies, as seen from the batch's folder; empty where nobody said."""
    created_by: str
    """The version that gave it its format."""
    id: str = ""
    """By chance; empty in what was begun in format 1."""

    @property
    def origin(self) -> int:
        """What the checksum of the first row continues."""
        return seal(self.id) if self.id else 0


def is_unused(path: Path) -> bool:
    """Tell whether no journal is at ``path``: no file, an empty one, or one without tables."""
    size = path.stat().st_size if path.exists() else 0
    if size == 0:
        # SQLite would throw the -wal file away: whoever emptied this file did not mean that.
        if _has_wal(path):
            raise Broken("the file is empty, but there are facts in the -wal file beside it")
        if written := read_extent(path, None):
            raise Broken(f"the file is missing or empty, but {written} facts were written to it")
        return True
    if size > PAGE:  # SQLite gives each table a page of its own
        return False
    with closing(_connect_to_look(path)) as connection:
        return not connection.execute("SELECT count(*) FROM sqlite_schema").get


def create(path: Path, *, kind: Kind, manifest: str, source: str) -> None:
    """Put a new, empty journal at ``path``, readable by its owner alone."""
    unborn = path.with_name(path.name + ".new")
    for leftover in (unborn, *companions(unborn)):
        leftover.unlink(missing_ok=True)
    # SQLite gives the files that it makes beside a database the mode of the database.
    os.close(os.open(unborn, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(apsw.Connection(str(unborn))) as connection:
        # Not after the move: a death in the midst of it leaves what only a writer can mend.
        connection.pragma("journal_mode", "wal")
        stamp = Stamp(kind, manifest, source, created_by=VERSION, id=secrets.token_hex(8))
        _fill(connection, stamp)
        fold(connection)
    for stray in companions(path):
        stray.unlink(missing_ok=True)
    unborn.replace(path)
    sync_folder(path.parent)


def open_to_write(path: Path) -> apsw.Connection:
    """Open a journal that has been looked at; the caller holds the batch's lock."""
    connection = connect(str(path), apsw.SQLITE_OPEN_READWRITE)
    connection.pragma("secure_delete", "on")  # signed URLs do not outlive their row
    connection.pragma("journal_size_limit", _LONGEST_WAL)
    _renew_views(connection)
    return connection


def fold(connection: apsw.Connection) -> None:
    """Fold the -wal file into a journal that nobody else knows yet.

    Closing does the same, but says nothing where the disk refuses.
    """
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def open_to_look(path: Path) -> apsw.Connection:
    """Open a journal without a lock and without a write, and check it whole but for its rows.

    A log that was folded is long: of its pages only those that are read are looked at.
    """
    connection = _connect_to_look(path)
    try:
        _check_format(connection)
        check_structure(connection, tables=_SHORT if is_folded(connection) else ())
        _check_extent(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def read_stamp(connection: apsw.Connection) -> Stamp:
    """Say what the journal is; Broken where that is damaged."""
    rows = connection.execute("SELECT key, value, checksum FROM stamp").fetchall()
    values: dict[Any, Any] = {key: value for key, value, _ in rows}
    whole = all(checksum == seal(key, value) for key, value, checksum in rows)
    if not whole or values.keys() | {"id"} != {field.name for field in fields(Stamp)}:
        raise Broken("its stamp does not match its checksum")
    return Stamp(**values)


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """Write everything in the block, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Not apsw's ``with connection``: after a full disk SQLite has rolled back already, and the
        # error of rolling back again would hide the one that matters.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder, and those above it, that a power cut does not undo."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode, exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fill(connection: apsw.Connection, stamp: Stamp) -> None:
    with transaction(connection):
        connection.execute(script("schema.sql"))
        connection.execute(script("views.sql"))
        write_stamp(connection, **asdict(stamp))
        connection.execute("INSERT INTO head VALUES (1, 0, ?)", (stamp.origin,))


def write_stamp(connection: apsw.Connection, **values: str) -> None:
    """Put words into the stamp, in the place of those that it had."""
    connection.executemany(
        "INSERT OR REPLACE INTO stamp VALUES (?, ?, ?)",
        [(key, value, seal(key, value)) for key, value in values.items()],
    )


def _renew_views(connection: apsw.Connection) -> None:
    """Another batchgen may have made the journal, with views that know other kinds of facts."""
    with closing(apsw.Connection(":memory:")) as model:
        model.execute(script("views.sql"))
        wanted = _views(model)
    if (known := _views(connection)) == wanted:
        return
    with transaction(connection):
        for name in known:
            connection.execute(f'DROP VIEW "{name}"')
        connection.execute(script("views.sql"))


def _views(connection: apsw.Connection) -> dict[str, str]:
    found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'view'")
    return {str(name): str(sql) for name, sql in found}


def script(name: str) -> str:
    """The SQL of a file of this room."""
    return files("batchgen.journal").joinpath(name).read_text("utf-8")


def connect(name: str, flags: int) -> apsw.Connection:
    """Open a file as every journal is opened."""
    connection = apsw.Connection(name, flags=flags | apsw.SQLITE_OPEN_URI)
    connection.set_busy_timeout(round(BUSY_SECONDS * 1000))
    connection.pragma("trusted_schema", "off")
    connection.pragma("cell_size_check", "on")
    connection.pragma("synchronous", "full")
    return connection


def _connect_to_look(path: Path) -> apsw.Connection:
    uri = path.resolve().as_uri() + "?mode=ro"
    # Reading a WAL database needs files beside it. Where they cannot be made (a read-only file
    # system), nobody can write either, and the file alone is the whole journal.
    if not os.access(path.parent, os.W_OK) and not _has_wal(path):
        uri += "&immutable=1"
    return connect(uri, apsw.SQLITE_OPEN_READONLY)


def _check_format(connection: apsw.Connection) -> None:
    found = format_of(connection)
    if connection.pragma("application_id") != _APPLICATION_ID or found < 1:
        raise Broken("this is not a journal of batchgen")
    if found > FORMAT:
        made_by = connection.execute("SELECT value FROM stamp WHERE key = 'created_by'").get
        raise JournalError(
            f"the journal {connection.filename} has format {found} (made by batchgen {made_by}); "
            f"this is batchgen {VERSION}, which reads up to format {FORMAT}",
            hint="nothing was changed; use the batchgen that wrote it, or a newer one",
        )


def format_of(connection: apsw.Connection) -> int:
    """The number of the format that a journal has."""
    return int(connection.pragma("user_version"))


def _check_extent(connection: apsw.Connection, path: Path) -> None:
    """Hold what the journal says of its own length against what is there, at one moment."""
    # Read first: a run may add facts meanwhile.
    written = read_extent(path, read_stamp(connection).id)
    heads: list[Any] = connection.execute(
        "SELECT (SELECT max(seq) FROM fact), head.* FROM head"
    ).fetchall()
    if len(heads) != 1:
        raise Broken("nothing says how long the log is")
    last, _, seq, _ = heads[0]
    if (last or 0) > seq:
        raise Broken(f"the log should have {seq} facts, but has {last}")
    if seq < written:
        raise Broken(
            f"its newest facts are missing ({written - seq} of {written}): the -wal file beside it"
            " was lost, or an older copy put in its place"
        )


def is_folded(connection: apsw.Connection) -> bool:
    """Tell whether there is a fold, of whatever worth."""
    return connection.table_exists(None, "fold")


def check_structure(connection: apsw.Connection, *, tables: Sequence[str] = ()) -> None:
    """Raise Broken where the file, or one of these tables of it, is not what SQLite has written."""
    pragmas = [f"PRAGMA quick_check({table})" for table in tables] or ["PRAGMA quick_check"]
    told: list[Any] = [row for pragma in pragmas for row in connection.execute(pragma)]
    if problems := [text for (text,) in told if text != "ok"]:
        raise Broken(" ".join("; ".join(problems[:_PROBLEMS_SHOWN]).split()))


def _has_wal(path: Path) -> bool:
    wal = wal_of(path)
    return wal.exists() and wal.stat().st_size > 0


def companions(path: Path) -> tuple[Path, ...]:
    """The files that are kept beside a journal, SQLite's and the extent."""
    names = (path.name + end for end in ("-wal", "-shm", "-journal"))
    return (*map(path.with_name, names), extent_of(path))
