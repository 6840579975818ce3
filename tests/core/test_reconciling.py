"""What a look at the service's list proves: nothing is bought twice, and no task taken twice."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from batchgen.core.listing import Candidate, Listed, Look, Sought
from batchgen.core.policy import HOUR, LaneLimits, Policy
from batchgen.core.reconciling import LAGS, LATE, Reconciliation
from batchgen.core.standing import Standing

LANE = ("a", "m")
LANES = {"m": LaneLimits(submits_per_second=1, running=99, poll_seconds=15)}
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
    endpoint: str = "here"
    standing: Standing = field(init=False)
    tasks: dict[str, Task] = field(default_factory=dict)
    prompts: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.standing = Standing(self.policy)
        self.connect("here")

    def connect(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.standing.after(f.Connected(at=self.now, account="a", endpoint=endpoint))

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
            endpoint=self.endpoint,
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
        name = f"job{sum(known.startswith('job') for known in it.prompts)}"
        it.send(name, prompt)
        it.now += 1
        if made:
            it.make(f"t-{name}", prompt, name, **{"ends": it.now, **task})
        it.now += 1
        it.lose(name)


def witness(it: Service, name: str = "witness") -> None:
    """A request whose answer comes, and names a task that the list must show."""
    it.send(name, OWL)
    it.make(f"t-{name}", OWL, name, ends=it.now)
    it.answer(name)


def waits(it: Service) -> Iterator[float]:
    """Time goes on to each next look, until nothing is sought any more."""
    while it.doubts:
        it.now = max(it.now, min(job.not_before for job in it.doubts))
        yield it.now


def kinds(facts) -> list[str]:
    return [type(fact).__name__ for fact in facts]


# -- any mix ---------------------------------------------------------------------------------------

prompts = st.sampled_from([FOX, OWL, CAR, None])


@st.composite
def services(draw, strangers) -> Service:
    """Own tasks, doubts of which some made a task, tasks of strangers, in any order; clocks that
    differ; a list that lags, by more than the settling time as well."""
    it = service(
        offset=draw(st.sampled_from([0.0, -7 * HOUR, 8 * HOUR + 0.5])),
        lag=draw(st.sampled_from([0.0, 10.0, SETTLE - 1, 3 * SETTLE])),
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
    fact = it.settle()[-1]
    assert (fact.task_id, fact.request_id) == ("t-job0", "r")
    assert it.job("job0").state is State.RENDERING


def test_absence_takes_two_lists_and_the_settling_time():
    """The second counts from the loss and from the first list; a task that was made later shows
    that the list has come so far.
    """
    it = service()
    lost(it, FOX, made=False)
    it.now += 5
    it.make("later", OWL, ends=it.now)
    it.now += 100
    (first,) = it.reconcile()
    assert (type(first), first.absent, first.until) == (f.SoughtInVain, True, it.now + SETTLE)
    it.now += SETTLE - 1
    assert kinds(it.reconcile()) == ["SoughtInVain"]
    it.now += 1
    assert kinds(it.reconcile()) == ["FoundAbsent"]


@pytest.mark.parametrize("before", [False, True])
def test_without_a_later_task_absence_takes_four_times_as_long(before):
    """Nothing shows how late the list is: no other task, or only one from before. Not even one that
    was named after the request was sent: it had been made long since.
    """
    it = service()
    if before:
        it.send("slow", OWL)
        it.make("t-slow", OWL, "slow", ends=it.now)
        it.now += 60
    it.send("job0", FOX)
    if before:
        it.answer("slow")
    it.lose("job0")
    began = it.now
    assert kinds(it.settle()) == ["SoughtInVain", "SoughtInVain", "FoundAbsent"]
    assert it.now == began + LATE * SETTLE


def test_a_lone_task_on_a_list_that_is_late_is_found_in_the_end():
    """Later than the settling time, and nothing else could have told."""
    it = service(lag=SETTLE * 3)
    lost(it, FOX)
    assert kinds(it.settle())[-1] == "Adopted"


def test_nothing_is_taken_before_the_list_has_settled():
    """What stands there already may be a stranger's, made in the same second; ours comes later."""
    it = service()
    lost(it, FOX, made=False)
    it.make("x", FOX, ends=it.now)
    assert kinds(it.reconcile()) == ["SoughtInVain"]
    it.make("t-job0", FOX, "job0", ends=it.now)
    assert kinds(it.settle()) == ["Held"]


def test_nothing_is_taken_from_a_list_that_lags_behind():
    """A task that an answer has named before is missing: ours may be missing as well."""
    it = service()
    witness(it)
    lost(it, FOX)
    del it.tasks["t-witness"]
    story = it.settle()
    assert kinds(story) == ["SoughtInVain"] * LAGS + ["Held"]  # the first until it has settled
    assert not it.job("job0").adopted


def test_a_task_that_appears_between_two_lists_is_found():
    """Absence in one list proves nothing."""
    it = service(lag=20)
    lost(it, FOX)
    (first,) = it.reconcile()
    assert first.absent
    assert kinds(it.settle()) == ["Adopted"]


def test_who_has_not_told_its_prompt_is_waited_for():
    """However long it renders; and then the lists that show it empty are counted anew."""
    it = service()
    lost(it, FOX, made=False)
    it.make("x", OWL, ends=it.now + 600)
    story = it.settle()
    assert [fact.absent for fact in story[:-1]] == [False] * 20 + [True] * 2
    assert kinds(story)[-1] == "FoundAbsent"


def test_who_never_tells_its_prompt_is_not_waited_for_for_ever():
    """Longer than any task renders: a person may know more."""
    it = service()
    lost(it, FOX, made=False)
    it.make("x", OWL)
    assert kinds(it.settle(most=1000))[-1] == "Held"
    assert 4 * HOUR < it.now - NOON < 4 * HOUR + 60


def test_a_task_that_failed_is_as_good_as_none():
    """It is not billed, so the job may be sent again."""
    it = service()
    lost(it, FOX, end="FAILED")
    assert kinds(it.settle())[-1] == "FoundAbsent"


def test_as_many_tasks_as_requests_are_given_in_the_order_of_making():
    """The same prompt three times, with other seeds: each has its own."""
    it = service()
    lost(it, FOX, FOX, FOX)
    it.settle()
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
    it.settle()
    assert [job.held for job in it.standing.jobs.values()] == [True, True]


def test_a_task_made_before_a_request_was_sent_is_not_its():
    """So the older of two requests has it, and the other one is absent."""
    it = service()
    lost(it, FOX)
    it.now += 120
    lost(it, FOX, made=False)
    assert set(kinds(it.settle())) == {"SoughtInVain", "Adopted", "FoundAbsent"}
    assert it.job("job0").task_id == "t-job0"


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize(
    ("ago", "told", "end"),
    [
        (1, FOX, "Adopted"),
        (3, FOX, "Held"),
        (59, FOX, "Held"),
        (62, FOX, "FoundAbsent"),
        (30, OWL, "FoundAbsent"),
        (1, None, "Adopted"),
        (3, None, "Held"),
        (62, None, "FoundAbsent"),
    ],
)
def test_what_seems_older_than_the_request_is_never_taken(exclusive, ago, told, end):
    """The clocks of the service's servers may differ, so it may be ours, and is not bought again;
    but a task of an earlier batch is no result of this one.
    """
    it = service(exclusive_account=exclusive)
    it.make("earlier", told, ends=it.now)
    it.now += ago
    lost(it, told if told is None else FOX, made=False)
    if told is None and not exclusive and end == "Adopted":
        end = "Held"
    assert kinds(it.settle())[-1] == end


def test_another_request_of_ours_is_not_in_the_way_of_its_elder():
    """Both tasks seem possible for the second request, within what the clocks may differ; each has
    its own all the same.
    """
    it = service()
    lost(it, FOX)
    it.now += 10
    lost(it, FOX)
    it.settle()
    assert [it.job(name).task_id for name in ("job0", "job1")] == ["t-job0", "t-job1"]


def test_a_task_that_repeats_the_prompt_of_a_request_being_sent_is_that_ones():
    """Its answer is on the way; it is not near enough to be another's."""
    it = service()
    lost(it, f"{FOX}, in winter", made=False)
    it.send("job1", FOX)
    it.make("t-job1", FOX, "job1", ends=it.now)
    assert kinds(it.settle())[-1] == "FoundAbsent"


@pytest.mark.parametrize(
    "told",
    [
        FOX.lower(),
        FOX[:30],
        f"{FOX}, 4k",
        FOX.replace("red", "read"),
        FOX.replace(" ", "&nbsp;"),
        FOX.replace("file", "f&iacute;le"),
    ],
)
def test_what_is_nearly_the_prompt_is_held(told):
    """It may be ours, changed on its way, or a stranger's."""
    it = service()
    lost(it, FOX, made=False)
    it.make("x", told, ends=it.now)
    assert kinds(it.settle()) == ["SoughtInVain", "Held"]


@pytest.mark.parametrize("told", [f"  “{FOX}”\n", FOX.replace(" ", "\u3000"), f"\u200b{FOX}"])
def test_what_the_service_is_known_to_change_is_no_difference(told):
    """Quotes, white space, characters that nobody sees, the Unicode form."""
    it = service()
    lost(it, FOX, made=False)
    it.make("x", told, ends=it.now)
    assert kinds(it.settle()) == ["SoughtInVain", "Adopted"]


@pytest.mark.parametrize(("exclusive", "end"), [(False, "Held"), (True, "Adopted")])
@pytest.mark.parametrize("running", [False, True])
def test_without_a_prompt_a_task_is_taken_only_on_an_account_of_our_own(exclusive, end, running):
    """As soon as the list has settled, since it will never tell."""
    it = service(exclusive_account=exclusive)
    lost(it, None, ends=NOON * 2 if running else NOON)
    assert kinds(it.settle()) == ["SoughtInVain", end]


def test_without_a_prompt_two_tasks_or_two_requests_are_held():
    """Also where nobody else makes tasks."""
    two_tasks, two_doubts = service(exclusive_account=True), service(exclusive_account=True)
    lost(two_tasks, None)
    two_tasks.make("x", None)
    lost(two_doubts, None, None)
    assert kinds(two_tasks.settle()) == ["SoughtInVain", "Held"]
    assert set(kinds(two_doubts.settle())) == {"SoughtInVain", "Held"}


def test_without_a_prompt_no_task_at_all_is_absence():
    """There is nothing that would have to be told apart."""
    it = service()
    lost(it, None, made=False)
    assert kinds(it.settle())[-1] == "FoundAbsent"


def test_a_task_that_succeeded_without_telling_its_prompt_is_held():
    """Like one of which no prompt could be expected."""
    it = service()
    lost(it, FOX, made=False)
    it.make("x", None, ends=it.now)
    assert kinds(it.settle()) == ["SoughtInVain", "Held"]


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
    assert "list" in it.job("job0").message


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
        assert kinds(it.settle())[-1] == "Adopted"
        assert it.job("job0").task_id == "t-job0"


@pytest.mark.parametrize("case", ["no date", "dated"])
@pytest.mark.parametrize("ago", [0, 2, 23])
def test_where_the_clocks_cannot_be_compared_the_whole_list_counts(case, ago):
    """Nothing had told the service's clock before the request: whatever ours says, better a task
    too many than one too few.
    """
    it = service(dated=case != "no date")
    it.send("job0", FOX, service_time=False)
    it.make("t-job0", FOX, "job0", ends=-math.inf)
    it.tasks["t-job0"].made = it.now - ago * HOUR
    it.lose("job0")
    assert kinds(it.settle()) == ["SoughtInVain", "Adopted"]


def test_presence_alone_is_no_proof_where_the_clocks_cannot_be_compared():
    """A task without a prompt may be of any time."""
    it = service(exclusive_account=True)
    it.make("earlier", None, ends=it.now)
    it.send("job0", None, service_time=False)
    it.lose("job0")
    assert kinds(it.settle())[-1] == "Held"


@pytest.mark.parametrize("made", [False, True])
@pytest.mark.parametrize("hours", [-1, 25, 400])
def test_a_doubt_of_unknown_age_may_be_found_but_is_never_missed(hours, made):
    """Our clock was set back since it was sent, or says that the list does not go so far back, as
    in a journal that was made anew; and the service's had shown nothing.
    """
    it = service()
    it.send("job0", FOX, service_time=False)
    it.now += hours * HOUR
    if made:
        it.make("t-job0", FOX, "job0", ends=-math.inf)
    it.lose("job0")
    assert kinds(it.settle()) == ["SoughtInVain", "Adopted" if made else "Held"]
    assert made or "older" in it.job("job0").message


@pytest.mark.parametrize("made", [False, True])
def test_what_surely_is_not_on_the_list_any_more_is_not_taken_from_it(made):
    """By the service's own clock: a task of its prompt was made long after its request."""
    it = service()
    lost(it, FOX, made=False)
    it.now += 30 * HOUR
    if made:
        it.make("x", FOX, ends=it.now)
    assert kinds(it.settle()) == ["Held"]


def test_a_time_of_the_service_that_cannot_be_is_not_believed():
    """Its clock cannot have shown before the request what it does not show yet."""
    it = service()
    lost(it, FOX)
    it.job("job0").service_time = NOON + HOUR
    assert kinds(it.settle())[-1] == "Adopted"


def test_a_list_with_wrong_times_proves_nothing():
    """One of ours seems older than its own request, by hours: what stands where cannot be said."""
    it = service()
    witness(it)
    lost(it, FOX)
    rows = [replace(row, created=row.created - 8 * HOUR) for row in it.rows()]
    assert kinds(it.reconcile(rows)) == ["Held"]
    assert "times" in it.job("job0").message


@pytest.mark.parametrize("name", ["M", "m-2026-07-01", "wan/m", "Wan_M"])
def test_a_model_may_be_spelled_otherwise_on_the_list(name):
    """The list was asked for by model; what comes is of it, unless it is clearly another."""
    it = service()
    lost(it, FOX)
    while it.doubts:
        it.now += SETTLE
        facts = it.reconcile([replace(row, model=name) for row in it.rows()])
    assert kinds(facts) == ["Adopted"]


def test_a_task_of_another_model_is_nobodys_here():
    """Where the list tells more than it was asked for."""
    it = service()
    it.make("x", FOX, ends=it.now)
    lost(it, FOX, made=False)
    while it.doubts:
        it.now += SETTLE
        facts = it.reconcile([replace(row, model="other-t2v") for row in it.rows()])
    assert kinds(facts) == ["FoundAbsent"]


# -- another key or host ---------------------------------------------------------------------------


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("prompt", [FOX, None])
def test_what_was_sent_elsewhere_is_never_missed_here(beside, prompt):
    """The list of another account, or region, is empty, and lacks our other tasks too; a person is
    told what to do, and the right key settles it.
    """
    it = service(exclusive_account=True)
    if beside:
        witness(it)
    lost(it, prompt)
    it.connect("there")
    (*_, held) = [it.reconcile(rows=[]) for _ in waits(it)]
    assert kinds(held) == ["Held"]
    assert "key" in it.job("job0").message
    it.connect("here")
    it.standing.after(f.RunStarted(at=it.now, account="a", version="1"))
    assert kinds(it.settle())[-1] == "Adopted"


def test_what_was_sent_elsewhere_may_be_found_here_by_its_prompt():
    """The key was changed, and is of the same account."""
    it = service()
    witness(it)
    lost(it, FOX)
    it.connect("there")
    assert kinds(it.settle())[-1] == "Adopted"


def test_a_task_without_a_prompt_is_not_taken_elsewhere():
    """Presence is no proof there: nobody knows whose account it is."""
    it = service(exclusive_account=True)
    lost(it, None)
    it.connect("there")
    assert kinds(it.settle())[-1] == "Held"


def test_a_list_that_lacks_our_other_tasks_is_another_accounts():
    """A task there that repeats the prompt is somebody's who wants the same."""
    it = service()
    witness(it)
    lost(it, FOX)
    it.connect("there")
    it.now += SETTLE
    rows = [row for row in it.rows() if row.task_id == "t-job0"]
    assert kinds(it.reconcile(rows)) == ["Held"]
    assert "key" in it.job("job0").message


def test_tasks_that_were_made_elsewhere_are_not_missed_here():
    """Back at the first account, whose list cannot have what the second has made."""
    it = service()
    lost(it, FOX)
    it.connect("there")
    witness(it)
    it.connect("here")
    del it.tasks["t-witness"]
    assert kinds(it.settle())[-1] == "Adopted"


def test_where_nobody_noted_the_place_the_list_counts():
    """A journal that was made anew does not know which key its requests were sent with."""
    it = service()
    lost(it, FOX, made=False)
    it.job("job0").endpoint = None
    assert kinds(it.settle())[-1] == "FoundAbsent"


# -- ends ------------------------------------------------------------------------------------------


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
