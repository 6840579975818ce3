"""Fetches one result into the tree: bytes, checked, measured, durable, under its final name."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Mapping

from batchgen.artifacts import NotMedia, Occupied, Part, Tree, result_name
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.policy import OVERDUE, backoff
from batchgen.dashscope.downloads import Downloaded, Downloader, DownloadFailed, FailureKind
from batchgen.journal import LinkKey
from batchgen.runner.errand import Errand
from batchgen.runner.outcome import Outcome, about

MAX_BYTES = 2**30
"""No result is larger: half a minute of 1080P at ten times the bit rate that the service uses."""

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
        self._validators: dict[LinkKey, str | None] = {}

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
        if await part.size() and await self._is_whole(part):  # an earlier run could not publish it
            return await self._publish(job, index, part)
        key = (job.id, job.attempt, index)
        if (url := self._links.get(key)) is None:
            return self._broken(job, index, _UNKNOWN, stale=True, wait=0.0, heard=None)
        answer = await self._download(url, part, key)
        if isinstance(answer, DownloadFailed):
            return self._after_failure(job, index, answer)
        return await self._publish(job, index, part)

    def _name(self, job: Job, index: int, suffix: str) -> str:
        asked = self._errand.request(job).results
        return result_name(job.id, index, max(asked, len(job.results)), suffix)

    async def _is_whole(self, part: Part) -> bool:
        try:
            await part.measure()
        except NotMedia:
            return False
        async with part:
            await part.finish()
        return True

    async def _publish(self, job: Job, index: int, part: Part) -> Outcome:
        try:
            measured = await part.measure()
        except NotMedia as error:
            reason = f"what came is no result: {error.reason}"
            if job.results[index].tries >= MAX_TRIES:  # kept in the parts: it was paid for
                return self._parked(job, f"{reason}; it lies in {part.path}")
            await part.discard()
            return self._broken(job, index, reason)
        try:
            published = await self._tree.publish(part, self._name(job, index, measured.suffix))
        except Occupied as error:
            return self._parked(job, f"{error.message} {error.hint}")
        file = {**measured.as_json(), **published.as_json()}
        saved = f.Saved(**about(job, self._errand.clock.now()), index=index, file=file)
        return Outcome((saved,), heard=True)

    async def _download(self, url: str, part: Part, key: LinkKey) -> Downloaded | DownloadFailed:
        async with part:
            answer = await self._downloader.download(
                url,
                offset=await part.size(),
                validator=self._validators.get(key),
                sink=part.write,
                restart=part.restart,
                max_bytes=MAX_BYTES,
            )
            if isinstance(answer, DownloadFailed):
                self._validators[key] = answer.validator
            else:
                self._validators.pop(key, None)
                await part.finish()
        return answer

    def _after_failure(self, job: Job, index: int, failed: DownloadFailed) -> Outcome:
        """What is paid for is tried for as long as it lives, however long its host is away.

        Afterwards only the service can say that it has gone; if it does not, a person must look.
        """
        overdue = self._errand.clock.now() - job.expires
        if failed.kind is FailureKind.REFUSED or overdue > OVERDUE:
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
