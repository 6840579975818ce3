"""The hands of a run: which worker takes which action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batchgen.core.actions import (
    Action,
    AskLimits,
    Download,
    JobAction,
    Poll,
    Prepare,
    Seal,
    Search,
    Submit,
    Survey,
)
from batchgen.core.facts import CHECK
from batchgen.core.job import Job
from batchgen.runner.fetcher import Fetcher
from batchgen.runner.inspector import Inspector
from batchgen.runner.outcome import Outcome
from batchgen.runner.poller import Poller
from batchgen.runner.sealer import Sealer
from batchgen.runner.searcher import Searcher
from batchgen.runner.submitter import Submitter
from batchgen.runner.surveyor import Surveyor
from batchgen.runner.uploader import Uploader


@dataclass(frozen=True, slots=True)
class Workers:
    """One for each kind of action, for the ``jobs`` of a batch."""

    jobs: Mapping[str, Job]
    uploader: Uploader
    inspector: Inspector
    submitter: Submitter
    searcher: Searcher
    surveyor: Surveyor
    poller: Poller
    fetcher: Fetcher
    sealer: Sealer

    async def act(self, action: Action) -> Outcome:
        """Do it, once. Raises what its worker raises."""
        match action:
            case Search():
                return await self.searcher.search(action)
            case Survey():
                return await self.surveyor.survey(action)
            case AskLimits():
                return await self.surveyor.ask_limits(action)
            case _:
                return await self._act_for_job(action)

    async def _act_for_job(self, action: JobAction) -> Outcome:
        job = self.jobs[action.job]
        match action:
            case Prepare(need=need) if need.kind == CHECK:
                return await self.inspector.inspect(job, need)
            case Prepare(need=need):
                return await self.uploader.upload(job, need)
            case Submit():
                return await self.submitter.submit(job)
            case Poll():
                return await self.poller.poll(job)
            case Download(index=index):
                return await self.fetcher.fetch(job, index)
            case Seal():
                return await self.sealer.seal(job)
