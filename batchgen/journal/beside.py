"""What lies beside the log: the requests and links that facts speak of, each with a checksum.

They are used late in a run, and damage must show before its first request.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw

from batchgen.journal.chain import Broken, seal
from batchgen.journal.codec import load
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


def _document(database: apsw.Connection, identity: str) -> str:
    rows: list[Any] = database.execute(f"{_REQUESTS} WHERE identity = ?", (identity,)).fetchall()
    if not rows:
        raise Broken(f"the request {identity} is missing")
    _check_document(*rows[0])
    return str(rows[0][1])


def _check_document(identity: str, document: str, checksum: int) -> None:
    if checksum != seal(identity, document):
        raise Broken(f"the request {identity} does not match its checksum")
