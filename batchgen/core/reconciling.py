"""What became of requests whose answers were lost, judged by what the service's task list tells.

Two mistakes cost money. To say "absent" of a task that is there buys it twice; to adopt the task of
somebody else loses ours. Whatever is not clear is therefore waited for, or held for a person.

Rules of this file:

* Only a task that no fact explains is considered: of the lane's model, as far as its name tells,
  not one that an answer has named, and made within the doubt's window (``listing``).
* A task tells its prompt when it has succeeded. One that repeats the prompt of a request in doubt,
  or just being sent, belongs to that one; clearly another prompt, to somebody else; what repeats a
  prompt nearly may be a doubt's, and so that is held. FAILED and CANCELED tasks are not billed,
  which is as good as none. All others have not told yet: they are waited for before a doubt takes
  any, though not so long that a result which is there could expire, and not longer than any task
  takes.
* Requests that share the tasks which may be theirs are a *family*. As many tasks as requests: each
  is given its own, in the order in which they were made, if none seems older than its request.
  Otherwise nobody can say whose they are.
* Where there is nothing to compare (no prompt was sent, or none is repeated) a task is taken only
  if it is the only one, for the only request, surely made after it, and nobody else makes tasks
  with this account.
* No task is taken, and no doubt held for what a list shows, before ``settle`` seconds after the
  loss: the list may not show the right one yet.
* Absence is said after two whole lists, one after another, without a task that may be the one. The
  last is asked for ``settle`` seconds after the first, and after the answer was lost; ``LATE``
  times as long where no later task shows that the list has come past the loss.
* A list is believed only if it shows the tasks that answers have named around that time: else it
  lags behind, and is tried for a while. Not at all if it says of a task of ours that it is older
  than its request, or if the doubt is older than what it tells. And who was sent with another key,
  or to another host, or nobody knows when, may be found on a list by its prompt but is never
  missed there. Such doubts are held, so that every doubt ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.lanes import LaneKey
from batchgen.core.listing import (
    Candidate,
    Listed,
    Look,
    Sought,
    has_come_past,
    is_elsewhere,
    keeps_time,
    reaches,
    window,
)
from batchgen.core.policy import HOUR, RETENTION
from batchgen.core.prompts import repeats, resembles
from batchgen.core.standing import Standing

LAGS = 20
"""Lists in a row that proved nothing after which a doubt is held."""

CALM = 30.0
"""Seconds between two looks, at least, when it is the service that must move."""

LATE = 4
"""How many times ``settle`` a list must be without a task where nothing shows how late it is."""

WITNESSES = 600.0
"""Seconds before a request from which on the list must show what answers have named."""

_TOO_OLD = "it is older than what the service's list tells"
_ELSEWHERE = "it was sent with another key, or to another region: run it with those"
_SUCCEEDED = "SUCCEEDED"
_UNBILLED = frozenset({"FAILED", "CANCELED"})

Verdict = f.SoughtInVain | f.Adopted | f.FoundAbsent | f.Held


@dataclass(frozen=True, slots=True)
class _Task:
    """A task that no fact explains, and what it has told."""

    row: Listed
    ended: bool
    prompt: str | None


@dataclass(frozen=True, slots=True)
class _Family:
    """Requests and tasks, each of which may belong to some of the others.

    ``pairs`` are those of them of which the task does not seem older than the request.
    """

    members: Mapping[str, Sought] = field(default_factory=dict)
    rows: tuple[Listed, ...] = ()
    pairs: frozenset[tuple[str, Listed]] = frozenset()

    def joined(self, other: _Family) -> _Family:
        return _Family(
            {**self.members, **other.members}, self.rows + other.rows, self.pairs | other.pairs
        )

    @property
    def shares(self) -> Mapping[str, Listed]:
        """Each job's task; nothing where nobody can say."""
        jobs = sorted((one.job for one in self.members.values()), key=_since)
        rows = sorted(self.rows, key=lambda row: (row.created, row.task_id))
        shares = {job.id: row for job, row in zip(jobs, rows, strict=False)}
        is_sure = len(jobs) == len(rows) and self.pairs >= shares.items()
        return shares if is_sure else {}


class Reconciliation:
    """One look at the list of a lane's tasks, and what follows from it for the doubts there.

    ``candidates`` are to be asked for, and ``judge`` then says what their answers prove.
    """

    def __init__(
        self, standing: Standing, lane: LaneKey, look: Look, doubts: Sequence[Sought]
    ) -> None:
        self._standing = standing
        self._policy = standing.policy
        self._lane = standing.lanes[lane]
        self._look = look
        self._doubts = [one for one in doubts if one.job.lost_at <= look.asked_at]
        self._requests: Sequence[Sought] = self._doubts
        self._keeps_time = True
        self._strange: set[str | None] = set()
        """Tasks that were named by answers from elsewhere."""
        self._families: list[_Family] = []
        self._free: list[_Task] = []
        """Tasks that repeat nobody's prompt, or have not told any."""

    @property
    def candidates(self) -> tuple[Listed, ...]:
        """The tasks that no fact explains and that may be a doubt's, each once."""
        rows = {row.task_id: row for row in self._look.rows if self._is_of_lane(row)}
        strange = [row for name, row in rows.items() if name not in self._standing.task_ids]
        return tuple(row for row in strange if any(self._may_be(row, one) for one in self._doubts))

    def judge(
        self, answers: Mapping[str, Candidate], others: Sequence[Sought], *, at: float
    ) -> tuple[Verdict, ...]:
        """A fact for each doubt, but for one that arose after the list was asked for.

        ``answers`` are what the candidates said when they were asked, by task; ``others`` are the
        requests of the lane that are held, or being sent at this moment, which is ``at``.
        """
        self._requests = [*self._doubts, *others]
        self._families, self._free = [], []
        jobs = [job for job in self._standing.jobs.values() if job.lane == self._lane.key]
        self._keeps_time = keeps_time(jobs, self._look)
        self._strange = {job.task_id for job in jobs if is_elsewhere(job, self._look)}
        for row in self.candidates:
            answer = answers.get(row.task_id)
            if answer is None or answer.status not in _UNBILLED:
                self._file(_task_of(row, answer))
        return tuple(self._verdict(doubt, at) for doubt in self._doubts)

    # -- whose a task may be -------------------------------------------------------------------

    def _is_of_lane(self, row: Listed) -> bool:
        """The list was asked for by model, but may spell it in its own way: with a date, a prefix.

        A name that has nothing to do with it is another model's.
        """
        theirs, ours = map(_plain, (row.model, self._lane.model))
        return theirs in ours or ours in theirs

    def _may_be(self, row: Listed, sought: Sought) -> bool:
        return row in window(sought.job, self._look, self._policy)

    def _follows(self, row: Listed, sought: Sought) -> bool | None:
        return window(sought.job, self._look, self._policy).follows(row)

    def _file(self, task: _Task) -> None:
        """With the requests whose prompt it repeats, and with all who share their tasks."""
        owners = {one.job.id: one for one in self._requests if self._is_repeated(one, task)}
        if not owners:
            self._free.append(task)
            return
        younger = [one for one in owners.values() if self._follows(task.row, one) is not False]
        pairs = frozenset((one.job.id, task.row) for one in younger)
        family = _Family(owners, (task.row,), pairs)
        for known in [one for one in self._families if one.members.keys() & owners.keys()]:
            self._families.remove(known)
            family = family.joined(known)
        self._families.append(family)

    def _is_repeated(self, sought: Sought, task: _Task) -> bool:
        if not sought.prompt or not task.prompt or not self._may_be(task.row, sought):
            return False
        return repeats(task.prompt, sought.prompt, sought.limit)

    def _family(self, job: Job) -> _Family | None:
        return next((family for family in self._families if job.id in family.members), None)

    def _open_to(self, sought: Sought, tasks: Iterable[_Task]) -> list[_Task]:
        return [task for task in tasks if self._may_be(task.row, sought)]

    def _rivals(self, doubt: Sought, tasks: Iterable[_Task]) -> list[Sought]:
        """Whose these tasks may be as well, as far as they have not found their own."""
        served = {name for family in self._families for name in family.shares}
        others = [one for one in self._requests if one.job.id not in {doubt.job.id, *served}]
        return [one for one in others if self._open_to(one, tasks)]

    # -- what follows --------------------------------------------------------------------------

    def _verdict(self, doubt: Sought, at: float) -> Verdict:
        job = doubt.job
        if reaches(job, self._look, self._policy) is False:
            return _held(job, at, _TOO_OLD)
        if not self._keeps_time:
            return _held(job, at, "the times on the service's list cannot be right")
        if (family := self._family(job)) is not None:
            return self._shared(job, family, at)
        tasks = self._open_to(doubt, self._free)
        if doubt.prompt is None:
            return self._unmarked(doubt, tasks, at)
        if not all(task.ended for task in tasks):
            return self._wait(job, at)
        if any(task.prompt and resembles(task.prompt, doubt.prompt) for task in tasks):
            held = _held(job, at, "a task on the service's list has nearly its prompt")
            return self._too_early(job, at) or held
        return self._unmarked(doubt, [task for task in tasks if task.prompt is None], at)

    def _shared(self, job: Job, family: _Family, at: float) -> Verdict:
        """Some tasks repeat its prompt."""
        members = family.members.values()
        untold = any(not task.ended for one in members for task in self._open_to(one, self._free))
        if untold and not self._is_late(job):
            return self._wait(job, at)
        if early := self._too_early(job, at):
            return early
        if (task := family.shares.get(job.id)) is not None:
            return _adopted(job, task, at)
        tasks, requests = len(family.rows), len(family.members)
        if tasks == requests:
            return _held(job, at, "a task with its prompt may have been made before its request")
        return _held(job, at, f"requests in doubt with its prompt: {requests}, tasks: {tasks}")

    def _unmarked(self, doubt: Sought, tasks: Sequence[_Task], at: float) -> Verdict:
        """No prompt could say whose these tasks are."""
        if not tasks:
            return self._absent(doubt.job, at)
        if early := self._too_early(doubt.job, at):
            return early
        if self._is_only_its(doubt, tasks):
            return _adopted(doubt.job, tasks[0].row, at)
        return _held(doubt.job, at, "no prompt tells whether a task on the service's list is its")

    def _is_only_its(self, doubt: Sought, tasks: Sequence[_Task]) -> bool:
        """Nobody else can have made its only task."""
        if not self._policy.exclusive_account or self._beyond(doubt.job):
            return False
        is_only = len(tasks) == 1 and not self._rivals(doubt, tasks)
        return is_only and self._follows(tasks[0].row, doubt) is True

    def _absent(self, job: Job, at: float) -> Verdict:
        """No task can be the one, if the list may be believed."""
        if beyond := self._beyond(job):
            return self._unsettled(job, at) or _held(job, at, beyond)
        if unbelieved := self._unbelieved(job, at):
            return unbelieved
        since = at if job.absent_since is None else job.absent_since
        settle, begin = self._policy.settle, max(since, job.lost_at)
        settled = job.absent_since is not None and self._look.asked_at >= begin + settle
        if settled and not has_come_past(job, self._look, self._policy):
            settle *= LATE
        sure_at = begin + settle
        if settled and self._look.asked_at >= sure_at:
            return f.FoundAbsent(**_about(job, at), reason="the service made no task of it")
        reason = "the service's list has no task of it yet"
        return f.SoughtInVain(**_about(job, at), until=sure_at, absent=True, reason=reason)

    def _beyond(self, job: Job) -> str | None:
        """Why its task may be there without being on this list."""
        if is_elsewhere(job, self._look):
            return _ELSEWHERE
        return None if reaches(job, self._look, self._policy) else _TOO_OLD

    def _too_early(self, job: Job, at: float) -> Verdict | None:
        """What the list shows says nothing yet."""
        return self._unsettled(job, at) or self._unbelieved(job, at)

    def _unsettled(self, job: Job, at: float) -> Verdict | None:
        """The list may not show yet what was made of the request."""
        settled_at = job.lost_at + self._policy.settle
        if self._look.asked_at >= settled_at:
            return None
        reason = "the service's list may not show all of it yet"
        return f.SoughtInVain(**_about(job, at), until=settled_at, absent=False, reason=reason)

    def _unbelieved(self, job: Job, at: float) -> Verdict | None:
        """The list does not show what it should."""
        if not self._is_behind(job):
            return None
        if is_elsewhere(job, self._look):
            return _held(job, at, _ELSEWHERE)
        if job.blind_searches + 1 >= LAGS:
            return _held(job, at, "the service's list does not show the tasks it should")
        return f.SoughtInVain(
            **_about(job, at),
            until=at + max(self._policy.settle, CALM),
            absent=False,
            blind=True,
            reason="the service's list lags behind",
        )

    def _wait(self, job: Job, at: float) -> Verdict:
        if self._waited(job) > self._policy.stuck_after:
            return _held(job, at, "a task that may be its has not told its prompt for hours")
        pace = max(CALM / self._policy.service_speed, 1.0)
        reason = "a task that may be its has not told its prompt yet"
        return f.SoughtInVain(**_about(job, at), until=at + pace, absent=False, reason=reason)

    def _is_late(self, job: Job) -> bool:
        """Who waits any longer for others to tell may lose a result that is there."""
        return self._waited(job) > HOUR

    def _waited(self, job: Job) -> float:
        return (self._look.asked_at - job.lost_at) * self._policy.service_speed

    def _is_behind(self, job: Job) -> bool:
        """A task is missing that an answer has named before the doubt, or as the first after it.

        Those after that may be missing: a list that shows what was made later has come past it.
        """
        oldest = self._look.asked_at - (RETENTION - HOUR) / self._policy.service_speed
        since = max(job.started_at - WITNESSES, oldest)
        before = self._named(job, since, job.lost_at)
        after = self._named(job, job.lost_at, self._look.asked_at)
        shown = {row.task_id for row in self._look.rows}
        return not shown.issuperset([*before, *islice(after, 1)])

    def _named(self, job: Job, since: float, until: float) -> Iterator[str]:
        """The tasks that answers have named between these moments, and that the list has if it has
        the job's.
        """
        absent = set() if is_elsewhere(job, self._look) else self._strange
        named = self._lane.named(since, until)
        return (task_id for task_id in named if task_id not in absent)


def _task_of(row: Listed, answer: Candidate | None) -> _Task:
    ended = answer is not None and answer.status == _SUCCEEDED
    return _Task(row, ended, (answer.orig_prompt or None) if answer and ended else None)


def _held(job: Job, at: float, reason: str) -> f.Held:
    return f.Held(**_about(job, at), reason=reason)


def _adopted(job: Job, task: Listed, at: float) -> f.Adopted:
    return f.Adopted(**_about(job, at), task_id=task.task_id, request_id=task.request_id)


def _about(job: Job, at: float) -> dict[str, Any]:
    return {"at": at, "account": job.account, "job": job.id, "attempt": job.attempt}


def _since(job: Job) -> tuple[float, int]:
    return job.started_at, job.order


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
