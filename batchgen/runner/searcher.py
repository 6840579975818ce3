"""Looks for tasks whose answers were lost: asks the service's list, and each task on it that could
be one.

Rules of this file:

* Nothing is judged here, only asked (see ``core.reconciling``). What is asked is a whole list: all
  its pages, and as many different tasks as its first page counted. A part of a list says of no task
  that it is not there.
* Questions leave one after another, each in its turn among all others of the account. There are at
  most ``MAX_PAGES`` pages and ``MAX_CANDIDATES`` tasks to a search: where so many are made by
  others, a person finds out sooner.
* A list that cannot be had is asked for a few times more, each time later; then its doubts are
  held, so that a run has an end. A key that is refused settles nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from batchgen.catalog import Model
from batchgen.catalog.keys import Text
from batchgen.core import facts as f
from batchgen.core.actions import Search, Submit
from batchgen.core.batch import Batch
from batchgen.core.job import Job
from batchgen.core.lanes import LaneKey
from batchgen.core.listing import Candidate, Listed, Look, Sought
from batchgen.core.news import News
from batchgen.core.policy import backoff
from batchgen.core.reconciling import Reconciliation
from batchgen.dashscope.answers import ListedTask, NoAnswer, Task
from batchgen.dashscope.client import Service
from batchgen.dashscope.refusals import RefusalKind
from batchgen.runner.errand import Errand
from batchgen.runner.outcome import Outcome, about
from batchgen.runner.pages import Pages
from batchgen.runner.poller import key_refused
from batchgen.runner.prompts import repeated_prompt
from batchgen.runner.turns import Turns

MAX_PAGES = 100
MAX_CANDIDATES = 200

FEW = 6
"""Searches in a row that the service may answer without a list that can be used."""

MANY = 20
"""Searches in a row that may come to nothing because it is too busy, or silent."""


class Searcher:
    """Turns the doubts of one account and model into facts."""

    def __init__(self, errand: Errand, service: Service, batch: Batch) -> None:
        self._errand = errand
        self._service = service
        self._batch = batch

    async def search(self, action: Search) -> Outcome:
        """One look at the list of the lane's tasks."""
        lane, model = (action.account, action.model), self._errand.catalog.find(action.model)
        doubts = self._batch.doubts(*lane)
        if model is None:
            return self._held(doubts, f"the catalog no longer has {action.model}")
        turns = Turns(self._batch.queries, self._errand.clock)
        inquiry = _Inquiry(self._service, model, turns)
        return await self._search(lane, model, doubts, inquiry)

    async def _search(
        self, lane: LaneKey, model: Model, doubts: Sequence[Job], inquiry: _Inquiry
    ) -> Outcome:
        asked_at = self._errand.clock.now()
        rows = await inquiry.rows()
        if isinstance(rows, NoAnswer):
            return self._after_no_answer(lane, doubts, rows)
        look = Look(
            rows=rows,
            asked_at=asked_at,
            service_now=inquiry.service_time,
            endpoint=self._service.endpoint,
        )
        sought = [self._sought(job, model) for job in doubts]
        reconciliation = Reconciliation(self._batch.standing, lane, look, sought)
        answers = await inquiry.answers(reconciliation.candidates)
        if isinstance(answers, NoAnswer):
            return self._after_no_answer(lane, doubts, answers)
        others = [self._sought(job, model) for job in self._others(lane, doubts)]
        facts = reconciliation.judge(answers, others, at=self._errand.clock.now())
        return Outcome(facts, heard=True)

    def _sought(self, job: Job, model: Model) -> Sought:
        prompt, key = repeated_prompt(model, self._errand.request(job)), model.keys.get("prompt")
        limit = key.max_length if isinstance(key, Text) else None
        return Sought(job=job, prompt=prompt, limit=limit)

    def _others(self, lane: LaneKey, doubts: Sequence[Job]) -> Iterator[Job]:
        """Requests of the lane that are held, or being sent at this moment."""
        standing = self._batch.standing
        sent = {action.job for action in self._batch.under_way if isinstance(action, Submit)}
        for name in sorted((standing.in_doubt | sent) - {job.id for job in doubts}):
            job = standing.jobs[name]
            if job.lane == lane and not job.direct:
                yield job

    def _after_no_answer(self, lane: LaneKey, doubts: Sequence[Job], answer: NoAnswer) -> Outcome:
        now = self._errand.clock.now()
        if answer.kind is RefusalKind.ACCOUNT:
            return key_refused(lane[0], answer, now)
        tries = 1 + max((job.blind_searches for job in doubts), default=0)
        reason = f"the service's list of tasks could not be used: {answer.reason}"
        patient = answer.throttled or not answer.heard
        if tries >= (MANY if patient else FEW):
            return self._held(doubts, reason)
        until = now + backoff(tries, self._errand.dice.random(), hint=answer.retry_after)
        facts = tuple(
            f.SoughtInVain(**about(job, now), until=until, absent=False, blind=True, reason=reason)
            for job in doubts
        )
        news = News(answered=False, wait_until=until if answer.throttled else None)
        return Outcome(facts, heard=answer.heard, reason=answer.reason, news=news)

    def _held(self, doubts: Iterable[Job], reason: str) -> Outcome:
        now = self._errand.clock.now()
        return Outcome(tuple(f.Held(**about(job, now), reason=reason) for job in doubts))


class _Inquiry:
    """The questions of one search."""

    def __init__(self, service: Service, model: Model, turns: Turns) -> None:
        self._service = service
        self._model = model
        self._turns = turns
        self.service_time: float | None = None
        """When the first page of the list was made, by the service's clock."""

    async def rows(self) -> tuple[Listed, ...] | NoAnswer:
        """The whole list, each task once."""
        found = await Pages(self._service, self._model, self._turns).read(most=MAX_PAGES)
        if isinstance(found, NoAnswer):
            return found
        if not found.whole:
            return _useless(f"it has {found.total} tasks of {self._model.name}")
        if len(found.rows) < found.total:
            return _useless(f"it counts {found.total} tasks, and names {len(found.rows)}")
        self.service_time = found.service_time
        return tuple(map(_listed, found.rows))

    async def answers(self, possible: Sequence[Listed]) -> dict[str, Candidate] | NoAnswer:
        """What each of the tasks says; one that gives no answer is left out."""
        if len(possible) > MAX_CANDIDATES:
            return _useless(f"{len(possible)} tasks on it could be the one")
        found = {}
        for listed in possible:
            await self._turns.wait()
            match await self._service.task(listed.task_id, self._model.result_shape):
                case Task(status=status, orig_prompt=prompt):
                    found[listed.task_id] = Candidate(
                        task_id=listed.task_id, status=status, orig_prompt=prompt
                    )
                case NoAnswer() as none if none.throttled or none.kind is RefusalKind.ACCOUNT:
                    return none
        return found


def _useless(reason: str) -> NoAnswer:
    return NoAnswer(reason, heard=True)


def _listed(row: ListedTask) -> Listed:
    return Listed(
        task_id=row.task_id, model=row.model, created=row.created, request_id=row.request_id
    )
