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

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeVar

import apsw

from batchgen.core.facts import Fact, JobFact
from batchgen.core.lifecycle import State
from batchgen.core.policy import Policy
from batchgen.core.standing import Standing
from batchgen.errors import JournalError
from batchgen.journal.belonging import (
    explain,
    file_in,
    home_in,
    refuse_other,
    refuse_twin,
    seen_from,
)
from batchgen.journal.beside import (
    check_all_requests,
    check_requests,
    drop_links,
    read_links,
    read_request,
    write_links,
    write_requests,
)
from batchgen.journal.chain import Chain
from batchgen.journal.codec import decode
from batchgen.journal.database import (
    Kind,
    Stamp,
    check_structure,
    create,
    is_folded,
    is_unused,
    make_folder,
    open_to_look,
    open_to_write,
    read_stamp,
    transaction,
)
from batchgen.journal.extent import Extent
from batchgen.journal.folding import Mark, read_fold, write_fold
from batchgen.journal.lock import BatchLock
from batchgen.journal.migration import migrate
from batchgen.journal.renewal import finish
from batchgen.journal.reporting import reported
from batchgen.journal.rows import Rows
from batchgen.journal.salvage import LinkKey
from batchgen.journal.surroundings import cautions
from batchgen.journal.wal import refuse_damage

Done = TypeVar("Done")

_NOTHING: Mapping[Any, Any] = MappingProxyType({})
_OVER = frozenset({State.DONE, State.PARTIAL, State.WITHDRAWN})
FOLDED_FROM = 10_000
"""So many facts are read in half a second: it is not worth writing down what they add up to."""
_COPIED = (
    "was copied since its last run, or moved to another disk: what the original has sent since is"
    " not known here, so go on with one of the two only"
)


class Journal:
    """The log of one batch, with the requests and links that its facts speak of.

    Every method raises JournalError where the file or the disk fails.
    """

    def __init__(self, path: Path, database: apsw.Connection, lock: BatchLock) -> None:
        self._path = path
        self._database = database
        self._lock = lock
        self._chain: Chain | None = None
        self._folded: Mark | None = None
        """How far a fold goes that was believed."""
        self._failure: str | None = None
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self.stamp: Stamp = read_stamp(database)
        self._rows = Rows(database, self.stamp.origin)
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
                    read_links(database)
                    if not is_folded(database):
                        check_all_requests(database)
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
            return self._rows.head()[0] == 0

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

    def recall(self, policy: Policy) -> Standing:
        """What the oldest facts add up to, as far as they were folded; ``replay`` has the others.

        Nothing is recalled from a fold that is broken, or was made otherwise.
        """
        with reported(self._path):
            if found := read_fold(self._database, policy):
                standing, self._folded = found
                return standing
            if is_folded(self._database):  # and so not looked at when it was opened
                check_structure(self._database)
                check_all_requests(self._database)
            return Standing(policy)

    def newest(self, standing: Standing) -> list[JobFact]:
        """The last fact that ``standing`` knows of each of its jobs that are not done, in order."""
        with reported(self._path):
            jobs = [job for job in standing.jobs.values() if job.state not in _OVER]
            rows = sorted(self._rows.one(f"job/{job.id}", job.version) for job in jobs)
            facts = [decode(row.columns) for row in rows]
            return [fact for fact in facts if isinstance(fact, JobFact)]

    def check_requests(self, standing: Standing) -> None:
        """Raise JournalError where the request of a job that is not done is damaged: that must show
        before the first request of a run.
        """
        if self._folded is None:
            return  # all were checked when the journal was opened
        wanted = [job.request for job in standing.jobs.values() if job.state not in _OVER]
        with reported(self._path):
            self._fetch(check_requests, wanted)

    def check_file(self) -> None:
        """Raise JournalError where the file is not as SQLite has written it, or a row not as it was
        added, before more is: of a log that was folded, only what was read has been looked at.
        """
        if self._folded is not None:
            with reported(self._path):
                self._fetch(check_structure)
                self._writer.submit(self._rows.check, self._folded.seq).result()

    def replay(self, after: int = 0) -> Iterator[Fact]:
        """Yield every fact, oldest first, each checked; facts that come later are left out.

        Those up to the number ``after`` are known already.
        """
        with reported(self._path):
            chain = self._rows.chain(after)
            for row in self._rows.follow(chain):
                yield decode(row.columns)
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
        await self._written(self._write, facts, requests, links)

    async def fold(self, standing: Standing) -> None:
        """Write down what the facts add up to, for the next who opens the journal.

        Not where they are few, for all or for each job: then reading them is as fast. And not where
        ``standing`` is of other facts than those of the log.
        """
        await self._written(self._fold, standing)

    async def story(self, job: str) -> list[Fact]:
        """Return the facts of one job, oldest first, without holding up the event loop."""
        return await self._written(self._read_story, job)

    def request(self, identity: str) -> dict[str, Any]:
        """Return the document of a request; its absence is damage, since facts come with it."""
        with reported(self._path):
            return self._fetch(read_request, identity)

    def links(self) -> dict[LinkKey, str]:
        """Return the signed URLs of all results that are not fetched yet."""
        with reported(self._path):
            return self._fetch(read_links)

    async def _written(self, step: Callable[..., Done], *arguments: Any) -> Done:
        """Let the writer's thread take a step; to its end, whatever becomes of the caller."""
        import asyncio  # noqa: PLC0415 - a tenth of a second, which whoever only looks can do without

        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._writer, step, *arguments))

    def _fetch(self, read: Callable[..., Done], *arguments: Any) -> Done:
        # In the writer's thread: in ours it would see half of a transaction under way.
        return self._writer.submit(read, self._database, *arguments).result()

    def _read_story(self, job: str) -> list[Fact]:
        with reported(self._path):
            unchecked = self._folded.seq if self._folded else 0
            rows = self._rows.of(f"job/{job}", checked_after=unchecked)
            return [decode(row.columns) for row in rows]

    def _fold(self, standing: Standing) -> None:
        chain = self._chain
        known = self._folded.seq if self._folded else 0
        if chain is None or self._failure or standing.taken != chain.seq:
            return
        if chain.seq - known < FOLDED_FROM or chain.seq < 2 * len(standing.jobs):
            return
        mark = Mark(chain.seq, chain.checksum)
        # A disk that refuses takes a short cut, no fact.
        with suppress(apsw.Error, MemoryError, ValueError):
            write_fold(self._database, standing, mark, self._folded)
            self._folded = mark

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
                    write_requests(self._database, requests)
                    write_links(self._database, links)
                    self._rows.append(chain, facts)
                    drop_links(self._database, facts)
                self._extent.note(chain.seq)
        except BaseException as error:
            self._failure = str(error)
            raise

    def _read_chain(self) -> Chain:
        if self._chain is None:
            deque(self.replay(), maxlen=0)
        assert self._chain is not None
        return self._chain
