"""Which results are fetched next: those that die first, as many at once as the policy allows."""

from __future__ import annotations

from collections.abc import Iterator

from batchgen.core.actions import Download
from batchgen.core.agenda import Agenda
from batchgen.core.job import Job
from batchgen.core.results import ResultState
from batchgen.core.standing import Standing


class Fetches:
    """The results that wait at the service, and how long it took to fetch the others."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._ready: Agenda[tuple[str, int]] = Agenda()
        """By the end of their life at the service."""
        self._later: Agenda[tuple[str, int]] = Agenda()
        """By the moment from which they may be tried again."""
        self._under_way: dict[Download, float] = {}
        """When each was begun."""
        self._count = 0
        self._seconds = 0.0

    def __bool__(self) -> bool:
        """Something is to be fetched, now or later."""
        return bool(self._ready or self._later)

    def put(self, job: Job) -> None:
        """What is wanted of a job that was rendered, as far as it is not being fetched."""
        for index, result in enumerate(job.results):
            if result.state is not ResultState.WANTED or result.stale:
                continue
            if Download(job.id, job.attempt, index) in self._under_way:
                continue
            if result.not_before:
                self._later.put((job.id, index), result.not_before)
            else:
                self._ready.put((job.id, index), job.expires)

    def drop(self, job: Job) -> None:
        """Nothing of the job is fetched any more, or it is filed anew."""
        for index in range(len(job.results)):
            self._ready.drop((job.id, index))
            self._later.drop((job.id, index))

    def clamp(self, latest: float) -> None:
        """Let nothing wait beyond this moment."""
        self._later.clamp(latest)

    def begin(self, now: float) -> Iterator[Download]:
        """What is fetched from now on."""
        for key in self._later.due(now):
            self._ready.put(key, self._standing.jobs[key[0]].expires)
        free = self._standing.policy.downloads - len(self._under_way)
        for _ in range(min(free, len(self._ready))):
            name, index = self._ready.pop()
            download = Download(name, self._standing.jobs[name].attempt, index)
            self._under_way[download] = now
            yield download

    def settle(self, action: Download, now: float) -> None:
        """A download is over."""
        self._count += 1
        self._seconds += now - self._under_way.pop(action)

    @property
    def next_at(self) -> float | None:
        """When something may be tried again."""
        return self._later.first_key()

    @property
    def mean_seconds(self) -> float:
        """Of the downloads of this run; 0 before the first has ended."""
        return self._seconds / self._count if self._count else 0.0
