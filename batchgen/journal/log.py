"""The journal of one batch: what happened, kept before anything acts on it.

Rules of this file:

* The log is read to its end, row by row and each checked, before it is continued.
* One commit is one transaction: all of its facts, requests and links, or none.
* After a failure nothing more is written: whoever acts must stop, and what the log holds is then
  what happened.
* One thread writes. ``commit`` hands it the work through the event loop, so that a disk that is
  slow to sync holds up nothing else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import apsw

from batchgen.core.facts import Expired, Fact, Saved, Sealed, SealedInPart
from batchgen.errors import JournalError
from batchgen.journal.belonging import (
    explain,
    file_in,
    home_in,
    refuse_other,
    refuse_twin,
    seen_from,
)
from batchgen.journal.chain import Broken, Chain, Row, seal
from batchgen.journal.codec import decode, dump, load
from batchgen.journal.database import (
    Kind,
    Stamp,
    create,
    is_unused,
    make_folder,
    open_to_look,
    open_to_write,
    read_stamp,
    transaction,
)
from batchgen.journal.extent import Extent
from batchgen.journal.lock import BatchLock
from batchgen.journal.migration import migrate
from batchgen.journal.renewal import finish
from batchgen.journal.reporting import reported
from batchgen.journal.salvage import LinkKey
from batchgen.journal.surroundings import cautions
from batchgen.journal.wal import refuse_damage

_NOTHING: Mapping[Any, Any] = MappingProxyType({})
_ROWS_NAMED = 5
_COPIED = (
    "was copied since its last run, or moved to another disk: what the original has sent since is"
    " not known here, so go on with one of the two only"
)
_LINKS = "SELECT job, attempt, result, url, checksum FROM link"


class Journal:
    """The log of one batch, with the requests and links that its facts speak of.

    Every method raises JournalError where the file or the disk fails.
    """

    def __init__(self, path: Path, database: apsw.Connection, lock: BatchLock) -> None:
        self._path = path
        self._database = database
        self._lock = lock
        self._chain: Chain | None = None
        self._failure: str | None = None
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self.stamp: Stamp = read_stamp(database)
        self._extent = Extent(path, self.stamp.id)

    @classmethod
    def open(cls, folder: Path, *, kind: Kind, manifest: str, source: Path | None = None) -> Self:
        """Open the journal of the batch in ``folder`` to continue it; make it if there is none.

        ``manifest`` is the name, ``source`` the file. Raises BatchHeld where another run has the
        batch, and Mistake where the journal belongs to another manifest, or to the sandbox instead
        of the service or the other way round.
        """
        home = home_in(folder)
        path = file_in(home)
        with reported(path):
            make_folder(home, 0o700)
            lock = BatchLock(home / "lock")
            lock.acquire()
            try:
                explain(home)
                finish(home, path)
                if is_unused(path):
                    seen = seen_from(folder, source)
                    create(path, kind=kind, manifest=manifest, source=seen)
                refuse_damage(path)
                with closing(open_to_look(path)) as database:
                    stamp = read_stamp(database)
                    refuse_other(stamp, kind=kind, manifest=manifest)
                    refuse_twin(stamp, folder, source)
                    _check_documents(database)
                migrate(path)
                return cls(path, open_to_write(path), lock)
            except BaseException:
                lock.release()
                raise

    @classmethod
    def peek(cls, folder: Path) -> Self | None:
        """Open the journal of the batch in ``folder`` to read, also while a run writes it.

        Takes no lock and changes nothing. None where there is no journal yet.
        """
        home = home_in(folder)
        path = file_in(home)
        with reported(path):
            if is_unused(path):
                return None
            return cls(path, open_to_look(path), BatchLock(home / "lock"))

    @staticmethod
    def is_begun(folder: Path) -> bool:
        """Tell whether the batch in ``folder`` has a journal."""
        path = file_in(home_in(folder))
        with reported(path):
            return not is_unused(path)

    def __repr__(self) -> str:
        facts = "not read yet" if self._chain is None else f"{self._chain.seq} facts"
        failure = f", failed: {self._failure}" if self._failure else ""
        return f"<Journal of {self.stamp.manifest} ({self.stamp.kind}), {facts}{failure}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish the commit under way, close the file and let the next run have the batch."""
        self._writer.shutdown()
        self._extent.close()
        # The last connection to close folds the -wal file into the journal. No checkpoint of our
        # own: it would wait for whoever is looking, and nothing is lost without it.
        try:
            with reported(self._path):
                self._database.close()
        finally:
            self._lock.release()

    @property
    def is_empty(self) -> bool:
        """Nothing has ever happened: it is new, or an older one is lost."""
        with reported(self._path):
            return self._head()[0] == 0

    @property
    def cautions(self) -> tuple[str, ...]:
        """What a person should know of the place where the batch lies."""
        folder = self._path.parents[1]
        return (*cautions(folder), *([f"{folder} {_COPIED}"] if self._lock.is_copy else []))

    @property
    def holder(self) -> str | None:
        """Who runs this batch just now (process, host, since when), or None."""
        with reported(self._path):
            return self._lock.holder()

    def replay(self) -> Iterator[Fact]:
        """Yield every fact, oldest first, each checked; facts that come later are left out."""
        with reported(self._path):
            chain = Chain(self.stamp.origin)
            # Read first: a run may add facts meanwhile, and then these are the next look's.
            seq, checksum = self._head()
            for row in self._rows_until(seq):
                try:
                    chain.follow(row)
                except Broken as error:
                    raise Broken(self._broken_rows(seq) or str(error)) from error
                yield decode(row.columns)
            if (chain.seq, chain.checksum) != (seq, checksum):
                raise Broken(f"the log should have {seq} facts, but ends after {chain.seq}")
            self._chain = chain

    def append(
        self,
        facts: Sequence[Fact],
        *,
        requests: Mapping[str, Mapping[str, Any]] = _NOTHING,
        links: Mapping[LinkKey, str] = _NOTHING,
    ) -> None:
        """Add facts, with the requests and links that they speak of; durable when this returns.

        A request that is there already stays as it is; a link is replaced. The links of a result
        that is saved go, and all of a job's when it is sealed or expired.
        """
        self._writer.submit(self._write, facts, requests, links).result()

    async def commit(
        self,
        facts: Sequence[Fact],
        *,
        requests: Mapping[str, Mapping[str, Any]] = _NOTHING,
        links: Mapping[LinkKey, str] = _NOTHING,
    ) -> None:
        """Do as ``append`` without holding up the event loop.

        When the caller is cancelled they are written all the same: they may name what is paid for.
        """
        loop = asyncio.get_running_loop()
        written = loop.run_in_executor(self._writer, self._write, facts, requests, links)
        await asyncio.shield(written)

    async def story(self, job: str) -> list[Fact]:
        """Return the facts of one job, oldest first, without holding up the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, self._read_story, job)

    def request(self, identity: str) -> dict[str, Any]:
        """Return the document of a request; its absence is damage, since facts come with it."""
        sql = "SELECT document, checksum FROM request WHERE identity = ?"
        with reported(self._path):
            row = self._fetch(sql, identity)
            if not row:
                raise Broken(f"the request {identity} is missing")
            document, checksum = row[0]
            _check_document(identity, document, checksum)
            return load(document)

    def links(self) -> dict[LinkKey, str]:
        """Return the signed URLs of all results that are not fetched yet."""
        with reported(self._path):
            rows = self._fetch(_LINKS)
            for row in rows:
                _check_link(*row)
            return {(job, attempt, result): url for job, attempt, result, url, _ in rows}

    def _fetch(self, sql: str, *bindings: str) -> list[Any]:
        # In the writer's thread: in ours it would see half of a transaction under way.
        return self._writer.submit(
            lambda: self._database.execute(sql, bindings).fetchall()
        ).result()

    def _read_story(self, job: str) -> list[Fact]:
        with reported(self._path):
            rows = self._database.execute(
                "SELECT * FROM fact WHERE subject = ? ORDER BY version", (f"job/{job}",)
            )
            return [decode(Row._make(row).columns) for row in rows]

    def _head(self) -> tuple[int, int]:
        heads: list[Any] = self._database.execute("SELECT seq, checksum FROM head").fetchall()
        seq, checksum = heads[0]
        return seq, checksum

    def _rows_until(self, seq: int) -> Iterator[Row]:
        rows = self._database.execute("SELECT * FROM fact WHERE seq <= ? ORDER BY seq", (seq,))
        return map(Row._make, rows)

    def _broken_rows(self, seq: int) -> str:
        """Name the rows that are broken, each judged by what the row before it says of itself."""
        broken, previous = [], self.stamp.origin
        for row in self._rows_until(seq):
            if not row.sealed_after(previous):
                broken.append(str(row.seq))
            previous = row.checksum
        more = len(broken) - _ROWS_NAMED
        names = ", ".join(broken[:_ROWS_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f"these rows of the log do not match their checksums: {names}" if broken else ""

    def _write(
        self,
        facts: Sequence[Fact],
        requests: Mapping[str, Mapping[str, Any]],
        links: Mapping[LinkKey, str],
    ) -> None:
        if self._failure is not None:
            raise JournalError(f"the journal failed before: {self._failure}")
        try:
            with reported(self._path):
                chain = self._read_chain()
                with transaction(self._database):
                    self._insert(facts, requests, links, chain)
                self._extent.note(chain.seq)
        except BaseException as error:
            self._failure = str(error)
            raise

    def _read_chain(self) -> Chain:
        if self._chain is None:
            deque(self.replay(), maxlen=0)
        assert self._chain is not None
        return self._chain

    def _insert(
        self,
        facts: Sequence[Fact],
        requests: Mapping[str, Mapping[str, Any]],
        links: Mapping[LinkKey, str],
        chain: Chain,
    ) -> None:
        insert = self._database.executemany
        if requests:
            documents = ((identity, dump(document)) for identity, document in requests.items())
            insert(
                "INSERT INTO request VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                ((*request, seal(*request)) for request in documents),
            )
        if links:
            insert(
                "INSERT OR REPLACE INTO link VALUES (?, ?, ?, ?, ?)",
                ((*key, url, seal(*key, url)) for key, url in links.items()),
            )
        insert("INSERT INTO fact VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", chain.extend(facts))
        self._database.execute("UPDATE head SET seq = ?, checksum = ?", (chain.seq, chain.checksum))
        for fact in facts:
            self._drop_links(fact)

    def _drop_links(self, fact: Fact) -> None:
        match fact:
            case Saved(job=job, attempt=attempt, index=index):
                self._database.execute(
                    "DELETE FROM link WHERE job = ? AND attempt = ? AND result = ?",
                    (job, attempt, index),
                )
            case Sealed(job=job) | SealedInPart(job=job) | Expired(job=job):
                self._database.execute("DELETE FROM link WHERE job = ?", (job,))


def _check_documents(database: apsw.Connection) -> None:
    """What lies beside the log is used late in a run: damage must show before its first request."""
    for row in database.execute("SELECT identity, document, checksum FROM request"):
        _check_document(*row)
    for row in database.execute(_LINKS):
        _check_link(*row)


def _check_link(job: str, attempt: int, result: int, url: str, checksum: int) -> None:
    if checksum != seal(job, attempt, result, url):
        raise Broken(f"a link of job {job} does not match its checksum")


def _check_document(identity: str, document: str, checksum: int) -> None:
    if checksum != seal(identity, document):
        raise Broken(f"the request {identity} does not match its checksum")
