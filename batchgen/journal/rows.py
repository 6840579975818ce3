"""The rows of the log: read, each held against the row before it, and added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import apsw

from batchgen.core.facts import Fact
from batchgen.journal.chain import Broken, Chain, Row

_NAMED = 5
_BY_SUBJECT = "SELECT * FROM fact WHERE subject = ?"


class Rows:
    """The rows of a log; ``origin`` is what the checksum of the first one continues."""

    def __init__(self, database: apsw.Connection, origin: int) -> None:
        self._database = database
        self._origin = origin

    def head(self) -> tuple[int, int]:
        """The number and the checksum of the last row there is, as the journal says."""
        heads: list[Any] = self._database.execute("SELECT seq, checksum FROM head").fetchall()
        seq, checksum = heads[0]
        return seq, checksum

    def chain(self, after: int) -> Chain:
        """The log as far as the row of that number, to be followed from there."""
        if after == 0:
            return Chain(self._origin)

        def version(subject: str) -> int:
            sql = "SELECT version FROM fact WHERE subject = ? AND seq <= ? ORDER BY version DESC"
            return self._database.execute(f"{sql} LIMIT 1", (subject, after)).get or 0

        return Chain(self._checksum(after), seq=after, versions=version)

    def follow(self, chain: Chain) -> Iterator[Row]:
        """Yield the rows behind the chain's last, and take them up; Broken where one is not whole.

        Rows that come later are left out.
        """
        # Read first: a run may add facts meanwhile, and then these are the next look's.
        seq, checksum = self.head()
        for row in self._until(seq, chain.seq):
            try:
                chain.follow(row)
            except Broken as error:
                raise Broken(self._broken(seq) or str(error)) from error
            yield row
        if (chain.seq, chain.checksum) != (seq, checksum):
            raise Broken(f"the log should have {seq} facts, but ends after {chain.seq}")

    def append(self, chain: Chain, facts: Sequence[Fact]) -> None:
        """Add facts to the log, which goes as far as the chain does."""
        self._database.executemany(
            "INSERT INTO fact VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", chain.extend(facts)
        )
        self._database.execute("UPDATE head SET seq = ?, checksum = ?", (chain.seq, chain.checksum))

    def check(self, until: int) -> None:
        """Raise Broken where a row up to that number is not whole, or not in its place."""
        previous = self._origin
        for row in self._until(until):
            if not row.sealed_after(previous):
                raise Broken(self._broken(until))
            previous = row.checksum

    def of(self, subject: str, *, checked_after: int) -> list[Row]:
        """The stream of a subject; up to the number given nobody has checked a row yet."""
        found = map(
            Row._make, self._database.execute(f"{_BY_SUBJECT} ORDER BY version", (subject,))
        )
        rows = [row if row.seq > checked_after else self._whole(row) for row in found]
        if [row.version for row in rows] != list(range(1, len(rows) + 1)):
            raise Broken(f"the log lacks facts of {subject}")
        return rows

    def one(self, subject: str, version: int) -> Row:
        """A row that nobody has checked yet, by its place in the stream of its subject."""
        found = self._database.execute(f"{_BY_SUBJECT} AND version = ?", (subject, version))
        for row in map(Row._make, found):
            return self._whole(row)
        raise Broken(f"the log lacks facts of {subject}")

    def _until(self, seq: int, after: int = 0) -> Iterator[Row]:
        sql = "SELECT * FROM fact WHERE seq > ? AND seq <= ? ORDER BY seq"
        return map(Row._make, self._database.execute(sql, (after, seq)))

    def _checksum(self, seq: int) -> int:
        sql = "SELECT checksum FROM fact WHERE seq = ?"
        found: Any = self._database.execute(sql, (seq,)).get
        return self._origin if found is None else found

    def _whole(self, row: Row) -> Row:
        if not row.sealed_after(self._checksum(row.seq - 1)):
            raise Broken(f"row {row.seq} does not match its checksum")
        return row

    def _broken(self, seq: int) -> str:
        """Name the rows that are broken, each judged by what the row before it says of itself."""
        broken, previous = [], self._origin
        for row in self._until(seq):
            if not row.sealed_after(previous):
                broken.append(str(row.seq))
            previous = row.checksum
        more = len(broken) - _NAMED
        names = ", ".join(broken[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f"these rows of the log do not match their checksums: {names}" if broken else ""
