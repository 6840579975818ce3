"""The disk: nothing is bought whose results might not fit, and a run says when it is full."""

from __future__ import annotations

from dataclasses import replace

from batchgen.core import facts as f
from batchgen.core.actions import Poll, Submit
from batchgen.core.job import Job
from batchgen.core.lifecycle import State
from tests.core.histories import SIZE, World, wishes


def room_for(count: int, **changes) -> World:
    """Six jobs of one size, and a disk for some of them; the margin is half of one."""
    world = World.of(6, disk_margin=SIZE // 2, **changes)
    world.free = count * SIZE + SIZE // 2
    return world


def counts(world: World) -> tuple[int, int]:
    standing = world.batch.standing
    return standing.counts[State.DONE], standing.counts[State.PENDING]


def jobs_of(world: World) -> list[Job]:
    return list(world.batch.standing.jobs.values())


def test_what_is_in_flight_has_its_room_reserved():
    """Two of six fit: two are sent, and the others wait for what comes of them."""
    world = room_for(2, max_in_flight=6)
    submits = [action for action in world.decide() if isinstance(action, Submit)]
    world.now += 1
    assert world.decide() == ()
    assert len(submits) == 2
    assert world.batch.disk_needed is None, "results may be smaller than the worst case"
    assert not world.batch.settled


def test_results_that_are_smaller_than_feared_make_room_for_more():
    """The free space is what it is once they are saved: all come to their end."""
    world = room_for(2)
    world.run(lambda _action: 0)
    assert counts(world) == (6, 0)
    assert world.batch.disk_needed is None


def test_a_full_disk_ends_the_run_when_everything_paid_is_saved():
    """Two are done, the others are named by what the next of them needs."""
    world = room_for(2)
    while not world.batch.settled:
        actions = world.decide()
        for action in actions:
            world.finish(action, *world.outcomes(action)[0]())
        saved = sum(bool(job.results) and job.whole for job in jobs_of(world))
        world.free = (2 - saved) * SIZE + SIZE // 2
        if not actions and not world.batch.settled:
            world.wait()
    assert world.batch.settled
    assert counts(world) == (2, 4)
    assert world.batch.disk_needed is not None
    assert world.batch.disk_needed == SIZE + SIZE // 2
    world.crash()
    world.free = None
    world.run(lambda _action: 0)
    assert counts(world) == (6, 0)


def test_a_doubt_keeps_its_room_until_it_is_held():
    """Its task may be found, and then its result is fetched."""
    world = World.wanting(wishes(1))
    (submit,) = world.decide()
    world.finish(submit, *world.outcomes(submit)[3]())
    assert world.batch.standing.bytes_ahead == SIZE
    (search,) = world.decide()
    world.finish(search, *world.outcomes(search)[5]())
    assert world.batch.standing.bytes_ahead == 0


def test_a_run_in_which_everything_fails_is_stopped():
    """Three in a row: what is under way ends, and nothing more is bought, in this run."""
    world = World.of(12, stop_after_failures=3)
    world.run(lambda action: 2 if isinstance(action, Submit) else 0)
    assert world.batch.failing
    assert world.batch.settled
    assert world.batch.standing.counts[State.FAILED] == 3
    world.crash()
    assert not world.batch.failing
    world.now += 60
    assert any(isinstance(action, Submit) for action in world.decide())


def test_a_success_between_failures_counts_them_anew_but_never_starts_a_stopped_run_again():
    """Every other job fails, and the run goes on; a success that comes too late changes nothing."""
    world = World.wanting([replace(wish, direct=True) for wish in wishes(8)], stop_after_failures=2)
    fates = iter([2, 0] * 4)
    world.run(lambda action: next(fates) if isinstance(action, Submit) else 0)
    assert not world.batch.failing
    world = World.of(8, stop_after_failures=2)
    fates = iter([0, 2, 2])
    world.run(lambda action: next(fates, 0) if isinstance(action, Submit) else 0)
    assert world.batch.failing
    assert counts(world) == (1, 5)


def test_a_failure_that_gets_another_attempt_is_not_counted():
    """Only what has failed for good is."""
    world = World.of(1, stop_after_failures=1)
    polls = iter([3])
    world.run(lambda action: next(polls, 0) if isinstance(action, Poll) else 0)
    assert not world.batch.failing
    assert counts(world) == (1, 0)


def test_a_file_that_was_found_changed_twice_is_one_failure():
    """Two of its files may be found changed at the same time."""
    world = World.of(1, stop_after_failures=2)
    says = {"at": world.now, "account": "a", "job": "job0", "code": "X", "message": "no"}
    world.note(f.Barred(**says), f.Barred(**says))
    assert not world.batch.failing
