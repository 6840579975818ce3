"""Asks the service's list which tasks of a lane are alive, and what it allows for the lane.

Rules of this file:

* Nothing is concluded here (see ``core.looks``): what the list says of each task goes to the core
  as it is, by the status that each row names, whatever was asked for.
* Who waits is asked before who renders, so that a task that changes over in between is on both.
* A list that is too long is not read: its tasks are asked about singly. Other errors of the service
  end nothing: the list is left alone for a while, and limits that are not told are not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from batchgen.core.actions import AskLimits, Survey
from batchgen.core.allowance import ServiceLimits
from batchgen.core.news import News
from batchgen.core.queries import Queries
from batchgen.core.roll import Census
from batchgen.dashscope.answers import ListedTask, NoAnswer, TaskStatus
from batchgen.dashscope.client import Service
from batchgen.dashscope.refusals import RefusalKind
from batchgen.runner.errand import Errand
from batchgen.runner.outcome import Outcome
from batchgen.runner.pages import Pages, TaskList
from batchgen.runner.poller import key_refused
from batchgen.runner.throttle import Throttle
from batchgen.runner.turns import Turns

MAX_PAGES = 20
"""Of a list that is read: it is others' tasks that make it so long."""

ENDED = {TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELED}


class Surveyor:
    """Turns looks at the list into news."""

    def __init__(
        self, errand: Errand, service: Service, queries: Queries, throttle: Throttle
    ) -> None:
        self._errand = errand
        self._service = service
        self._queries = queries
        self._throttle = throttle

    async def survey(self, action: Survey) -> Outcome:
        """GET the lists of who waits, if asked for, and of who renders."""
        model = self._errand.catalog.find(action.model)
        if model is None:
            return Outcome()
        asked_at = self._errand.clock.now()
        pages = Pages(self._service, model, Turns(self._queries, self._errand.clock))
        statuses = [TaskStatus.PENDING] * action.waiting + [TaskStatus.RUNNING]
        lists: dict[TaskStatus, TaskList] = {}
        for status in statuses:
            found = await pages.read(status, most=MAX_PAGES)
            if isinstance(found, NoAnswer):
                return self._without_answer(action, found, asked_at)
            lists[status] = found
        self._throttle.is_over()
        return Outcome(heard=True, news=News(census=_census(asked_at, lists)))

    async def ask_limits(self, action: AskLimits) -> Outcome:
        """GET the limits of the lane's model."""
        answer = await self._service.limits(action.model)
        if isinstance(answer, NoAnswer):
            return Outcome()
        return Outcome(
            heard=True,
            news=News(
                limits=ServiceLimits(
                    submits_per_second=answer.per_second,
                    running=answer.running,
                    waiting=answer.waiting,
                )
            ),
        )

    def _without_answer(self, action: Survey, answer: NoAnswer, asked_at: float) -> Outcome:
        now = self._errand.clock.now()
        if answer.kind is RefusalKind.ACCOUNT:
            return key_refused(action.account, answer, now)
        if answer.throttled:
            until = self._throttle.wait_until(answer, asked_at=asked_at)
            return Outcome(heard=True, news=News(answered=False, wait_until=until))
        news = News(answered=answer.heard)
        return Outcome(heard=answer.heard, reason=answer.reason, news=news)


def _census(asked_at: float, lists: Mapping[TaskStatus, TaskList]) -> Census:
    rows = [row for found in lists.values() for row in found.rows]
    waiting = lists.get(TaskStatus.PENDING)
    return Census(
        asked_at=asked_at,
        rendering=_ids(rows, TaskStatus.RUNNING),
        waiting=_ids(rows, TaskStatus.PENDING, TaskStatus.SUSPENDED) if waiting else None,
        ended=_ids(rows, *ENDED),
        rendering_pages=lists[TaskStatus.RUNNING].pages,
        waiting_pages=waiting.pages if waiting else 1,
        whole=all(found.whole for found in lists.values()),
    )


def _ids(rows: Iterable[ListedTask], *statuses: TaskStatus) -> frozenset[str]:
    return frozenset(row.task_id for row in rows if row.status in statuses)
