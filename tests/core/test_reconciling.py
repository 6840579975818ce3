"""What a look at the service's list proves: nothing is bought twice, and no task taken twice."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from batchgen.core.listing import Candidate, Listed, Look, Sought
from batchgen.core.policy import HOUR, LaneLimits, Policy
from batchgen.core.reconciling import LAGS, Reconciliation
from batchgen.core.standing import Standing

LANE = ("a", "m")
LANES = {"m": LaneLimits(submits_per_second=1, max_in_flight=99, poll_seconds=15)}
SETTLE = 30.0
NOON = 1_000_000.0
FOX = "A red fox reads a case file by candle light"
OWL = "Two owls argue about the weather on a wire"
CAR = "A vintage car drives off into the desert at dawn"


@dataclass
class Task:
    """One of the service's tasks; ``ends`` is when it does, by our clock, and ``end`` how."""

    name: str
    made: float
    prompt: str | None
    owner: str | None = None
    ends: float = math.inf
    end: str = "SUCCEEDED"


@dataclass
class Service:
    """A lane, what the service made of its requests, and a list that may lag."""

    policy: Policy
    now: float = NOON
    offset: float = 0.0
    """What the service's clock is ahead of ours."""
    lag: float = 0.0
    dated: bool = True
    stand_in: bool = False
    standing: Standing = field(init=False)
    tasks: dict[str, Task] = field(default_factory=dict)
    prompts: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.standing = Standing(self.policy)

    def send(self, name: str, prompt: str | None, *, service_time: bool = True) -> None:
        self.prompts[name] = prompt
        says = {"at": self.now, "account": "a", "job": name}
        order = len(self.prompts)
        wanted = {"request": name, "model": "m", "order": order, "price": 1, "currency": None}
        self.standing.after(f.Wanted(**says, **wanted))
        shown = float(int(self.now + self.offset)) if service_time else None
        self.standing.after(f.SubmitStarted(**says, attempt=1, service_time=shown))

    def lose(self, name: str) -> None:
        says = {"at": self.now, "account": "a", "job": name, "attempt": 1}
        self.standing.after(f.SubmitLost(**says, reason="reset"))

    def answer(self, name: str) -> None:
        says = {"at": self.now, "account": "a", "job": name, "attempt": 1}
        self.standing.after(f.Submitted(**says, task_id=f"t-{name}", request_id=None))

    def make(self, name: str, prompt: str | None, owner: str | None = None, **task) -> None:
        self.tasks[name] = Task(name, self.now, prompt, owner, **task)

    def job(self, name: str) -> Job:
        return self.standing.jobs[name]

    def sought(self, job: Job) -> Sought:
        return Sought(job=job, prompt=self.prompts[job.id])

    @property
    def doubts(self) -> list[Job]:
        return [job for job in self.standing.jobs.values() if job.is_sought]

    def others(self) -> list[Sought]:
        known = {State.IN_DOUBT, State.SUBMITTING}
        jobs = [job for job in self.standing.jobs.values() if job.state in known]
        return [self.sought(job) for job in jobs if not job.is_sought]

    def rows(self) -> list[Listed]:
        shown = [task for task in self.tasks.values() if task.made <= self.now - self.lag]
        return [
            Listed(task_id=task.name, model="m", created=task.made + self.offset, request_id="r")
            for task in shown
        ]

    def says(self, name: str) -> Candidate:
        task = self.tasks[name]
        if task.ends > self.now:
            return Candidate(task_id=name, status="RUNNING")
        told = task.prompt if task.end == "SUCCEEDED" else None
        return Candidate(task_id=name, status=task.end, orig_prompt=told)

    def look(self, rows: list[Listed] | None = None) -> Look:
        return Look(
            rows=tuple(self.rows() if rows is None else rows),
            asked_at=self.now,
            service_now=float(int(self.now + self.offset)) if self.dated else None,
            stand_in=self.stand_in,
        )

    def reconcile(self, rows: list[Listed] | None = None) -> tuple[f.Fact, ...]:
        """One look, and its facts taken in."""
        doubts = [self.sought(job) for job in self.doubts]
        it = Reconciliation(self.standing, LANE, self.look(rows), doubts)
        answers = {row.task_id: self.says(row.task_id) for row in it.candidates}
        facts = it.judge(answers, self.others(), at=self.now)
        for fact in facts:
            self.standing.after(fact)
        return facts

    def settle(self, most: int = 400) -> list[f.Fact]:
        """Look, as often as is wanted, until nothing is sought any more."""
        story: list[f.Fact] = []
        while self.doubts and len(story) < most:
            self.now = max(self.now, min(job.not_before for job in self.doubts))
            story += self.reconcile()
        return story


def service(**changes) -> Service:
    about_policy = {name: changes.pop(name) for name in ("exclusive_account",) if name in changes}
    return Service(Policy(lanes=LANES, settle=SETTLE, **about_policy), **changes)


def lost(it: Service, *prompts: str | None, made: bool = True, **task) -> None:
    """Send requests whose answers are lost, a second apart."""
    for prompt in prompts:
        name = f"job{len(it.prompts)}"
        it.send(name, prompt)
        it.now += 1
        if made:
            it.make(f"t-{name}", prompt, name, **{"ends": it.now, **task})
        it.now += 1
        it.lose(name)


def kinds(facts) -> list[str]:
    return [type(fact).__name__ for fact in facts]


# -- any mix ---------------------------------------------------------------------------------------

prompts = st.sampled_from([FOX, OWL, CAR, None])


@st.composite
def services(draw, strangers) -> Service:
    """Own tasks, doubts of which some made a task, tasks of strangers, in any order; clocks that
    differ; a list that lags by less than the settling time."""
    it = service(
        offset=draw(st.sampled_from([0.0, -7 * HOUR, 8 * HOUR + 0.5])),
        lag=draw(st.sampled_from([0.0, 10.0, SETTLE - 1])),
        exclusive_account=strangers is None and draw(st.booleans()),
    )
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["lost", "lost", "unmade", "ours", "strange"]))
        prompt, name = draw(prompts), f"job{number}"
        task = {
            "ends": it.now + draw(st.sampled_from([1.0, 90.0, 700.0])),
            "end": draw(st.sampled_from(["SUCCEEDED", "SUCCEEDED", "FAILED", "CANCELED"])),
        }
        if kind == "strange":
            if strangers is not None:
                it.make(f"x{number}", draw(strangers), **task)
        else:
            it.send(name, prompt)
            it.now += draw(st.sampled_from([0.5, 5.0]))
            if kind != "unmade":
                it.make(f"t-{name}", prompt, name, **task)
            it.now += draw(st.sampled_from([0.5, 60.0]))
            (it.answer if kind == "ours" else it.lose)(name)
        it.now += draw(st.sampled_from([0.0, 1.0, 40.0]))
    return it


def shuffled(data, it: Service) -> list[Listed]:
    """The list in any order, with some rows twice."""
    rows = it.rows()
    return data.draw(st.permutations(rows + rows[:2]))


def watch(data, it: Service) -> Counter[str]:
    """Go on to the end; what must hold of every verdict."""
    taken: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    for _ in range(60):
        if not it.doubts:
            return ends
        it.now = max(it.now, min(job.not_before for job in it.doubts))
        known = set(it.standing.task_ids)
        for fact in it.reconcile(shuffled(data, it)):
            if isinstance(fact, f.Adopted):
                taken[fact.task_id] += 1
                assert fact.task_id not in known
            elif isinstance(fact, f.FoundAbsent):
                mine = [task for task in it.tasks.values() if task.owner == fact.job]
                assert all(task.end in {"FAILED", "CANCELED"} for task in mine), "bought twice"
            ends[type(fact).__name__] += 1
        assert not taken or max(taken.values()) == 1, "one task for two jobs"
    raise AssertionError(f"a doubt did not end: {it.doubts}")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_every_doubt_ends_and_a_task_is_taken_only_for_its_own_job(data):
    """With strangers who want other things: what is adopted is the job's own, what is absent is
    not there, and the end always comes."""
    it = data.draw(services(st.sampled_from(["A bowl of noodles", "Rain on a tin roof, at night"])))
    watch(data, it)
    for job in it.standing.jobs.values():
        assert not job.adopted or it.tasks[job.task_id].owner == job.id


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_on_an_account_of_our_own_the_same_holds_without_prompts(data):
    """``exclusive_account`` or not: never another job's task, never absent while it is there."""
    it = data.draw(services(None))
    watch(data, it)
    for job in it.standing.jobs.values():
        assert not job.adopted or it.tasks[job.task_id].owner == job.id


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_strangers_who_want_the_same_never_make_us_buy_twice(data):
    """Whose a task of the same prompt is nobody can know; but none is called absent, or taken
    twice, and what is taken has the job's prompt."""
    it = data.draw(services(prompts))
    watch(data, it)
    for job in it.standing.jobs.values():
        assert not job.adopted or it.tasks[job.task_id].prompt == it.prompts[job.id] is not None


# -- one rule after another ------------------------------------------------------------------------


def test_a_task_of_the_same_prompt_is_adopted():
    """With what the list tells of the answer that was lost."""
    it = service()
    lost(it, FOX)
    (fact,) = it.reconcile()
    assert (fact.task_id, fact.request_id) == ("t-job0", "r")
    assert it.job("job0").state is State.RENDERING


def test_absence_takes_two_lists_and_the_settling_time():
    """The second counts from the loss and from the first list."""
    it = service()
    lost(it, FOX, made=False)
    it.now += 100
    (first,) = it.reconcile()
    assert (type(first), first.absent, first.until) == (f.SoughtInVain, True, it.now + SETTLE)
    it.now += SETTLE - 1
    assert kinds(it.reconcile()) == ["SoughtInVain"]
    it.now += 1
    assert kinds(it.reconcile()) == ["FoundAbsent"]


def test_a_task_that_appears_between_two_lists_is_found():
    """Absence in one list proves nothing."""
    it = service(lag=20)
    lost(it, FOX)
    assert kinds(it.settle()) == ["SoughtInVain", "Adopted"]


def test_who_has_not_told_its_prompt_is_waited_for():
    """However long it renders; and then the lists that show it empty are counted anew."""
    it = service()
    lost(it, FOX, made=False)
    it.make("x", OWL, ends=it.now + 600)
    story = it.settle()
    assert [fact.absent for fact in story[:-1]] == [False] * 20 + [True]
    assert kinds(story)[-1] == "FoundAbsent"


def test_a_task_that_failed_is_as_good_as_none():
    """It is not billed, so the job may be sent again."""
    it = service()
    lost(it, FOX, end="FAILED")
    assert kinds(it.settle()) == ["SoughtInVain", "FoundAbsent"]


def test_as_many_tasks_as_requests_are_given_in_the_order_of_making():
    """The same prompt three times, with other seeds: each has its own."""
    it = service()
    lost(it, FOX, FOX, FOX)
    it.reconcile()
    owned = {job.id: job.task_id for job in it.standing.jobs.values()}
    assert owned == {name: f"t-{name}" for name in ("job0", "job1", "job2")}


@pytest.mark.parametrize("strangers", [0, 2])
def test_with_too_few_or_too_many_tasks_nobody_can_say_whose_they_are(strangers):
    """Two requests of one prompt, and one task, or three."""
    it = service()
    lost(it, FOX)
    lost(it, FOX, made=False)
    for number in range(strangers):
        it.make(f"x{number}", FOX, ends=it.now)
    assert kinds(it.settle()) == ["Held", "Held"]


def test_a_task_made_before_a_request_was_sent_is_not_its():
    """So the older of two requests has it, and the other one is absent."""
    it = service()
    lost(it, FOX)
    it.now += 120
    lost(it, FOX, made=False)
    assert sorted(kinds(it.settle())) == ["Adopted", "FoundAbsent", "SoughtInVain"]
    assert it.job("job0").task_id == "t-job0"


def test_a_task_that_repeats_the_prompt_of_a_request_being_sent_is_that_ones():
    """Its answer is on the way; it is not near enough to be another's."""
    it = service()
    lost(it, f"{FOX}, in winter", made=False)
    it.send("job1", FOX)
    it.make("t-job1", FOX, "job1", ends=it.now)
    assert kinds(it.settle()) == ["SoughtInVain", "FoundAbsent"]


@pytest.mark.parametrize("told", [FOX.lower(), FOX[:30], f"{FOX}, 4k", FOX.replace("red", "read")])
def test_what_is_nearly_the_prompt_is_held(told):
    """It may be ours, changed on its way, or a stranger's."""
    it = service()
    lost(it, FOX, made=False)
    it.make("x", told, ends=it.now)
    assert kinds(it.settle()) == ["Held"]


@pytest.mark.parametrize("told", [f"  “{FOX}”\n", FOX.replace(" ", "\u3000"), f"\u200b{FOX}"])
def test_what_the_service_is_known_to_change_is_no_difference(told):
    """Quotes, white space, characters that nobody sees, the Unicode form."""
    it = service()
    lost(it, FOX, made=False)
    it.make("x", told, ends=it.now)
    assert kinds(it.settle()) == ["Adopted"]


@pytest.mark.parametrize(("exclusive", "end"), [(False, "Held"), (True, "Adopted")])
@pytest.mark.parametrize("running", [False, True])
def test_without_a_prompt_a_task_is_taken_only_on_an_account_of_our_own(exclusive, end, running):
    """At once, since it will never tell."""
    it = service(exclusive_account=exclusive)
    lost(it, None, ends=NOON * 2 if running else NOON)
    assert kinds(it.settle()) == [end]


def test_without_a_prompt_two_tasks_or_two_requests_are_held():
    """Also where nobody else makes tasks."""
    two_tasks, two_doubts = service(exclusive_account=True), service(exclusive_account=True)
    lost(two_tasks, None)
    two_tasks.make("x", None)
    lost(two_doubts, None, None)
    assert kinds(two_tasks.settle()) == ["Held"]
    assert kinds(two_doubts.settle()) == ["Held", "Held"]


def test_without_a_prompt_no_task_at_all_is_absence():
    """There is nothing that would have to be told apart."""
    it = service()
    lost(it, None, made=False)
    assert kinds(it.settle()) == ["SoughtInVain", "FoundAbsent"]


def test_a_task_that_succeeded_without_telling_its_prompt_is_held():
    """Like one of which no prompt could be expected."""
    it = service()
    lost(it, FOX, made=False)
    it.make("x", None, ends=it.now)
    assert kinds(it.settle()) == ["Held"]


def test_an_equal_task_waits_for_the_others_to_tell_but_not_for_ever():
    """Two tasks of one prompt are one too many; a task that never ends must not let the result of
    the other one expire."""
    one, other = service(), service()
    for it, ends in ((one, NOON + 300), (other, math.inf)):
        lost(it, FOX)
        it.make("x", FOX, ends=ends)
    assert kinds(one.settle())[-1] == "Held"
    assert kinds(other.settle())[-1] == "Adopted"
    assert HOUR < other.now - NOON < HOUR + 60


def test_a_list_that_does_not_show_what_it_should_proves_nothing():
    """A task that an answer named is missing: the list lags. After some time that is a person's."""
    it = service(lag=math.inf)
    it.send("ours", OWL)
    it.make("t-ours", OWL, "ours")
    it.answer("ours")
    lost(it, FOX)
    story = it.settle()
    assert kinds(story) == ["SoughtInVain"] * (LAGS - 1) + ["Held"]
    assert it.now - NOON >= 9 * 60
    assert "list" in it.job("job1").message


def test_a_list_that_catches_up_is_believed_from_then_on():
    """What it said before is forgotten."""
    it = service(lag=200)
    it.send("ours", OWL)
    it.make("t-ours", OWL, "ours")
    it.answer("ours")
    lost(it, FOX)
    assert kinds(it.settle())[-1] == "Adopted"


def test_a_list_that_is_always_some_seconds_late_does_not_keep_a_doubt_open():
    """Tasks are made all the time, and the newest are never shown; but the first one after the
    loss is, so the list has come past it."""
    it = service(lag=10)
    lost(it, FOX, made=False)
    for number in range(100):
        it.now += 1
        name = f"next{number}"
        it.send(name, f"{OWL} {number}")
        it.make(f"t-{name}", it.prompts[name], name)
        it.answer(name)
        if it.doubts and min(job.not_before for job in it.doubts) <= it.now:
            it.reconcile()
    assert it.job("job0").state is State.PENDING


def test_a_doubt_that_is_older_than_the_list_is_held():
    """By the service's clock: its list tells 24 hours."""
    it = service()
    lost(it, FOX)
    it.now += 24 * HOUR
    assert kinds(it.settle()) == ["Held"]


def test_a_clock_set_wrong_by_hours_moves_no_window():
    """The service's own clock is in the fact of the submit, and in the answer of the list."""
    for offset in (-30 * HOUR, 30 * HOUR):
        it = service(offset=offset)
        it.make("older", FOX, ends=NOON)
        it.now += 300
        lost(it, FOX)
        assert kinds(it.settle()) == ["Adopted"]
        assert it.job("job0").task_id == "t-job0"


@pytest.mark.parametrize("case", ["no date", "set back", "stand-in"])
def test_where_the_clocks_cannot_be_compared_the_whole_list_counts(case):
    """No ``Date``, a clock that was set back, a clock of any speed: better a task too many than
    one too few."""
    it = service(dated=case != "no date", stand_in=case == "stand-in")
    it.send("job0", FOX, service_time=False)
    it.make("t-job0", FOX, "job0", ends=-math.inf)
    if case == "set back":
        it.now -= 3 * HOUR
    it.tasks["t-job0"].made = it.now - 2 * HOUR
    it.lose("job0")
    assert kinds(it.reconcile()) == ["Adopted"]


def test_a_time_of_the_service_that_cannot_be_is_not_believed():
    """Its clock cannot have shown before the request what it does not show yet."""
    it = service()
    lost(it, FOX)
    it.job("job0").service_time = NOON + HOUR
    assert kinds(it.reconcile()) == ["Adopted"]


def test_a_first_request_is_looked_for_ten_minutes_around_its_moment():
    """Nothing had told the service's clock before it."""
    it = service()
    for ago, kind in ((601, "SoughtInVain"), (599, "Adopted")):
        it = service(now=NOON - ago)
        it.make("x", FOX, ends=it.now)
        it.now = NOON
        it.send("job0", FOX, service_time=False)
        it.lose("job0")
        assert kinds(it.reconcile()) == [kind]


def test_strangers_who_never_stop_do_not_keep_a_doubt_open():
    """A task made much later than absence could have been said is not the one."""
    it = service()
    lost(it, FOX, made=False)
    for number in range(200):
        it.now += 20
        it.make(f"x{number}", OWL, ends=it.now + 300)
        if it.doubts and min(job.not_before for job in it.doubts) <= it.now:
            it.reconcile()
    assert it.job("job0").state is State.PENDING


def test_a_doubt_that_arose_after_the_list_was_asked_for_gets_no_verdict():
    """The list could not have had its task."""
    it = service()
    lost(it, FOX)
    look = replace(it.look([]), asked_at=it.now - 1)
    doubts = [it.sought(job) for job in it.doubts]
    assert Reconciliation(it.standing, LANE, look, doubts).judge({}, [], at=it.now) == ()
