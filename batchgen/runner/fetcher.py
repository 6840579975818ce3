"""Fetches one result into the tree: bytes, checked, measured, durable, under its final name."""

from __future__ import annotations

from collections.abc import Mapping

from batchgen.artifacts import NotMedia, Occupied, Part, Tree, result_name
from batchgen.core import facts as f
from batchgen.core.lifecycle import Job
from batchgen.core.policy import backoff
from batchgen.dashscope.downloads import Downloaded, Downloader, DownloadFailed, FailureKind
from batchgen.runner.errand import Errand
from batchgen.runner.outcome import LinkKey, Outcome, about

MAX_BYTES = 2**30
"""No result is larger: half a minute of 1080P at ten times the bit rate that the service uses."""

MAX_TRIES = 8
"""Downloads in a row that may break before a person should look; the next run tries again."""


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
        """Download one result. Raises MachineError when the disk refuses."""
        key = (job.id, job.attempt, index)
        count = max(self._errand.request(job).results, len(job.results))
        model = self._errand.model(job)
        suffix = model.suffix if model else ""
        if (url := self._links.get(key)) is None:
            return self._broken(job, index, "its URL is not known any more", stale=True, wait=0.0)
        part = self._tree.part(f"{result_name(job.id, index, count, suffix)}.{job.attempt}")
        answer = await self._download(url, part, key)
        if isinstance(answer, DownloadFailed):
            return self._after_failure(job, index, answer)
        try:
            measured = await part.measure()
        except NotMedia as error:
            await part.discard()
            return self._broken(job, index, f"what came is no result: {error.reason}")
        name = result_name(job.id, index, count, measured.suffix)
        try:
            published = await self._tree.publish(part, name)
        except Occupied as error:
            return self._parked(job, error.message)
        file = {**measured.as_json(), **published.as_json()}
        saved = f.Saved(**about(job, self._errand.clock.now()), index=index, file=file)
        return Outcome((saved,))

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
        match failed.kind:
            case FailureKind.REFUSED:
                return self._parked(job, failed.reason)
            case FailureKind.STALE:
                return self._broken(job, index, failed.reason, stale=True)
            case FailureKind.RETRY:
                return self._broken(job, index, failed.reason)

    def _broken(
        self, job: Job, index: int, reason: str, *, stale: bool = False, wait: float | None = None
    ) -> Outcome:
        tries = job.results[index].tries + 1
        if tries > MAX_TRIES:
            return self._parked(job, f"{tries} downloads in a row broke, the last one: {reason}")
        now = self._errand.clock.now()
        seconds = backoff(tries, self._errand.dice.random()) if wait is None else wait
        kind = f.LinkStale if stale else f.FetchDeferred
        fact = kind(**about(job, now), index=index, until=now + seconds, reason=reason)
        return Outcome((fact,))

    def _parked(self, job: Job, reason: str) -> Outcome:
        return Outcome((f.Parked(**about(job, self._errand.clock.now()), reason=reason),))
