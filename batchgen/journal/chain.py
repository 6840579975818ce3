"""Numbers the rows of the log and seals each with a checksum that continues the one before.

Rules of this file:

* ``seq`` counts all facts, ``version`` the facts of one subject; both from 1 and without a gap.
* A row's checksum is the CRC-32 of all its columns, written as a JSON array in ASCII, begun with
  the checksum of the row before it, the first one with that of the journal's id. SQLite itself has
  none: its integrity check looks at the structure and lets most changes of stored data pass. CRC-32
  finds every change within 32 neighbouring bits; it is there against failing disks, not against
  forgers.
* Writing takes the next numbers from what was read. Where somebody else has written meanwhile, the
  numbers are taken, and SQLite refuses the row.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from batchgen.core.facts import Fact
from batchgen.journal.codec import Columns, encode

_ENCODER = json.JSONEncoder(separators=(",", ":"), default=repr)


class Row(NamedTuple):
    """A row of the table ``fact``, in the order of its columns."""

    seq: int
    at: float
    subject: str
    version: int
    kind: str
    job: str | None
    attempt: int | None
    account: str
    body: str
    checksum: int

    @property
    def columns(self) -> Columns:
        """What the fact itself is made of."""
        return Columns(
            self.at, self.subject, self.kind, self.job, self.attempt, self.account, self.body
        )

    def sealed_after(self, previous: int) -> bool:
        """Tell whether the row is whole and follows the row whose checksum is ``previous``."""
        return self.checksum == seal(*self[:-1], after=previous)


def seal(*columns: float | str | None, after: int = 0) -> int:
    """Return the checksum of a row that follows the row whose checksum is ``after``."""
    return zlib.crc32(_ENCODER.encode(columns).encode(), after)


class Broken(Exception):
    """A row that does not continue the chain; the text says how."""


class Chain:
    """How far the log goes, and the version of every subject in it."""

    def __init__(
        self, origin: int = 0, *, seq: int = 0, versions: Callable[[str], int] | None = None
    ) -> None:
        """``origin`` is what the checksum of the first row continues.

        Or it goes on behind the row ``seq``, whose checksum that then is, with what ``versions``
        says of a subject up to there.
        """
        self.seq = seq
        self.checksum = origin
        self._versions: dict[str, int] = {}
        self._earlier = versions or (lambda _subject: 0)

    def follow(self, row: Row) -> None:
        """Take up a row that was read; Broken where it is not the next one."""
        if not row.sealed_after(self.checksum):
            raise Broken(f"row {row.seq} does not match its checksum")
        if row.seq != self.seq + 1 or row.version != self._version(row.subject) + 1:
            raise Broken(f"row {row.seq} is out of order")
        self._advance(row)

    def extend(self, facts: Sequence[Fact]) -> Iterator[Row]:
        """Yield the rows that add ``facts`` to the log."""
        for fact in facts:
            at, subject, *rest = encode(fact)
            numbered = (self.seq + 1, at, subject, self._version(subject) + 1, *rest)
            row = Row._make((*numbered, seal(*numbered, after=self.checksum)))
            self._advance(row)
            yield row

    def _version(self, subject: str) -> int:
        known = self._versions.get(subject)
        return self._earlier(subject) if known is None else known

    def _advance(self, row: Row) -> None:
        self.seq = row.seq
        self.checksum = row.checksum
        self._versions[row.subject] = row.version
