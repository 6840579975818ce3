"""Fetches one result into the tree: bytes, checked, measured, durable, under its final name.

Each step finds what the step before it left on the disk, whoever took it: a result that has its
name is taken up from there, a part that is whole is published, and a part that is not is continued,
if its note says which version of the object its bytes are of. What lies there proves itself by
length, checksums and container, never by its name.

That a promised sound is missing is no reason to refuse a video: to fetch it again would bring the
same, and the sidecar tells it.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Mapping

from batchgen.artifacts import Measured, NotMedia, Occupied, Part, Published, Tree, result_name
from batchgen.catalog import Model
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.policy import OVERDUE, backoff
from batchgen.dashscope.downloads import Downloaded, Downloader, DownloadFailed, FailureKind
from batchgen.dashscope.objects import Version
from batchgen.journal import LinkKey
from batchgen.runner.errand import Errand
from batchgen.runner.outcome import Outcome, about

MAX_BYTES = 2**30
"""No result is larger, nor is one of a model that nobody knows any more."""

LEAST_BOUND = 2**26
"""No result is refused for being larger than it should be below this."""

LEEWAY = 4
"""How many times larger than its worst case a result may be: what is paid for is not refused for an
estimate of ours, and what never ends is stopped before it fills the disk."""

MAX_TRIES = 8
"""Downloads in a row that may bring something else than a result, before a person should look."""

_UNKNOWN = "its URL is not known any more"
_TOO_MANY_FILES = {errno.EMFILE, errno.ENFILE}


class Fetcher:
    """Turns a result's URL into a file and the facts about it."""

    def __init__(
        self,
        errand: Errand,
        downloader: Downloader,
        tree: Tree,
        links: Mapping[LinkKey, str],
    ) -> None:
        self._errand = errand
        self._downloader = downloader
        self._tree = tree
        self._links = links

    async def fetch(self, job: Job, index: int) -> Outcome:
        """Put one result on disk. Raises MachineError when the disk refuses."""
        try:
            return await self._fetch(job, index)
        except OSError as error:
            if error.errno not in _TOO_MANY_FILES:
                raise
            return self._broken(job, index, "too many files are open")

    async def _fetch(self, job: Job, index: int) -> Outcome:
        model = self._errand.model(job)
        name = self._name(job, index, model.suffix if model else "")
        # Tied to the task, or to the moment of a request that was answered with the result: what
        # lies whole under this name can be nobody else's.
        part = self._tree.part(f"{name}.{_digest(job.task_id or repr(job.submitted_at))}")
        try:
            if published := await self._tree.recall(part, name):
                return self._saved(job, index, published, await self._tree.measure(name))
        except Occupied as error:
            return self._parked(job, f"{error.message} {error.hint}")
        version = Version.of_note(await part.note())
        if version is not None:
            part.expect(md5=version.md5, crc64=version.crc64)
            if await part.size() == version.bytes:
                if saved := await self._taken_up(job, index, part, model):
                    return saved
                version = None
        if (url := self._links.get((job.id, job.attempt, index))) is None:
            return self._broken(job, index, _UNKNOWN, stale=True, wait=0.0, heard=None)
        try:
            async with part:
                answer = await self._download(url, part, version, self._bound(job, model))
                if isinstance(answer, DownloadFailed):
                    return self._after_failure(job, index, answer)
                return await self._keep(job, index, part, model)
        except NotMedia as error:
            return await self._after_rubbish(job, index, part, error.reason)

    def _name(self, job: Job, index: int, suffix: str) -> str:
        asked = self._errand.request(job).results
        return result_name(job.id, index, max(asked, len(job.results)), suffix)

    def _bound(self, job: Job, model: Model | None) -> int:
        """The bytes at which something else than a result is coming."""
        if model is None:
            return MAX_BYTES
        worst = model.bytes(self._errand.request(job))
        return min(max(LEEWAY * worst, LEAST_BOUND), MAX_BYTES)

    async def _taken_up(
        self, job: Job, index: int, part: Part, model: Model | None
    ) -> Outcome | None:
        """What an earlier run has fetched and could not publish; None if it is no result."""
        try:
            async with part:
                return await self._keep(job, index, part, model)
        except NotMedia:
            return None

    async def _keep(self, job: Job, index: int, part: Part, model: Model | None) -> Outcome:
        """Raises NotMedia for what is not the object it came from, or of another kind."""

        def named(measured: Measured) -> str:
            kind = measured.media_type.partition("/")[0]
            if model and kind != model.kind:
                raise NotMedia(f"it is {measured.media_type}, and {model.name} makes {model.kind}s")
            return self._name(job, index, measured.suffix)

        try:
            published, measured = await self._tree.keep(part, named)
        except Occupied as error:
            return self._parked(job, f"{error.message} {error.hint}")
        return self._saved(job, index, published, measured)

    def _saved(self, job: Job, index: int, published: Published, measured: Measured) -> Outcome:
        file = {**measured.as_json(), **published.as_json()}
        saved = f.Saved(**about(job, self._errand.clock.now()), index=index, file=file)
        return Outcome((saved,), heard=True)

    async def _download(
        self, url: str, part: Part, version: Version | None, max_bytes: int
    ) -> Downloaded | DownloadFailed:
        async def begin(version: Version | None) -> None:
            if version is None:
                await part.restart()
            else:
                await part.restart(version.as_note(), md5=version.md5, crc64=version.crc64)

        return await self._downloader.download(
            url,
            offset=await part.size(),
            version=version,
            sink=part.write,
            begin=begin,
            max_bytes=max_bytes,
        )

    async def _after_rubbish(self, job: Job, index: int, part: Part, why: str) -> Outcome:
        reason = f"what came is no result: {why}"
        if job.results[index].tries >= MAX_TRIES:  # kept in the parts: it was paid for
            return self._parked(job, f"{reason}; it lies in {part.path}")
        await part.discard()
        return self._broken(job, index, reason)

    def _after_failure(self, job: Job, index: int, failed: DownloadFailed) -> Outcome:
        """What is paid for is tried for as long as it lives, however long its host is away.

        Afterwards only the service can say that it has gone; if it does not, a person must look.
        """
        overdue = self._errand.clock.now() - job.expires
        asked = job.task_id is None or job.results[index].tries >= MAX_TRIES
        if failed.kind is FailureKind.REFUSED or (overdue > OVERDUE and asked):
            return self._parked(job, failed.reason)
        stale = failed.kind in {FailureKind.STALE, FailureKind.UNREACHABLE}
        if job.task_id is None and overdue <= 0:
            # Nobody can be asked for another address: this one is all there is while it lives.
            return self._broken(job, index, failed.reason, heard=_heard(failed))
        return self._broken(job, index, failed.reason, stale=stale or overdue > 0)

    def _broken(
        self,
        job: Job,
        index: int,
        reason: str,
        *,
        stale: bool = False,
        wait: float | None = None,
        heard: bool | None = False,
    ) -> Outcome:
        now, tries = self._errand.clock.now(), job.results[index].tries + 1
        seconds = backoff(tries, self._errand.dice.random()) if wait is None else wait
        kind = f.LinkStale if stale else f.FetchDeferred
        fact = kind(**about(job, now), index=index, until=now + seconds, reason=reason)
        return Outcome((fact,), heard=heard, reason=reason)

    def _parked(self, job: Job, reason: str) -> Outcome:
        return Outcome((f.Parked(**about(job, self._errand.clock.now()), reason=reason),))


def _heard(failed: DownloadFailed) -> bool | None:
    """An address that is refused was answered, so the run goes on asking as long as it lives."""
    return None if failed.kind is FailureKind.STALE else False


def _digest(task_id: str) -> str:
    return hashlib.sha256(task_id.encode()).hexdigest()[:8]
