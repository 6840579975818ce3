"""How much is asked of the service at once: what is told, what is seen, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batchgen.core import facts as f
from batchgen.core.actions import AskLimits, Submit, Survey
from batchgen.core.allowance import Allowance, ServiceLimits
from batchgen.core.allowances import NO_QUEUE
from batchgen.core.batch import Batch
from batchgen.core.cadence import Cadence
from batchgen.core.news import News
from batchgen.core.policy import LaneLimits, Policy
from batchgen.core.roll import Census
from batchgen.core.wishes import difference
from tests.core.histories import wishes

LIMITS = LaneLimits(submits_per_second=5, running=5, poll_seconds=15)


def allowance(*took: float) -> Allowance:
    cadence = Cadence(speed=1, poll_seconds=15)
    for number, seconds in enumerate(took):
        cadence.note(float(number), seconds)
    return Allowance(LIMITS, cadence)


def test_as_many_wait_as_may_find_a_slot_before_their_successors_come():
    """Long renderings want one or two in line, short ones more than there are slots, but none more
    than could be sent meanwhile."""
    assert allowance().in_line == 5, "nobody knows yet"
    assert allowance(300).in_line == 2
    assert allowance(8).in_line == 5
    assert allowance(2).in_line == 16
    assert allowance(0.1).in_line == 30
    assert allowance(300).room(direct=False) == 7
    assert allowance(300).room(direct=True) == 5


def test_what_the_service_tells_replaces_the_catalog():
    """Rate, slots and queue; what it leaves out stays."""
    known = allowance(8)
    known.told(ServiceLimits(submits_per_second=2, running=20, waiting=3))
    assert (known.gap, known.running, known.in_line) == (0.5, 20, 3)
    known.told(ServiceLimits())
    assert (known.gap, known.running) == (0.5, 20)


def test_more_that_render_than_were_thought_possible_raise_the_number():
    """At once, and with it the room."""
    known = allowance(300)
    known.saw(9, None, 0.0)
    assert known.running == 9


def test_fewer_that_render_lower_it_when_others_wait_for_a_while():
    """Not while nobody waits, nor for a moment's sake; and it comes back."""
    known = allowance(30)
    known.saw(2, 0, 0.0)
    known.saw(2, 4, 10.0)
    known.saw(3, 4, 50.0)
    assert known.running == 5
    known.saw(2, 4, 80.0)
    assert known.running == 3
    known.saw(5, 0, 90.0)
    assert known.running == 5


def test_throttled_requests_slow_down_those_that_follow():
    """And each that gets through makes up for a part of it."""
    known = allowance()
    known.throttled()
    assert known.gap == pytest.approx(0.2 / 0.7)
    for _ in range(15):
        known.got_through()
    assert known.gap == pytest.approx(0.2)
    for _ in range(20):
        known.throttled()
    assert known.gap == pytest.approx(4.0)


def test_a_service_that_does_not_queue_gets_no_more_than_it_renders():
    """As many as there were when it refused; when some have got through, one more is tried."""
    known = allowance()
    known.does_not_queue(3)
    assert known.room(direct=False) == 3
    for _ in range(10):
        known.got_through()
    assert known.room(direct=False) == 4
    known.saw(4, None, 0.0)
    for _ in range(10):
        known.got_through()
    assert known.room(direct=False) == 6
    known.does_not_queue(5)
    assert known.room(direct=False) == 5


def test_where_the_answer_is_the_result_as_many_are_in_flight_as_were_when_one_was_refused():
    """Four of five; when some have got through one more is tried, but no more than are allowed."""
    night = Nightly(100, direct=True)
    night.go_on(60)
    assert night.sent == 5
    night.refuse_next = True
    night.answer(1)
    night.go_on(60)
    assert night.sent == 4
    for _ in range(4):
        night.answer(1)
        night.go_on(60)
    assert night.sent == 5
    for _ in range(30):
        night.answer(1)
        night.go_on(60)
    assert night.sent == 5


def test_no_second_has_more_requests_than_it_may_however_long_they_travelled():
    """Five a second: after a slow one among fast ones, the sixth is not answered in its second,
    and nobody counts on a fast one before it is known how fast they are."""
    known = allowance()
    known.answered(100.0, 100.15)
    for number in range(1, 5):
        known.answered(100 + number / 5, 100.02 + number / 5)
    assert known.opens_at(0.0) == pytest.approx(101.15, abs=0.01)
    known = allowance()
    for number in range(16):
        known.answered(90.0 + number / 5, 90.02 + number / 5)
    known.answered(100.0, 100.15)
    for number in range(1, 5):
        known.answered(100 + number / 5, 100.02 + number / 5)
    assert known.opens_at(0.0) == pytest.approx(101.15 - 0.02, abs=0.01)
    assert allowance().opens_at(100.0) == pytest.approx(101), "another run's was the last"


def test_a_request_that_was_late_is_followed_sooner():
    """So the pace is kept, though every one leaves a little after its time; but no two leave
    together."""
    known = allowance()
    for number in range(10):
        known.sent(100 + number / 5 + 0.01 * (number % 3))
    assert known.opens_at(0.0) == pytest.approx(102.02, abs=0.01), "as the latest of five"
    known.sent(110.0)
    assert known.opens_at(0.0) == pytest.approx(110.1)


class Nightly:
    """A batch of one model: its submits are taken at once, or (``direct``) wait for `answer`."""

    def __init__(self, jobs: int, *, direct: bool = False, **changes):
        lanes = {"slow": LIMITS, "fast": LIMITS}
        self.batch = Batch(Policy(lanes=lanes, **changes))
        self.now = 1000.0
        self.direct = direct
        self.asked: list[AskLimits] = []
        self.waiting: list[Submit] = []
        self.refuse_next = False
        wanted = [replace(wish, direct=direct) for wish in wishes(2 * jobs) if wish.model == "slow"]
        for fact in difference(self.batch.standing, wanted, account="a", at=self.now).facts:
            self.batch.after(fact)

    def go_on(self, seconds: float, limits: ServiceLimits | None = None) -> None:
        end = self.now + seconds
        while self.now < end:
            for action in self.batch.decide(self.now).actions:
                if isinstance(action, AskLimits):
                    self.asked.append(action)
                    self.batch.settle(action, self.now, News(limits=limits))
                elif isinstance(action, Submit) and self.refuse_next:
                    self.refuse(action)
                elif isinstance(action, Submit) and self.direct:
                    self.waiting.append(action)
                elif isinstance(action, Submit):
                    says = {"at": self.now, "account": "a", "job": action.job, "attempt": 1}
                    self.batch.after(f.Submitted(**says, task_id=action.job, request_id=None))
                    self.batch.settle(action, self.now)
                elif isinstance(action, Survey):
                    self.batch.settle(action, self.now, News(census=self.census(action)))
                else:
                    self.batch.settle(action, self.now, News(answered=False))
            self.now = max(self.batch.wake_at(self.now), self.now + 1e-6)
        self.now = end

    def refuse(self, action: Submit) -> None:
        """So many are there already."""
        self.refuse_next = False
        says = {"at": self.now, "account": "a", "until": self.now}
        told = {"code": NO_QUEUE, "message": "busy"}
        self.batch.after(f.Deferred(**says, **told, job=action.job, attempt=action.attempt))
        self.batch.after(f.LanePaused(**says, model="slow", reason="busy"))
        self.batch.settle(action, self.now)

    def answer(self, count: int) -> None:
        """The oldest of those that wait for results are told them."""
        for action in self.waiting[:count]:
            said = {"at": self.now, "account": "a", "job": action.job, "attempt": action.attempt}
            empty = ("usage", "submit_time", "scheduled_time", "end_time", "request_id")
            none = dict.fromkeys([*empty, "orig_prompt", "actual_prompt"])
            found = {"results": (f.ResultRef(path="1"),), "expires": self.now + 86400}
            self.batch.after(f.Rendered(**said, **found, **none, cost=1, texts=()))
            self.batch.settle(action, self.now)
        del self.waiting[:count]

    def census(self, action: Survey) -> Census:
        """All that was submitted renders."""
        tasks = frozenset(self.batch.standing.task_ids)
        waiting = frozenset() if action.waiting else None
        return Census(asked_at=self.now, rendering=tasks, waiting=waiting)

    @property
    def sent(self) -> int:
        return self.batch.standing.in_flight


def test_the_service_is_asked_once_for_its_limits_and_believed():
    """One question a model; room for what it tells instead of the catalog's number."""
    night = Nightly(100)
    night.batch.stop_submitting()
    night.go_on(5)
    assert night.asked == [], "nothing is to be bought"
    night = Nightly(100)
    night.go_on(1, ServiceLimits(running=2))
    assert night.asked == [AskLimits("a", "slow")]
    assert night.sent == 4


def test_room_grows_while_everything_renders_that_was_sent():
    """No number is known but a wrong one: the service takes more, and gets more."""
    night = Nightly(100)
    night.go_on(60)
    assert night.sent > 30


def test_a_number_in_the_manifest_is_kept_whatever_is_seen():
    """max_in_flight is the person's."""
    night = Nightly(100, max_in_flight=7)
    night.go_on(60, ServiceLimits(running=50))
    assert night.sent == 7
