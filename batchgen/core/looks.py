"""Which tasks are looked at next, and how: each by a question of its own, or many on the list.

Rules of this file:

* A task at the service is in one of two *groups* of its lane, by the moment of its next look: those
  that are known to render, and those that wait, or of which nobody knows. Where more tasks of a
  group want a look than the list has pages, the list is asked (``Survey``), else the first of them
  (``Poll``). What the list tells moves the next look; where it tells nothing, the task is asked.
* Only a question about the task itself ends a job. So a task that the list shows no longer, and one
  whose URL went stale, wants one. A task that the list shows to be rendering for longer than any
  before is asked for itself now and then; one of which no answer tells, ever more seldom.
* The list of who waits is asked before that of who renders: a task that changes over in between is
  on both.
* Who has waited longest comes first. A question leaves as often as the rate of the account allows
  (``queries``), and only so many wait for their answers at once. When a task is looked at next is
  said by ``cadence``, what the list is worth by ``roll``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from batchgen.core import facts as f
from batchgen.core.actions import Poll, Survey
from batchgen.core.agenda import Agenda
from batchgen.core.cadence import RARELY, Cadences
from batchgen.core.job import Job
from batchgen.core.lanes import LaneKey
from batchgen.core.lifecycle import State
from batchgen.core.news import News
from batchgen.core.policy import LONGEST_PAUSE, OVERDUE
from batchgen.core.queries import Queries
from batchgen.core.roll import LAG_BORNE, Census, Roll
from batchgen.core.standing import Standing

Group = tuple[LaneKey, bool]
"""The tasks of a lane that are known to render (True), and its other ones."""

LIST_PATIENCE = 5.0
"""Seconds for which looks at tasks wait for a list that is being read."""


class Looks:
    """The tasks that are to be looked at, and those that were looked at for too long."""

    def __init__(self, standing: Standing, queries: Queries, cadences: Cadences) -> None:
        self._standing = standing
        self._policy = standing.policy
        self._queries = queries
        self._cadences = cadences
        self._own: Agenda[str] = Agenda()
        """Who wants a question of its own, by the moment."""
        self._due: defaultdict[Group, Agenda[str]] = defaultdict(Agenda)
        """By the moment of the next look."""
        self._groups: Agenda[Group] = Agenda()
        """By the moment of the first of these."""
        self._rolls: dict[LaneKey, Roll] = {}
        self._polled: set[Poll] = set()
        self._surveyed: dict[LaneKey, float] = {}
        """The lanes whose list is being read, and since when."""
        self._missed: set[str] = set()
        """Who is asked because the list shows it no longer."""
        self._unclear: Counter[str] = Counter()
        """How many questions in a row have brought nothing about the task."""
        self._asked_at: dict[str, float] = {}
        """When the task itself was asked last."""
        self._seen_rendering: dict[str, None] = {}
        """Who was first seen to render on the list, until that is a fact."""
        self._began = 0.0
        self.stuck: set[str] = set()

    def __bool__(self) -> bool:
        """Somebody is to be looked at, now or later, if queries are wanted at all."""
        return bool(self._own or self._groups) and self._queries.wanted

    # -- tasks ---------------------------------------------------------------------------------

    def put(self, job: Job, fact: f.Fact) -> None:
        """A task is made, or renders; who was found, or is taken up again, need not wait."""
        if isinstance(fact, f.Adopted) or not job.at_service:
            self._own.put(job.id, 0.0)
        else:
            self._put(job, fact.at + self._pause(job, fact.at))

    def put_stale(self, job: Job) -> None:
        """A result's URL leads nowhere: the task is asked for another, unless it is just now."""
        if job.stale_until is not None and Poll(job.id, job.attempt) not in self._polled:
            self._own.put(job.id, job.stale_until)

    def drop(self, name: str, lane: LaneKey) -> None:
        """The task is looked at no longer, or filed anew."""
        self._own.drop(name)
        for renders in (True, False):
            if name in self._due[lane, renders]:
                self._due[lane, renders].drop(name)
                self._file((lane, renders))
        self._unclear.pop(name, None)
        self._seen_rendering.pop(name, None)
        self.stuck.discard(name)

    def note_end(self, job: Job, fact: f.Fact, *, learns: bool) -> None:
        """The task has ended, or whatever else is said by the fact."""
        self._asked_at.pop(job.id, None)
        if learns:
            self._cadences[job.lane].note(fact.at, self._took(job, fact))

    def start_run(self, now: float) -> None:
        """Let nobody wait longer than a pause can be, whatever the clock has done meanwhile."""
        self._began = now
        latest = now + LONGEST_PAUSE
        self._own.clamp(latest)
        # In an order of its own: which lane came first must not hang on how the log was read.
        for group in sorted(self._due):
            self._due[group].clamp(latest)
            self._file(group)

    # -- news ----------------------------------------------------------------------------------

    def settle(self, action: Poll, now: float, news: News) -> None:
        """A look is over, and its facts are taken in: look again, unless it saw an end."""
        self._polled.discard(action)
        job = self._standing.jobs[action.job]
        unseen = job.state is State.RENDERING
        if news.unclear:
            self._unclear[job.id] += 1
        elif news.answered:
            self._unclear.pop(job.id, None)
            self._judge_list(job, now, news, ended=not unseen)
        unseen = unseen or (job.state is State.READY and job.stale_until is not None)
        if not unseen or self._is_filed(job):
            return
        if self._has_lasted_too_long(job, now):
            self.stuck.add(job.id)
            self._missed.discard(job.id)
        elif job.id in self._missed or job.rendered:
            self._own.put(job.id, now + self._pause_after(job, now))
        else:
            self._put(job, now + self._pause_after(job, now))

    def is_unclear(self, name: str) -> bool:
        """The last question about the task has brought nothing."""
        return name in self._unclear

    def settle_survey(self, action: Survey, now: float, news: News) -> None:
        """A look at the list is over."""
        lane, roll = (action.account, action.model), self._roll((action.account, action.model))
        del self._surveyed[lane]
        if news.census is not None:
            self._see(lane, roll, news.census, now)
        elif news.answered:  # it is refused
            roll.ban(now)
        else:
            roll.miss(now)
        cadence = self._cadences[lane]
        roll.rested_at[True] = now + cadence.rest(roll.pages[True], now)
        if action.waiting:
            roll.rested_at[False] = now + cadence.waiting_rest(self._pages(action), now)
        for renders in (True, False):
            self._file((lane, renders))

    def newly_rendering(self) -> list[str]:
        """Who was seen on the list to render, and has no fact that says so."""
        names = list(self._seen_rendering)
        self._seen_rendering.clear()
        return names

    # -- decisions -----------------------------------------------------------------------------

    def begin(self, now: float) -> Iterator[Poll | Survey]:
        """As many as the query rate allows now; ``next_at`` says when the next is due."""
        while (moment := self.next_at) is not None and moment <= now:
            if (action := self._next(now)) is not None:
                self._queries.turn(now)
                yield action

    @property
    def next_at(self) -> float | None:
        """When the next look may be taken; None while none is wanted, or too many are under way."""
        moments = [self._own.first_key(), self._groups.first_key()]
        due = min((moment for moment in moments if moment is not None), default=None)
        if due is None or not self._queries.wanted:
            return None
        if len(self._polled) + len(self._surveyed) >= self._policy.queries_in_flight:
            return None
        return max(due, self._queries.free_at)

    def _next(self, now: float) -> Poll | Survey | None:
        first, others = self._own.first_key(), self._groups.first_key()
        if others is None or (first is not None and first <= others):
            return self._poll(self._own.pop(), now)
        group = self._groups.pop()
        (account, model), renders = group
        list_at = self._list_at(group, now)
        if list_at is None:
            name = self._due[group].pop()
            self._file(group)
            return self._poll(name, now)
        if list_at > now:
            self._groups.put(group, list_at)
            return None
        self._surveyed[account, model] = now
        self._file(group)
        return Survey(account, model, waiting=not renders)

    def _poll(self, name: str, now: float) -> Poll:
        poll = Poll(name, self._standing.jobs[name].attempt)
        self._polled.add(poll)
        if not self._standing.jobs[name].rendered:
            self._asked_at[name] = now
        return poll

    def _pages(self, action: Survey) -> int:
        """How many pages the list had when it was read last."""
        pages = self._roll((action.account, action.model)).pages
        return pages[True] + action.waiting * pages[False]

    def _list_at(self, group: Group, now: float) -> float | None:
        """When the group's next look should be one at the list, or what is being read of it should
        be there; None: rather ask about a task itself, now.
        """
        lane, renders = group
        if lane in self._surveyed:
            there = self._surveyed[lane] + LIST_PATIENCE / self._policy.service_speed
            return there if there > now else None
        roll = self._roll(lane)
        pages = roll.pages[renders] + (0 if renders else roll.pages[True])
        soon = max(roll.rested_at[renders], now + self._cadences[lane].rest(pages, now))
        if not roll.is_usable(now) or self._due[group].count_until(soon, most=pages + 1) <= pages:
            return None  # the list would cost more questions than the tasks themselves
        return roll.rested_at[renders]

    # -- the list ------------------------------------------------------------------------------

    def _see(self, lane: LaneKey, roll: Roll, census: Census, now: float) -> None:
        roll.misses = 0
        roll.pages[True] = census.rendering_pages
        if census.waiting is not None:
            roll.pages[False] = census.waiting_pages
        if not census.whole:
            roll.ban(now)
            return
        names = [*self._due[lane, True], *self._due[lane, False]]
        jobs = [job for job in self._jobs(names) if job.submitted_at < census.asked_at]
        untold = [job for job in jobs if not self._tell(job, roll, census, now)]
        self._doubt_one(jobs, roll, now)
        shown = census.rendering | (census.waiting or frozenset())
        youngest = max((job.submitted_at for job in jobs if job.task_id in shown), default=0.0)
        lag = LAG_BORNE / self._policy.service_speed
        old = {job.id for job in untold if now - job.submitted_at > lag}
        # What was made before this run may have ended before it, and be missing rightly.
        own = [job for job in jobs if job.submitted_at >= self._began]
        if 2 * sum(job.id in old for job in own) > len(own):
            roll.ban(now)
        for job in untold:
            if job.submitted_at < youngest:  # the list has come past it
                self._missed.add(job.id)
            at_once = job.id in old or job.id in self._missed
            self._ask_itself(job, now if at_once else now + self._pause(job, now))

    def _tell(self, job: Job, roll: Roll, census: Census, now: float) -> bool:
        """Draw the conclusions for one task; whether there were any, or none were to be drawn."""
        task_id = job.task_id or ""
        if task_id in census.rendering:
            roll.seen[job.id] = census.asked_at
            if job.running_since is None:
                self._seen_rendering[job.id] = None  # the fact that says so puts it in its place
            else:
                self._put(job, now + self._pause(job, now))
        elif census.waiting is not None and task_id in census.waiting:
            roll.seen[job.id] = census.asked_at
            self._put(job, now + self._pause(job, now))
        elif task_id in census.ended or self._is_missed(job, roll, census):
            self._missed.add(job.id)
            self._ask_itself(job, now)
        else:
            return census.waiting is None and job.running_since is None
        return True

    def _judge_list(self, job: Job, now: float, news: News, *, ended: bool) -> None:
        """The task itself has said whether the list was right, and how late it was."""
        roll, missed = self._roll(job.lane), job.id in self._missed
        if missed or (ended and job.id in roll.seen):
            roll.judge(right=ended, lag=self._lag(roll.seen.get(job.id), news, now), now=now)
        self._missed.discard(job.id)
        roll.seen.pop(job.id, None)

    def _is_missed(self, job: Job, roll: Roll, census: Census) -> bool:
        """It was there alive, and is no longer where it should be."""
        should_be = census.waiting is not None or job.running_since is not None
        return should_be and job.id in roll.seen

    def _doubt_one(self, jobs: Iterable[Job], roll: Roll, now: float) -> None:
        """Ask the task itself that the list has shown to render for longest."""
        shown = [job for job in jobs if job.id in roll.seen and job.id not in self._missed]
        longest = min(shown, key=lambda job: self._asked_at.setdefault(job.id, now), default=None)
        if longest and now - self._asked_at[longest.id] > self._cadences[longest.lane].patience:
            self._ask_itself(longest, now)

    # -- places --------------------------------------------------------------------------------

    def _ask_itself(self, job: Job, at: float) -> None:
        self.drop(job.id, job.lane)
        self._own.put(job.id, at)

    def _jobs(self, names: Iterable[str]) -> list[Job]:
        return [self._standing.jobs[name] for name in names]

    def _put(self, job: Job, moment: float) -> None:
        group = (job.lane, job.running_since is not None)
        self._due[group].put(job.id, moment)
        self._file(group)

    def _file(self, group: Group) -> None:
        first = self._due[group].first_key()
        if first is None:
            self._groups.drop(group)
        else:
            self._groups.put(group, first)

    def _is_filed(self, job: Job) -> bool:
        return (
            job.id in self._own
            or job.id in self._due[job.lane, True]
            or job.id in self._due[job.lane, False]
        )

    def _roll(self, lane: LaneKey) -> Roll:
        if lane not in self._rolls:
            self._rolls[lane] = Roll(self._policy.service_speed)
        return self._rolls[lane]

    def _pause(self, job: Job, now: float) -> float:
        cadence = self._cadences[job.lane]
        if job.running_since is None or job.rendered:
            return cadence.waiting_pause(max(now - job.submitted_at, 0.0))
        # What was taken up from another run may have begun to render long before it was seen to.
        unwatched = job.submitted_at < self._began <= job.running_since
        since = job.submitted_at if unwatched else job.running_since
        return cadence.rendering_pause(max(now - since, 0.0))

    def _pause_after(self, job: Job, now: float) -> float:
        """Until the next look at a task that was just asked about."""
        pause = self._pause(job, now)
        # Not long: it may be the service that is out of order, for a while.
        most = max(pause, RARELY / self._policy.service_speed)
        return min(pause * 2.0 ** min(self._unclear[job.id], 10), most)

    def _took(self, job: Job, fact: f.Fact) -> float | None:
        """Seconds for which the task was rendered, best by what the service says of it."""
        if not isinstance(fact, f.Rendered):
            return None
        if fact.end_time is not None and fact.scheduled_time is not None:
            return (fact.end_time - fact.scheduled_time) / self._policy.service_speed
        return None if job.running_since is None else fact.at - job.running_since

    def _lag(self, shown_at: float | None, news: News, now: float) -> float | None:
        """For how long after its end the list has shown a task alive; less than 0: not at all."""
        if shown_at is None or news.lateness is None:
            return None
        return shown_at - (now - news.lateness / self._policy.service_speed)

    def _has_lasted_too_long(self, job: Job, now: float) -> bool:
        """Seen running, or in the queue, for longer than the service itself allows."""
        if job.rendered:
            return now > job.expires + OVERDUE
        speed, running = self._policy.service_speed, now - (job.running_since or now)
        waited = now - job.submitted_at
        too_long = running * speed > self._policy.stuck_after
        return too_long or waited * speed > self._policy.gone_after
