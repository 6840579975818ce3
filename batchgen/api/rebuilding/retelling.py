"""A job's story, told anew from what is still known of it.

Rules of this file:

* A fact that follows is taken as it is, one that cannot follow is left out. Where facts are missing
  before one that is known, the least that must have happened is put in their place, with words
  that say so.
* Nothing that is put in lets a job be bought again: a request of which nobody knows what became
  ends in doubt, and is looked for on the service's list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from batchgen.core import facts as f
from batchgen.core.job import IllegalStep, Job, ResultState
from batchgen.core.lifecycle import State

MISSING = "JournalRebuilt"
"""The code of what nobody knows any more."""

_WORDS = "what came of this request is lost with a part of the journal"
_RENEWED = {
    State.IN_DOUBT,
    State.PARKED,
    State.LOST,
    State.EXPIRED,
    State.CANCELED,
    State.DONE,
    State.PARTIAL,
}


class Retelling:
    """One job and its facts, which are legal one after another."""

    def __init__(self, job: str, account: str) -> None:
        self.job = Job(job, account)
        self.facts: list[f.JobFact] = []

    def __repr__(self) -> str:
        return f"<Retelling of {self.job!r}, {len(self.facts)} facts>"

    def tell(self, fact: f.JobFact) -> None:
        """Take a fact in, with what must have come before it."""
        if isinstance(fact, f.AttemptFact) and self.job.state is not State.NEW:
            for between in self._between(fact):
                self._take(between)
        try:
            self._take(fact)
        except IllegalStep:
            return

    def doubt(self, since: float, now: float, reason: str) -> None:
        """Say that a request may have left, not before ``since``, and that its fate is unknown."""
        if self.job.state is State.FAILED:
            self._take(f.Requeued(**self._says(now), until=now, reason=reason))
        if self.job.state is State.PENDING:
            says = self._says(since, attempt=self.job.attempt + 1)
            self._take(f.SubmitStarted(**says))
        if self.job.state is State.SUBMITTING:
            self._take(f.SubmitLost(**self._says(now), reason=reason))

    def ask_anew(self, now: float) -> None:
        """Say of every result that is not fetched yet that its address is gone."""
        if self.job.state is not State.READY or self.job.task_id is None:
            return
        for index, result in enumerate(self.job.results):
            if result.state is ResultState.WANTED and not result.stale:
                says = self._says(now)
                self._take(f.LinkStale(**says, index=index, until=now, reason=_ADDRESS))

    def _between(self, fact: f.AttemptFact) -> Iterator[f.JobFact]:
        """The least that is missing before a fact; each is taken in before the next is asked."""
        starts = isinstance(fact, f.SubmitStarted)
        if starts and fact.attempt == self.job.attempt:
            # The number is used again: the service had not taken the request.
            yield from self._untaken(fact.at)
            return
        while self.job.attempt < fact.attempt - starts or (
            starts and self.job.attempt < fact.attempt and self.job.state is not State.PENDING
        ):
            if (step := self._towards_the_next(fact.at)) is None:
                return
            yield step

    def _untaken(self, at: float) -> Iterator[f.JobFact]:
        if self.job.state is State.SUBMITTING:
            says = self._says(at)
            yield f.Deferred(**says, until=at, code=MISSING, message=_WORDS)
        elif self.job.state is State.IN_DOUBT:
            yield f.FoundAbsent(**self._says(at), reason=_WORDS)

    def _towards_the_next(self, at: float) -> f.JobFact | None:
        """One step nearer to the next attempt; None where there is none."""
        says, state = self._says(at), self.job.state
        if state is State.PENDING:
            return f.SubmitStarted(**{**says, "attempt": self.job.attempt + 1})
        if state is State.SUBMITTING:
            return f.Refused(**says, code=MISSING, message=_WORDS)
        if state is State.RENDERING:
            return f.TaskFailed(**says, code=MISSING, message=_WORDS)
        if state is State.FAILED:
            return f.Requeued(**says, until=at, reason=_WORDS)
        if state is State.READY:
            return f.Expired(**says, reason=_WORDS)
        return f.Renewed(**says, reason=_WORDS) if state in _RENEWED else None

    def _take(self, fact: f.JobFact) -> None:
        self.job.after(fact)
        self.facts.append(fact)

    def _says(self, at: float, *, attempt: int | None = None) -> dict[str, Any]:
        number = self.job.attempt if attempt is None else attempt
        return {"at": at, "account": self.job.account, "job": self.job.id, "attempt": number}


_ADDRESS = "its address stayed in the damaged journal"
