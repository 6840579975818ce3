"""The jobs that are ready to be sent with one account and model, in the order of the manifest.

While the task of a lost answer is sought on the service's list, the jobs that the list could not
tell from it wait. Those behind them do not: the first of a line is the first that may go.
"""

from __future__ import annotations

from collections.abc import Mapping

from batchgen.core.agenda import Agenda
from batchgen.core.job import Job
from batchgen.core.lanes import Lane


class Line:
    """One lane's jobs, by their place in the manifest."""

    def __init__(self, jobs: Mapping[str, Job], lane: Lane) -> None:
        self._jobs = jobs
        self._lane = lane
        self._direct: Agenda[str] = Agenda()
        """Those that make no task."""
        self._unmarked: Agenda[str] = Agenda()
        """Those that have no prompt to tell their task by."""
        self._marked: Agenda[str] = Agenda()
        self._aside: dict[str, set[str]] = {}
        """The marked ones whose likeness is sought, by likeness."""

    def __len__(self) -> int:
        aside = sum(map(len, self._aside.values()))
        return len(self._direct) + len(self._unmarked) + len(self._marked) + aside

    def put(self, job: Job) -> None:
        """Get a job in line."""
        if job.direct:
            self._direct.put(job.id, job.order)
        elif job.likeness:
            self._marked.put(job.id, job.order)
        else:
            self._unmarked.put(job.id, job.order)

    def drop(self, name: str) -> None:
        """Take a job out, wherever it stands."""
        for agenda in (self._direct, self._unmarked, self._marked):
            agenda.drop(name)
        for names in self._aside.values():
            names.discard(name)

    def first(self) -> Job | None:
        """The next that may be sent."""
        names = [agenda.first() for agenda in self._open()]
        jobs = [self._jobs[name] for name in names if name is not None]
        return min(jobs, key=lambda job: job.order, default=None)

    def _open(self) -> list[Agenda[str]]:
        agendas = [self._direct]
        if not self._lane.sought:
            agendas.append(self._unmarked)
        if "" not in self._lane.sought:
            self._sort_out()
            agendas.append(self._marked)
        return agendas

    def _sort_out(self) -> None:
        """Who waited for another of its likeness comes back, who must wait now goes aside."""
        for likeness in [one for one in self._aside if one not in self._lane.sought]:
            for waiting in self._aside.pop(likeness):
                self.put(self._jobs[waiting])
        while (name := self._marked.first()) is not None:
            likeness = self._jobs[name].likeness
            if likeness not in self._lane.sought:
                return
            self._marked.drop(name)
            self._aside.setdefault(likeness, set()).add(name)
