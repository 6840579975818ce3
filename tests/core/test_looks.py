"""Many tasks, one query rate: who is looked at when, and what the list saves."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import pairwise

import pytest

from batchgen.core import facts as f
from batchgen.core.actions import Poll, Search, Survey
from batchgen.core.batch import Batch
from batchgen.core.news import NOTHING, News
from batchgen.core.policy import LaneLimits, Policy
from batchgen.core.roll import Census, Roll

MANY = 10_000
RATE = 15.0
SPACING = 1 / (0.95 * RATE)
LANES = {"m": LaneLimits(submits_per_second=1, running=MANY, poll_seconds=15)}


def rendering(count: int) -> Batch:
    """A batch that a new run takes up, with so many tasks at the service."""
    batch = Batch(Policy(lanes=LANES, queries_per_second=RATE))
    for number in range(count):
        submit(batch, number, float(number))
    batch.after(f.RunStarted(at=float(count), account="a", version="test"))
    return batch


def submit(batch: Batch, number: int, at: float) -> None:
    says = {"at": at, "account": "a", "job": f"job{number}"}
    wanted = {"request": "r", "model": "m", "order": number, "price": 1, "currency": None}
    batch.after(f.Wanted(**says, **wanted, likeness=f"p{number}"))
    batch.after(f.SubmitStarted(**says, attempt=1))
    batch.after(f.Submitted(**says, attempt=1, task_id=f"t{number}", request_id=None))


def looks(batch: Batch, now: float, count: int) -> list[tuple[float, str]]:
    """So many looks at single tasks, each of which sees nothing new; there is no list."""
    taken: list[tuple[float, str]] = []
    while len(taken) < count:
        actions = batch.decide(now).actions
        for action in actions:
            if isinstance(action, Poll):
                taken.append((now, action.job))
            batch.settle(action, now)
        if not actions:
            now = batch.wake_at(now)
    return taken


@pytest.mark.fault(56)
def test_ten_thousand_tasks_have_their_turns_at_the_rate_of_the_account():
    """Nobody is looked at twice before everybody was looked at once, the limit is never passed,
    and no time is lost between two looks, but where the list is tried again."""
    taken = looks(rendering(MANY), float(MANY) + 60, MANY + 500)
    names = [name for _, name in taken]
    assert len(set(names[:MANY])) == MANY
    assert names[MANY:] == names[:500]
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(taken)]
    assert min(gaps) >= SPACING - 1e-6
    assert sorted(gaps)[-10] <= SPACING + 1e-6
    assert max(gaps) <= 3 * SPACING + 1e-6


@pytest.mark.fault(56)
def test_a_decision_costs_by_what_has_changed_and_not_by_the_number_of_tasks():
    """A hundred times the tasks take as many steps for a look, but for the depth of a heap."""

    def calls_for(count: int) -> int:
        batch, calls = rendering(count), 0

        def note(_frame, event, _argument):
            nonlocal calls
            calls += event in {"call", "c_call"}

        looks(batch, float(count) + 60, 50)
        sys.setprofile(note)
        try:
            looks(batch, float(count) + 120, 50)
        finally:
            sys.setprofile(None)
        return calls

    assert calls_for(MANY) < 1.5 * calls_for(MANY // 100)


class Service:
    """Tasks that each render for ``seconds``, ``at_once`` of them, and a list that shows them.

    Of every so manieth task (``mute``) it says nothing any more when it has ended, or (not
    ``heard``) does not answer; ``busy``: so often is the list throttled.
    """

    def __init__(
        self,
        *,
        seconds: float,
        at_once: int,
        lag: float = 0.0,
        hides: float = 0.0,
        mute: int = 0,
        busy: float = 0.0,
        heard: bool = True,
    ):
        self.seconds, self.at_once, self.lag, self.hides = seconds, at_once, lag, hides
        self.mute, self.busy, self.heard = mute, busy, heard
        self.made: dict[str, float] = {}
        self.started: dict[str, float] = {}
        self.asked: Counter[type] = Counter()
        self.pages = 0
        self.since = 0.0
        """From when on it matters how late an end is seen."""
        self.late: list[float] = []

    def submit(self, name: str, now: float) -> None:
        self.made[name] = now
        running = sorted(self.started.values())[-self.at_once :]
        free = running[0] + self.seconds if len(running) == self.at_once else now
        self.started[name] = max(free, now)

    def status(self, name: str, now: float) -> str:
        if now < self.started[name]:
            return "PENDING"
        return "RUNNING" if now < self.started[name] + self.seconds else "SUCCEEDED"

    def census(self, action: Survey, now: float) -> Census:
        at = now - self.lag
        known = [
            name
            for name, made in self.made.items()
            if made <= at and int(name.removeprefix("job")) % 10 >= 10 * self.hides
        ]
        by = {status: [n for n in known if self.status(n, at) == status] for status in STATUSES}
        rendering, waiting = (
            frozenset(f"t{name.removeprefix('job')}" for name in by[status])
            for status in ("RUNNING", "PENDING")
        )
        pages = {True: len(rendering) // 100 + 1, False: len(waiting) // 100 + 1}
        self.pages += pages[True] + action.waiting * pages[False]
        return Census(
            asked_at=now,
            rendering=rendering,
            waiting=waiting if action.waiting else None,
            rendering_pages=pages[True],
            waiting_pages=pages[False],
        )

    def is_mute(self, name: str) -> bool:
        return self.mute > 0 and int(name.removeprefix("job")) % self.mute == 1

    def survey(self, batch: Batch, action: Survey, now: float) -> News:
        if self.asked[Survey] * self.busy % 1 >= 1 - self.busy:
            return News(answered=False, wait_until=now + 1)
        before = self.pages
        census = self.census(action, now)
        for _ in range(self.pages - before - 1):
            batch.queries.turn(now)
        return News(census=census)

    def facts(self, action: Poll, now: float) -> tuple[tuple[f.Fact, ...], News]:
        says = {"at": now, "account": "a", "job": action.job, "attempt": 1}
        status = self.status(action.job, now)
        if status == "SUCCEEDED" and self.is_mute(action.job):
            return (), News(answered=self.heard, unclear=True)
        if status == "RUNNING":
            return (f.RenderingStarted(**says),), NOTHING
        if status == "PENDING":
            return (), NOTHING
        end = self.started[action.job] + self.seconds
        if end >= self.since:
            self.late.append(now - end)
        made = f.Rendered(
            **says,
            results=(f.ResultRef(path="1"),),
            expires=now + 86400,
            usage=None,
            cost=1,
            submit_time=None,
            scheduled_time=self.started[action.job],
            end_time=end,
            request_id=None,
            orig_prompt=None,
            actual_prompt=None,
            texts=(),
        )
        return (made,), News(lateness=now - end)


STATUSES = ("PENDING", "RUNNING", "SUCCEEDED")


def resumed(service: Service, jobs: int, *, age: float, away: float) -> None:
    """A run takes up so many tasks, submitted one after another until ``away`` seconds ago."""
    batch = Batch(Policy(lanes=LANES))
    now = 1000.0 + age + away
    for number in range(jobs):
        at = 1000.0 + age * number / jobs
        submit(batch, number, at)
        service.submit(f"job{number}", at)
    batch.after(f.RunStarted(at=now, account="a", version="test"))
    service.since = now
    night(service, jobs, 1.0, batch, sent=jobs)


def night(
    service: Service, jobs: int, per_second: float, batch: Batch | None = None, sent: int = 0
) -> Batch:
    """So many tasks, submitted at a pace, are looked at until all have ended."""
    batch, now = batch or Batch(Policy(lanes=LANES)), max(service.since, 1000.0)
    while sent < jobs or batch.standing.at_service > sum(map(service.is_mute, service.made)):
        if sent < jobs and now >= 1000 + sent / per_second:
            submit(batch, sent, now)
            service.submit(f"job{sent}", now)
            sent += 1
        for action in batch.decide(now).actions:
            service.asked[type(action)] += 1
            if isinstance(action, Survey):
                batch.settle(action, now, service.survey(batch, action, now))
            elif isinstance(action, Poll):
                facts, news = service.facts(action, now)
                for fact in facts:
                    if not (isinstance(fact, f.RenderingStarted) and running(batch, action)):
                        batch.after(fact)
                batch.settle(action, now, news)
        following = 1000 + sent / per_second if sent < jobs else batch.wake_at(now)
        now = min(max(following, now + 1e-6), batch.wake_at(now))
    return batch


def running(batch: Batch, action: Poll) -> bool:
    return batch.standing.jobs[action.job].running_since is not None


def late(service: Service) -> float:
    """Seconds within which 95 of 100 ends were seen."""
    return sorted(service.late)[int(0.95 * len(service.late))]


@pytest.mark.parametrize(
    ("seconds", "at_once", "per_second"),
    [(2, 5, 2.5), (8, 20, 2.5), (60, 1000, 5), (40, 5, 0.2), (300, 5, 1 / 60)],
)
def test_each_end_is_seen_within_seconds_and_for_few_questions(seconds, at_once, per_second):
    """Short tasks in a crowd, hundreds at once, and a few long ones."""
    service = Service(seconds=seconds, at_once=at_once)
    night(service, 300, per_second)
    crowd = per_second > 1
    assert late(service) <= (3 if crowd else 4)
    assert (service.asked[Poll] + service.pages) / 300 <= (1.5 if crowd else 20)
    assert not crowd or service.asked[Poll] / 300 <= 1.1


@pytest.mark.parametrize(("seconds", "away"), [(900, 60), (400, 60), (300, 200)])
def test_a_run_that_takes_up_hundreds_of_tasks_looks_at_the_list(seconds, away):
    """None of them has ended, some, most: those that have are asked for, and no others; and that
    they are many, and ended long ago, says nothing against the list."""
    service = Service(seconds=seconds, at_once=1000)
    resumed(service, 600, age=300, away=away)
    assert service.asked[Poll] <= 600 * 2
    assert sorted(service.late)[len(service.late) // 2] <= 5


def test_a_backlog_of_our_own_is_no_lag_of_the_list():
    """Hundreds end in one second, and are asked for one after another."""
    service = Service(seconds=100, at_once=1000)
    night(service, 400, 50)
    assert service.asked[Poll] <= 400 * 1.2
    assert service.late[-1] <= 40


def test_a_list_that_lags_behind_is_left_alone():
    """A minute behind, it would cost a minute for every result."""
    service = Service(seconds=30, at_once=40, lag=60)
    night(service, 300, 1.3)
    assert late(service) <= 10
    assert service.asked[Survey] <= 40


def test_a_list_without_our_tasks_costs_no_result_its_time():
    """It shows none of them: each is asked for itself, and the list is hardly asked any more."""
    service = Service(seconds=30, at_once=40, hides=1.0)
    night(service, 300, 1.3)
    assert late(service) <= 10
    assert service.asked[Survey] <= 40


def test_what_the_list_leaves_out_is_asked_for_itself():
    """A part of the tasks is never shown; the others are still seen by the list."""
    service = Service(seconds=30, at_once=40, hides=0.2)
    night(service, 300, 1.3)
    assert late(service) <= 10
    assert service.asked[Poll] / 300 <= 8


@pytest.mark.parametrize("heard", [True, False], ids=["errors", "silence"])
def test_tasks_of_which_nothing_is_said_keep_no_others_waiting(heard):
    """A fifth of all: they are asked ever more seldom, the others as always."""
    service = Service(seconds=60, at_once=1000, mute=5, heard=heard)
    night(service, 500, 2)
    assert late(service) <= 3
    assert service.asked[Poll] <= 400 + 100 * 10


def test_whoever_has_waited_longest_is_asked_first():
    """Nothing is said of hundreds, more than can be asked at this pace: the others are, too."""
    service = Service(seconds=60, at_once=1000, mute=2)
    night(service, 600, 2, Batch(Policy(lanes=LANES, queries_per_second=3)))
    assert len(service.late) == 300, "all that tell of themselves"


def test_a_list_that_is_throttled_now_and_then_is_still_asked():
    """It is the cheapest question where the service is busy."""
    service = Service(seconds=60, at_once=1000, busy=0.2)
    night(service, 300, 5)
    assert late(service) <= 5
    assert service.asked[Poll] <= 300 * 1.2


def test_a_list_that_was_there_may_be_missed_twice():
    """One that never was is left alone at its first miss: the tasks can be asked for themselves."""
    roll = Roll(speed=1.0)
    roll.miss(0.0)
    assert [roll.is_usable(now) for now in (0.0, 59.0, 60.0)] == [False, False, True]
    roll.misses = 0
    roll.miss(60.0)
    roll.miss(61.0)
    assert roll.is_usable(61.0)
    roll.miss(62.0)
    assert not roll.is_usable(62.0)


def test_a_list_that_is_always_throttled_is_given_up_for_a_while():
    """Whatever it is that it cannot do, the tasks themselves can be asked."""
    service = Service(seconds=60, at_once=1000, busy=1.0)
    night(service, 300, 5)
    assert service.asked[Survey] <= 20


def test_an_answer_that_was_lost_is_sought_though_looks_want_every_turn():
    """There is no list of tasks that could be used; other jobs wait for what the search finds."""
    batch, now = rendering(200), 300.0
    submit(batch, 200, now - 10)
    lost = {"at": now, "account": "a", "job": "doubt"}
    wanted = {"request": "r", "model": "m", "order": 201, "price": 1, "currency": None}
    batch.after(f.Wanted(**lost, **wanted, likeness="p"))
    batch.after(f.SubmitStarted(**lost, attempt=1))
    batch.after(f.SubmitLost(**lost, attempt=1, reason="no answer"))
    while now < 302:
        actions = batch.decide(now).actions
        if Search("a", "m") in actions:
            return
        for action in actions:
            batch.settle(action, now)
        now = max(batch.wake_at(now), now + 1e-6)
    pytest.fail("it was not sought")


def test_a_refused_list_is_tried_again_ever_more_seldom():
    """Ten minutes without a list are a handful of questions for it."""
    batch, now, asked = rendering(50), 200.0, 0
    while now < 800:
        for action in batch.decide(now).actions:
            asked += isinstance(action, Survey)
            batch.settle(action, now)
        now = max(batch.wake_at(now), now + 1e-6)
    assert 2 <= asked <= 6
