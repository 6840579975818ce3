"""What a damaged journal still says, and what is lost of it.

Rules of this file:

* A row counts if its checksum continues that of the row before it. Of a row whose forerunner is
  lost nobody can say whether it is whole: it is lost as well.
* What is left of a lost row is believed in one thing: what it speaks of, where two of its columns
  agree on that. So one flipped bit puts one job in doubt, not all of them.
* Where the log ends is known if a ``head`` was found whose checksum is that of its row, and the
  extent beside the journal says no more. Else anything may have been written behind the last row.
* Links may be found that were deleted long ago: who has a task asks it for new ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from batchgen.core.facts import Fact, JobFact, Kinds
from batchgen.journal.chain import Row, seal
from batchgen.journal.codec import Unreadable, decode, load
from batchgen.journal.extent import read_extent
from batchgen.journal.pages import Record, records
from batchgen.journal.wal import wal_of

LinkKey = tuple[str, int, int]
"""Job, attempt (from 1) and result (from 0)."""

_NAMED = 5
_JOB = "job/"
_STAMP = frozenset({"kind", "manifest", "source", "created_by", "id"})


class Kept(NamedTuple):
    """A fact whose row is whole, with its numbers in the log and in its subject."""

    seq: int
    version: int
    fact: Fact


class Lost(NamedTuple):
    """A row that is gone or broken; ``subject`` is what it spoke of, None where nobody knows."""

    seq: int
    subject: str | None


class Salvage:
    """The remains of a journal: the facts that are kept and the rows that are lost, in the order of
    the log; the requests, the links, and what is whole of the stamp.

    ``ends`` says that nothing was written behind what is kept and lost.
    """

    def __init__(
        self,
        kept: Sequence[Kept] = (),
        lost: Sequence[Lost] = (),
        *,
        ends: bool = False,
        requests: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        links: Mapping[LinkKey, str] = MappingProxyType({}),
        stamp: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.kept = kept
        self.lost = lost
        self.ends = ends
        self.requests = requests
        self.links = links
        self.stamp = stamp
        self._last: dict[str, Kept] = {}
        gaps = 0
        for one in kept:
            before = self._last.get(one.fact.subject)
            gaps += one.version - (before.version if before else 0) - 1
            self._last[one.fact.subject] = one
        self._last_unknown = self._find_last_unknown(gaps)

    def __repr__(self) -> str:
        return f"<Salvage: {self.words}>"

    @property
    def words(self) -> str:
        """What is kept and what is lost, for a person."""
        told = f"{len(self.kept):,} facts are whole"
        if self.lost:
            told += f", lost are the rows {_few([str(row.seq) for row in self.lost])}"
        subjects = {row.subject or "" for row in self.lost}
        if jobs := sorted(name[len(_JOB) :] for name in subjects if name.startswith(_JOB)):
            told += f" (of jobs {_few(jobs)})"
        return told if self.ends else f"{told}, and whatever came behind the last of them"

    def may_have_lost(self, subject: str) -> bool:
        """Whether something may have happened to a subject after all that is kept of it."""
        last = self._last_seq(subject)
        known = any(row.subject == subject and row.seq > last for row in self.lost)
        return known or not self.ends or self._last_unknown > last

    def since(self, subject: str) -> float:
        """A moment before which nothing happened of what is lost of a subject (Unix seconds)."""
        last = self._last_seq(subject)
        first = min((row.seq for row in self.lost if row.seq > last), default=inf)
        return next((one.fact.at for one in reversed(self.kept) if one.seq < first), 0.0)

    def _last_seq(self, subject: str) -> int:
        return self._last[subject].seq if subject in self._last else 0

    def _find_last_unknown(self, gaps: int) -> int:
        """The last lost row that may speak of anything; 0 where there is none.

        What is missing between two facts of a subject accounts for as many lost rows.
        """
        unknown = [row.seq for row in self.lost if row.subject is None]
        known = sum(row.seq < self._last_seq(row.subject) for row in self.lost if row.subject)
        return max(unknown) if len(unknown) > gaps - known else 0


def salvage(path: Path) -> Salvage:
    """Read what is left of a journal, whatever has happened to it. Raises OSError."""
    found = _Found()
    for record in records(path, wal_of(path)):
        found.take(record)
    return found.salvage(path)


class _Found:
    """Records, sorted by the table that they are of."""

    def __init__(self) -> None:
        self._rows: defaultdict[int, set[Row]] = defaultdict(set)
        self._heads: set[tuple[int, int]] = set()
        self._requests: dict[str, Mapping[str, Any]] = {}
        self._links: dict[LinkKey, str] = {}
        self._stamp: dict[str, str] = {}

    def take(self, record: Record) -> None:
        match record:
            case (
                int(seq),
                (
                    None,
                    int() | float() as at,  # SQLite keeps whole numbers as integers
                    str(subject),
                    int(version),
                    str(kind),
                    str() | None as job,
                    int() | None as attempt,
                    str(account),
                    str(body),
                    int(checksum),
                ),
            ):
                columns = (subject, version, kind, job, attempt, account, body, checksum)
                self._rows[seq].add(Row(seq, float(at), *columns))
            case (1, (None, int(seq), int(checksum))):
                self._heads.add((seq, checksum))
            case (None, (str(key), str(value), int(checksum))) if checksum == seal(key, value):
                self._take_pair(key, value)
            case (None, (str(job), int(attempt), int(result), str(url), int(checksum))):
                if checksum == seal(job, attempt, result, url):
                    self._links[job, attempt, result] = url
            case _:
                pass

    def _take_pair(self, key: str, value: str) -> None:
        if key in _STAMP:
            self._stamp[key] = value
        else:
            with suppress(Unreadable):
                self._requests[key] = load(value)

    def salvage(self, path: Path) -> Salvage:
        written = read_extent(path, self._stamp.get("id"))
        kept = list(self._chained())
        behind = {head for head in self._heads if head[0] > 0 and not self._is_end(head)}
        ends = [head for head in self._heads if self._is_end(head)]
        last = max([one.seq for one in kept] + [seq for seq, _ in ends], default=0)
        whole = {one.seq for one in kept}
        return Salvage(
            kept,
            [Lost(seq, self._subject(seq)) for seq in range(1, last + 1) if seq not in whole],
            ends=any(seq == last for seq, _ in ends)
            and all(seq <= last for seq, _ in behind)
            and written <= last,
            requests=self._requests,
            links=self._links,
            stamp=self._stamp,
        )

    def _chained(self) -> Iterator[Kept]:
        """The facts of the rows that are whole."""
        before, sums = 0, {seal(self._stamp["id"]) if "id" in self._stamp else 0}
        for seq in sorted(self._rows):
            sums = sums if seq == before + 1 else set()
            found = self._rows[seq]
            whole = next((row for row in found if any(map(row.sealed_after, sums))), None)
            if whole is not None:
                with suppress(Unreadable):
                    yield Kept(seq, whole.version, decode(whole.columns))
            # Where only its checksum is broken, the next row still tells what it was.
            sums = {seal(*row[:-1], after=one) for row in found for one in sums}
            sums |= {row.checksum for row in found}
            before = seq

    def _is_end(self, head: tuple[int, int]) -> bool:
        seq, checksum = head
        if seq == 0:
            return not self._rows
        return any(row.checksum == checksum for row in self._rows.get(seq, ()))

    def _subject(self, seq: int) -> str | None:
        """What a lost row spoke of."""
        for row in self._rows.get(seq, ()):
            kind = Kinds.by_name.get(row.kind)
            if row.job is not None and row.subject == f"{_JOB}{row.job}":
                return row.subject
            if row.job is None and kind and not issubclass(kind, JobFact):
                return row.subject
        return None


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
