"""Makes, opens and checks the SQLite file of a journal.

Rules of this file:

* A journal is born whole: it is made under another name, synced, and moved into place. So a file
  that is empty or has no tables was never used, and is replaced.
* WAL with synchronous=FULL: who looks does not stop who writes, and a commit that returned has
  reached the disk. A commit that failed may still be found there later; that is safe, for a fact
  is true when it is written, and an intent that was never acted on is only looked into.
* A journal of another format, or not ours, is refused without a change to it: it is looked at
  through a connection that cannot write.
* Every error of SQLite or of the file system leaves as a JournalError (``reported``).
* Damage to the -wal file looks like a write that a power cut tore: SQLite reads up to it. That file
  lives only while a run is going, or after it was killed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import apsw

from batchgen.errors import JournalError
from batchgen.journal.chain import Broken, seal
from batchgen.journal.codec import Unreadable
from batchgen.version import VERSION

Kind = Literal["sandbox", "service"]

FORMAT = 1
BUSY_SECONDS = 5.0

_APPLICATION_ID = 0x6267656E
_PROBLEMS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a journal is: of the sandbox or the service, whose manifest, made by which version."""

    kind: Kind
    manifest: str
    """Its name."""
    source: str
    """Where its file lies, as seen from the batch's folder; empty where nobody said."""
    created_by: str


def is_unused(path: Path) -> bool:
    """Tell whether no journal is at ``path``: no file, an empty one, or one without tables."""
    if not path.exists():
        return True
    if path.stat().st_size == 0:
        # SQLite would throw the -wal file away: whoever emptied this file did not mean that.
        if _has_wal(path):
            raise Broken("the file is empty, but there are facts in the -wal file beside it")
        return True
    with closing(_connect_to_look(path)) as connection:
        return not connection.execute("SELECT count(*) FROM sqlite_schema").get


def create(path: Path, *, kind: Kind, manifest: str, source: str) -> None:
    """Put a new, empty journal at ``path``, readable by its owner alone."""
    unborn = path.with_name(path.name + ".new")
    for leftover in (unborn, *_companions(unborn)):
        leftover.unlink(missing_ok=True)
    # SQLite gives the files that it makes beside a database the mode of the database.
    os.close(os.open(unborn, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(apsw.Connection(str(unborn))) as connection:
        # Not after the move: a death in the midst of it leaves what only a writer can mend.
        connection.pragma("journal_mode", "wal")
        stamp = Stamp(kind=kind, manifest=manifest, source=source, created_by=VERSION)
        _fill(connection, stamp)
    for stray in _companions(path):
        stray.unlink(missing_ok=True)
    unborn.replace(path)
    sync_folder(path.parent)


def open_to_write(path: Path) -> apsw.Connection:
    """Open a journal that has been looked at; the caller holds the batch's lock."""
    connection = _connect(str(path), apsw.SQLITE_OPEN_READWRITE)
    connection.pragma("synchronous", "full")
    connection.pragma("secure_delete", "on")  # signed URLs do not outlive their row
    _renew_views(connection)
    return connection


def open_to_look(path: Path) -> apsw.Connection:
    """Open a journal without a lock and without a write, and check it whole but for its rows."""
    connection = _connect_to_look(path)
    try:
        _check_format(connection)
        _check_structure(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def read_stamp(connection: apsw.Connection) -> Stamp:
    """Say what the journal is; Broken where that is damaged."""
    rows = connection.execute("SELECT key, value, checksum FROM stamp").fetchall()
    values: dict[Any, Any] = {key: value for key, value, _ in rows}
    whole = all(checksum == seal(key, value) for key, value, checksum in rows)
    if not whole or values.keys() != {"kind", "manifest", "source", "created_by"}:
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


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn what can go wrong with the journal at ``path`` into a JournalError for a person."""
    try:
        yield
    except (Broken, Unreadable, UnicodeDecodeError) as error:
        raise _damage(path, str(error)) from error
    except apsw.Error as error:
        for kind, (words, hint) in _WORDS.items():
            if isinstance(error, kind):
                raise JournalError(f"the journal {path} {words} ({error})", hint=hint) from error
        raise _damage(path, str(error)) from error
    except OSError as error:
        raise JournalError(
            f"the journal {path} cannot be used: {error.strerror}", hint=_LOOK_AT_THE_DISK
        ) from error


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
        connection.execute(_sql("schema.sql"))
        connection.execute(_sql("views.sql"))
        connection.executemany(
            "INSERT INTO stamp VALUES (?, ?, ?)",
            [(key, value, seal(key, value)) for key, value in asdict(stamp).items()],
        )


def _renew_views(connection: apsw.Connection) -> None:
    """Another batchgen may have made the journal, with views that know other kinds of facts."""
    with closing(apsw.Connection(":memory:")) as model:
        model.execute(_sql("views.sql"))
        wanted = _views(model)
    if (known := _views(connection)) == wanted:
        return
    with transaction(connection):
        for name in known:
            connection.execute(f'DROP VIEW "{name}"')
        connection.execute(_sql("views.sql"))


def _views(connection: apsw.Connection) -> dict[str, str]:
    found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'view'")
    return {str(name): str(sql) for name, sql in found}


def _sql(name: str) -> str:
    return files("batchgen.journal").joinpath(name).read_text("utf-8")


def _connect(name: str, flags: int) -> apsw.Connection:
    connection = apsw.Connection(name, flags=flags | apsw.SQLITE_OPEN_URI)
    connection.set_busy_timeout(round(BUSY_SECONDS * 1000))
    connection.pragma("trusted_schema", "off")
    connection.pragma("cell_size_check", "on")
    return connection


def _connect_to_look(path: Path) -> apsw.Connection:
    uri = path.resolve().as_uri() + "?mode=ro"
    # Reading a WAL database needs files beside it. Where they cannot be made (a read-only file
    # system), nobody can write either, and the file alone is the whole journal.
    if not os.access(path.parent, os.W_OK) and not _has_wal(path):
        uri += "&immutable=1"
    return _connect(uri, apsw.SQLITE_OPEN_READONLY)


def _check_format(connection: apsw.Connection) -> None:
    found = connection.pragma("user_version")
    if connection.pragma("application_id") != _APPLICATION_ID:
        raise Broken("this is not a journal of batchgen")
    if found != FORMAT:
        made_by = connection.execute("SELECT value FROM stamp WHERE key = 'created_by'").get
        raise JournalError(
            f"the journal {connection.filename} has format {found} (made by batchgen {made_by}); "
            f"this is batchgen {VERSION}, which reads format {FORMAT}",
            hint="nothing was changed; use the batchgen that wrote it, or a newer one",
        )


def _check_structure(connection: apsw.Connection) -> None:
    problems = [text for (text,) in connection.execute("PRAGMA quick_check") if text != "ok"]
    if problems:
        raise Broken(" ".join("; ".join(problems[:_PROBLEMS_SHOWN]).split()))


def _has_wal(path: Path) -> bool:
    wal = _companions(path)[0]
    return wal.exists() and wal.stat().st_size > 0


def _companions(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))


def _damage(path: Path, what: str) -> JournalError:
    return JournalError(f"the journal {path} is damaged: {what}", hint=_KEEP_EVERYTHING)


_KEEP_EVERYTHING = (
    "nothing was sent; keep a copy of the whole folder, put back the journal from a backup if "
    "there is one, and look at the disk: without the journal nobody can tell what was paid for"
)
_LOOK_AT_THE_DISK = "nothing more was sent; mend the disk or the permissions, then run again"
_WORDS: dict[type[apsw.Error], tuple[str, str]] = {
    apsw.FullError: (
        "cannot grow: the disk is full",
        "nothing more was sent and what was written is safe; free some space, then run again",
    ),
    apsw.BusyError: (
        f"was kept locked by another program for {BUSY_SECONDS:g} s",
        "nothing more was sent; close what has the file open (a database browser?), then run again",
    ),
    apsw.ConstraintError: (
        "was changed by another program",
        "nothing more was sent; run again, and leave the file to batchgen",
    ),
    apsw.ReadOnlyError: ("cannot be written", _LOOK_AT_THE_DISK),
    apsw.CantOpenError: ("cannot be opened", _LOOK_AT_THE_DISK),
    apsw.PermissionsError: ("cannot be opened", _LOOK_AT_THE_DISK),
    apsw.AuthError: ("cannot be opened", _LOOK_AT_THE_DISK),
    apsw.IOError: ("cannot be used: the disk is failing, or full", _LOOK_AT_THE_DISK),
    apsw.NoMemError: ("cannot be used: there is no memory left", _LOOK_AT_THE_DISK),
}
