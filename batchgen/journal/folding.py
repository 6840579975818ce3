"""Folds the log: what its facts up to a row add up to, kept beside them.

Rules of this file:

* A fold is a short cut and never the truth. One that is broken, made by another version, or not of
  this very log is not believed, and the facts are read instead: they are all still there.
* It says which row it goes up to, and the checksum of that row, which depends on every row before
  it. From there on the rows follow the chain as always.
* Every row of it has a checksum; their sum stands in the first, so that an old one does not pass
  for a new one.
* Only what has changed since the last fold is written, in one transaction: a death leaves the last
  one, which is as true as before.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import apsw

from batchgen.core.memory import SHAPE, Forgotten, job_data, recalled, rest_data
from batchgen.core.policy import Policy
from batchgen.core.standing import Standing
from batchgen.journal.database import script, transaction
from batchgen.version import VERSION

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder()
_SHAPE = zlib.crc32(repr(SHAPE).encode())
_UNFIT = (
    *(Forgotten, UnicodeError, AttributeError, LookupError, TypeError, ValueError),
    *(apsw.CorruptError, apsw.SQLError),
)
"""What a fold that cannot be used may raise: also that there is no such table."""


class Mark(NamedTuple):
    """How far a fold goes: the number of its last row, and that row's checksum."""

    seq: int
    checksum: int


def read_fold(database: apsw.Connection, policy: Policy) -> tuple[Standing, Mark] | None:
    """What the fold says, and how far it goes; None where there is none that can be believed."""
    try:
        # One statement: a run may fold anew meanwhile.
        rows: Iterator[Any] = iter(database.execute("SELECT * FROM fold ORDER BY place"))
        first = _read(*next(rows, (0, "", 0)))
        mark = _mark(database, first)
        standing = recalled(policy, first["rest"], _jobs(rows, first["jobs"], first["sum"]))
    except _UNFIT:
        return None
    return (standing, mark) if standing.taken == mark.seq else None


def write_fold(
    database: apsw.Connection, standing: Standing, mark: Mark, since: Mark | None
) -> None:
    """Fold up to ``mark``; ``since`` is how far the fold goes that is there and was believed."""
    with transaction(database):
        if since is None:
            database.execute("DROP TABLE IF EXISTS fold")
            database.execute(script("fold.sql"))
        changed = since and _changed(database, since) | standing.in_doubt
        jobs = enumerate(standing.jobs.values(), 1)
        chosen = ((n, job) for n, job in jobs if changed is None or job.id in changed)
        _put(database, ((place, job_data(job)) for place, job in chosen))
        sums: Any = database.execute("SELECT count(*), total(checksum) FROM fold WHERE place > 0")
        count, total = sums.fetchone()
        first = {
            "version": VERSION,
            "shape": _SHAPE,
            **mark._asdict(),
            "jobs": count,
            "sum": int(total),
            "rest": rest_data(standing),
        }
        _put(database, [(0, first)])


def _changed(database: apsw.Connection, since: Mark) -> set[str]:
    """The jobs that something has happened to."""
    sql = "SELECT DISTINCT job FROM fact WHERE seq > ? AND job IS NOT NULL"
    rows: Any = database.execute(sql, (since.seq,))
    return {job for (job,) in rows}


def _put(database: apsw.Connection, rows: Iterable[tuple[int, object]]) -> None:
    texts = ((place, _dump(value)) for place, value in rows)
    sealed = ((place, text.decode(), zlib.crc32(text, place)) for place, text in texts)
    database.executemany("INSERT OR REPLACE INTO fold VALUES (?, ?, ?)", sealed)


def _dump(value: object) -> bytes:
    return _ENCODER.encode(value).encode("utf-8", "backslashreplace")


def _read(place: int, body: str, checksum: int) -> Any:
    if checksum != zlib.crc32(body.encode(), place):
        raise Forgotten(f"row {place} does not match its checksum")
    return _DECODER.decode(body)


def _mark(database: apsw.Connection, first: Mapping[str, Any]) -> Mark:
    if (first["version"], first["shape"]) != (VERSION, _SHAPE):
        raise Forgotten("another version has folded this")
    mark = Mark(first["seq"], first["checksum"])
    known = database.execute("SELECT checksum FROM fact WHERE seq = ?", (mark.seq,)).get
    if known != mark.checksum:
        raise Forgotten("it is not of this log")
    return mark


def _jobs(rows: Iterator[Any], count: int, total: int) -> Iterator[list[Any]]:
    """Yield the values of every job, each row checked, and at the end all of them together."""
    found, seen = 0, 0
    for place, body, checksum in rows:
        yield _read(place, body, checksum)
        found, seen = found + 1, seen + checksum
    if (found, seen) != (count, total):
        raise Forgotten("it has other rows than it should have")
