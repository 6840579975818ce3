"""The sandbox's file: SQLite in its folder, or nothing but memory when it has none.

Everything runs on the event loop's thread: a commit is a fraction of a request, and quotas keep
requests few. What a client may rely on is written within `synced`, and is on the disk before it is
answered. All other rows follow from those and the clock, and could be worked out again: they only
have to survive the process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from errno import EBUSY
from importlib.resources import files
from pathlib import Path
from typing import Any

import apsw

from batchgen.sandbox.disk import disk_errors

VERSION = 2
APPLICATION_ID = 0x62675362  # "bgSb"

Values = Sequence[Any] | Mapping[str, Any]


class Database:
    """Raises ValueError when the file is another program's, of another version or broken,
    BlockingIOError when another sandbox is using it. Everything raises OSError where the disk
    refuses, and has done nothing then.
    """

    @disk_errors()
    def __init__(self, path: Path | None) -> None:
        self._connection = apsw.Connection(str(path) if path else ":memory:")
        try:
            self._open()
        except apsw.BusyError:
            self.close()
            raise BlockingIOError(EBUSY, "another sandbox is running in this folder") from None
        except (apsw.NotADBError, apsw.CorruptError) as error:
            self.close()
            raise ValueError(f"its file is no sandbox's, or broken: {error}") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._connection.close()

    @disk_errors()
    def recall(self, name: str) -> Any:
        """A remembered value, or None."""
        return self.value("SELECT value FROM memory WHERE name = ?", (name,))

    @disk_errors()
    def remember(self, name: str, value: float | str) -> None:
        self.write("INSERT OR REPLACE INTO memory VALUES (?, ?)", (name, value))

    @disk_errors()
    def rows(self, query: str, values: Values = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, values).fetchall()

    @disk_errors()
    def value(self, query: str, values: Values = ()) -> Any:
        """The first column of the first row; None where there is none."""
        row = self._connection.execute(query, values).fetchone()
        return row[0] if row else None

    @disk_errors()
    def write(self, query: str, values: Values = ()) -> None:
        self._connection.execute(query, values)

    @disk_errors()
    def write_all(self, query: str, rows: Iterable[Values]) -> None:
        """All rows or none."""
        with self._connection:
            self._connection.executemany(query, rows)

    @contextmanager
    def synced(self) -> Iterator[None]:
        """What is written within is on the disk afterwards, whole."""
        with disk_errors():
            self._connection.execute("PRAGMA synchronous = FULL")
            try:
                with self._connection:
                    yield
            finally:
                self._connection.execute("PRAGMA synchronous = NORMAL")

    def _open(self) -> None:
        # Two sandboxes in one folder would each run its own queue: the first keeps the file.
        pragma = self._connection.pragma
        pragma("locking_mode", "EXCLUSIVE")
        pragma("journal_mode", "WAL")
        pragma("synchronous", "NORMAL")
        owner, version = pragma("application_id"), pragma("user_version")
        if owner == 0 and version == 0 and not self._is_used():
            self._create("schema.sql")
        elif (owner, version) == (APPLICATION_ID, 1):
            self._create("before_2.sql", "schema.sql", "from_1_to_2.sql")
        elif (owner, version) != (APPLICATION_ID, VERSION):
            raise ValueError(f"not a sandbox of version {VERSION}: its file says {owner}/{version}")
        self.write(_script("indexes.sql"))

    def _is_used(self) -> bool:
        return self._connection.execute("SELECT 1 FROM sqlite_schema").fetchone() is not None

    def _create(self, *scripts: str) -> None:
        with self._connection:
            for script in scripts:
                self.write(_script(script))
            self.write(f"PRAGMA application_id = {APPLICATION_ID}")
            self.write(f"PRAGMA user_version = {VERSION}")


def _script(name: str) -> str:
    return files(__package__).joinpath("schema", name).read_text("utf-8")
