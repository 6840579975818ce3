"""The limits of every lane: what a batch learns of them, and where it asks the service itself."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from batchgen.core import facts as f
from batchgen.core.actions import AskLimits, Survey
from batchgen.core.allowance import Allowance
from batchgen.core.cadence import Cadences
from batchgen.core.lanes import Lane, LaneKey
from batchgen.core.news import News
from batchgen.core.queries import Queries
from batchgen.core.standing import Standing

NO_QUEUE = "Throttling.Concurrency"
"""The code of a refusal for the number of tasks there are (seen in clients of the service only)."""


class Allowances:
    """By lane, made when a lane is first asked about."""

    def __init__(self, standing: Standing, cadences: Cadences, queries: Queries) -> None:
        self._standing = standing
        self._cadences = cadences
        self._queries = queries
        self._known: dict[LaneKey, Allowance] = {}
        self._asked: set[LaneKey] = set()

    def of(self, lane: Lane) -> Allowance:
        """What is known of the limits of a lane."""
        if lane.key not in self._known:
            self._known[lane.key] = Allowance(lane.limits, self._cadences[lane.key])
        return self._known[lane.key]

    def room(self, lane: Lane) -> int:
        """How many tasks of a lane may be in flight, as far as that depends on the lane."""
        return self._standing.policy.max_in_flight or self.of(lane).room(direct=False)

    def running(self, lane: Lane) -> int:
        """How many tasks of a lane render at once."""
        return min(self.of(lane).running, self._standing.policy.max_in_flight or sys.maxsize)

    def learn(self, fact: f.Fact) -> None:
        """What the answers to requests say of the limits."""
        match fact:
            case f.LanePaused(model=str(model)):
                self._of(fact.account, model).throttled()
            case f.SubmitStarted():
                self.of(self._standing.lane(self._standing.jobs[fact.job])).sent(fact.at)
            case f.Submitted() | f.Deferred() | f.Refused() | f.SubmitLost():
                self._learn_of_request(fact)
            case f.Rendered() if (job := self._standing.jobs[fact.job]).direct:
                self.of(self._standing.lane(job)).got_through(direct=True)
            case _:
                pass

    def see(self, action: Survey, news: News, now: float) -> None:
        """What the list shows to render, and to wait, as far as it is of this batch."""
        if news.census is None or not news.census.whole:
            return
        ours, waiting = self._standing.task_ids, news.census.waiting
        self._of(action.account, action.model).saw(
            len(news.census.rendering & ours),
            None if waiting is None else len(waiting & ours),
            now,
        )

    def told(self, action: AskLimits, news: News) -> None:
        """The service was asked for its limits, and may have told them."""
        if news.limits is not None:
            self._of(action.account, action.model).told(news.limits)

    def ask(self, lanes: Iterable[Lane]) -> Iterator[AskLimits]:
        """Ask about each of these lanes, once in a run. It is no question about tasks."""
        for lane in lanes:
            if lane.key not in self._asked and self._queries.wanted:
                self._asked.add(lane.key)
                yield AskLimits(*lane.key)

    def _learn_of_request(self, fact: f.JobFact) -> None:
        lane = self._standing.lane(self._standing.jobs[fact.job])
        allowance = self.of(lane)
        allowance.answered(lane.sent_at, fact.at)
        if isinstance(fact, f.Submitted):
            allowance.got_through()
        elif isinstance(fact, f.Deferred) and fact.code == NO_QUEUE:
            allowance.does_not_queue(lane.in_flight)

    def _of(self, account: str, model: str) -> Allowance:
        return self.of(self._standing.lanes[account, model])
