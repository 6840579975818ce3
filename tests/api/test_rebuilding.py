"""Whatever part of a journal is lost: what may have been bought is not bought again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.api.rebuilding.concluding import Retold
from batchgen.api.rebuilding.retelling import Retelling
from batchgen.core import facts as f
from batchgen.core.actions import Submit
from batchgen.core.batch import Batch
from batchgen.core.job import Job
from batchgen.core.lifecycle import UNPAID, State
from batchgen.core.standing import Standing
from batchgen.core.wishes import difference
from batchgen.journal import Kept, Lost, Salvage
from tests.core.histories import World, policy, wishes


def numbered(facts: list[f.Fact]) -> list[Kept]:
    """The facts as a log has them."""
    versions: Counter[str] = Counter()
    kept = []
    for seq, fact in enumerate(facts, 1):
        versions[fact.subject] += 1
        kept.append(Kept(seq, versions[fact.subject], fact))
    return kept


def retold(salvage: Salvage, wanted, now: float) -> Retold:
    """What a rebuilding makes of it, without a sidecar."""
    facts = difference(Standing(policy()), wanted, account="a", at=now).facts
    told = Retold(salvage, {}, {fact.job: fact for fact in facts}, {}, policy(), 0.0, now)
    told._tell({})
    return told


def says(attempt: int, at: float = 1.0) -> dict:
    return {"at": at, "account": "a", "job": "fox", "attempt": attempt}


def told(*facts: f.JobFact) -> Job:
    story = Retelling("fox", "a")
    for fact in (WANTED, *facts):
        story.tell(fact)
    again = Job("fox", "a")
    for fact in story.facts:
        again.after(fact)
    assert again == story.job
    return again


WANTED = f.Wanted(
    at=0.0, account="a", job="fox", request="r", model="slow", order=0, price=100, currency="USD"
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_may_have_been_bought_is_not_bought_again(data):
    """Any rows of any history are lost, attributed or not, the end included: the next run sends
    nothing for a job that had a request under way, and every story that is told is legal."""
    wanted = wishes(data.draw(st.integers(1, 3)))
    world = World.wanting([replace(wish, direct=data.draw(st.booleans())) for wish in wanted])
    for _ in range(data.draw(st.integers(0, 25))):
        world.decide()
        running = sorted(world.batch.under_way, key=repr)
        if data.draw(st.integers(0, 9)) == 0:
            world.crash()
        elif running:
            action = data.draw(st.sampled_from(running))
            world.finish(action, *data.draw(st.sampled_from(world.outcomes(action)))())
        elif world.batch.wake_at(world.now) < float("inf"):
            world.wait()
    rows = numbered(world.log)
    end = data.draw(st.just(len(rows)) | st.integers(0, len(rows)))
    places = st.integers(max(end - 8, 0), end - 1) | st.integers(0, end - 1)
    gone = data.draw(st.sets(places, max_size=6)) if end else set()
    named = data.draw(st.booleans())
    salvage = Salvage(
        [row for place, row in enumerate(rows[:end]) if place not in gone],
        [Lost(rows[p].seq, rows[p].fact.subject if named else None) for p in sorted(gone)],
        ends=end == len(rows),
    )
    made = retold(salvage, world.wanted, world.now)

    batch = Batch(policy(), facts=made.facts)
    now = world.now + 100_000
    batch.after(f.RunStarted(at=now, account="a", version="test"))
    for fact in difference(batch.standing, world.wanted, account="a", at=now).facts:
        batch.after(fact)
    decision = batch.decide(now)
    sent = {action.job for action in decision.actions if isinstance(action, Submit)}
    waiting = {job.id for job in batch.standing.jobs.values() if job.state is State.PENDING}
    jobs = world.batch.standing.jobs.values()
    bought = {job.id for job in jobs if job.state not in UNPAID}
    assert not (sent | waiting) & bought
    for story in {fact.job for fact in made.facts if isinstance(fact, f.JobFact)}:
        again = Job(story, "a")
        for fact in made.facts:
            if isinstance(fact, f.JobFact) and fact.job == story:
                again.after(fact)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 40), st.data())
def test_of_a_whole_journal_nothing_changes(steps, data):
    """What is whole is told as it was, but for requests whose answer nobody waits for."""
    world = World.of(2)
    for _ in range(steps):
        world.decide()
        if running := sorted(world.batch.under_way, key=repr):
            action = data.draw(st.sampled_from(running))
            world.finish(action, *data.draw(st.sampled_from(world.outcomes(action)))())
        elif world.batch.wake_at(world.now) < float("inf"):
            world.wait()
    made = retold(Salvage(numbered(world.log), ends=True), world.wanted, world.now)
    known = Standing(policy())
    for fact in made.facts:
        known.after(fact)
    assert (known.spent, known.reserved) == (
        world.batch.standing.spent,
        world.batch.standing.reserved,
    )
    before = {job.id: job.state for job in world.batch.standing.jobs.values()}
    for job in known.jobs.values():
        unanswered = before[job.id] is State.SUBMITTING
        assert job.state is (State.IN_DOUBT if unanswered else before[job.id])


def test_missing_steps_are_the_least_that_must_have_happened():
    """A task that is known is kept, whatever is missing before it."""
    submitted = f.Submitted(**says(1), task_id="t", request_id=None)
    assert told(submitted).task_id == "t"
    third = f.Submitted(**says(3), task_id="t", request_id=None)
    assert (told(third).attempt, told(third).state) == (3, State.RENDERING)
    again = f.SubmitStarted(**says(1, at=5.0))
    assert told(f.SubmitStarted(**says(1)), again).started_at == 5.0
    lost = f.SubmitLost(**says(1), reason="reset")
    assert told(f.SubmitStarted(**says(1)), lost, again).state is State.SUBMITTING


def test_a_task_that_may_have_failed_gets_no_automatic_second_attempt():
    """Its second one may be at the service already."""
    rows = numbered(
        [
            f.RunStarted(at=0.0, account="a", version="1"),
            WANTED,
            f.SubmitStarted(**says(1)),
            f.Submitted(**says(1), task_id="t", request_id=None),
        ]
    )
    made = retold(Salvage(rows, ends=False), [], 10.0)
    batch = Batch(policy(), facts=made.facts)
    job = batch.standing.jobs["fox"]
    assert (job.task_id, job.state) == ("t", State.RENDERING)
    failed = f.TaskFailed(**says(job.attempt), code="InternalError", message="")
    batch.after(failed)
    assert not any(isinstance(fact, f.Requeued) for fact in batch.decide(20.0).facts)
