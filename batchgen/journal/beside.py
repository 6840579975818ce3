"""What lies beside the log: the requests and links that facts speak of, each with a checksum.

They are used late in a run, and damage must show before its first request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import apsw

from batchgen.core.facts import Expired, Fact, Saved, Sealed, SealedInPart
from batchgen.journal.chain import Broken, seal
from batchgen.journal.codec import dump, load
from batchgen.journal.salvage import LinkKey

_REQUESTS = "SELECT identity, document, checksum FROM request"


def check_all_requests(database: apsw.Connection) -> None:
    """Raise Broken for the first request that is not whole."""
    for row in database.execute(_REQUESTS):
        _check_document(*row)


def check_requests(database: apsw.Connection, identities: Iterable[str]) -> None:
    """Raise Broken for the first of some requests that is not whole, or is missing."""
    for identity in identities:
        _document(database, identity)


def read_request(database: apsw.Connection, identity: str) -> dict[str, Any]:
    """The document of a request; Broken where it is not whole, or missing."""
    return load(_document(database, identity))


def read_links(database: apsw.Connection) -> dict[LinkKey, str]:
    """The signed URLs of all results that are not fetched yet; Broken where one is not whole."""
    links: dict[LinkKey, str] = {}
    for row in database.execute("SELECT job, attempt, result, url, checksum FROM link"):
        job, attempt, result, url, checksum = row
        if checksum != seal(job, attempt, result, url):
            raise Broken(f"a link of job {job} does not match its checksum")
        links[job, attempt, result] = url
    return links


def write_requests(database: apsw.Connection, requests: Mapping[str, Mapping[str, Any]]) -> None:
    """Add documents of requests by their identity; one that is there already stays as it is."""
    rows = ((identity, dump(document)) for identity, document in requests.items())
    database.executemany(
        "INSERT INTO request VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        ((*row, seal(*row)) for row in rows),
    )


def write_links(database: apsw.Connection, links: Mapping[LinkKey, str]) -> None:
    """Add signed URLs, or put them in place of older ones."""
    database.executemany(
        "INSERT OR REPLACE INTO link VALUES (?, ?, ?, ?, ?)",
        ((*key, url, seal(*key, url)) for key, url in links.items()),
    )


def drop_links(database: apsw.Connection, facts: Iterable[Fact]) -> None:
    """Remove the signed URLs that nobody needs any more after these facts."""
    for fact in facts:
        match fact:
            case Saved(job=job, attempt=attempt, index=index):
                database.execute(
                    "DELETE FROM link WHERE job = ? AND attempt = ? AND result = ?",
                    (job, attempt, index),
                )
            case Sealed(job=job) | SealedInPart(job=job) | Expired(job=job):
                database.execute("DELETE FROM link WHERE job = ?", (job,))


def _document(database: apsw.Connection, identity: str) -> str:
    rows: list[Any] = database.execute(f"{_REQUESTS} WHERE identity = ?", (identity,)).fetchall()
    if not rows:
        raise Broken(f"the request {identity} is missing")
    _check_document(*rows[0])
    return str(rows[0][1])


def _check_document(identity: str, document: str, checksum: int) -> None:
    if checksum != seal(identity, document):
        raise Broken(f"the request {identity} does not match its checksum")
