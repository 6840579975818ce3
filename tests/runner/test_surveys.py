"""The list that tells for many tasks at once, and limits that are learned, against the sandbox."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest

from batchgen.errors import ExitCode
from batchgen.sandbox import (
    Answer,
    Lag,
    Limits,
    Omit,
    Point,
    Reset,
    Rule,
    Slow,
    Stall,
)
from tests.promises.oracle import keep_promises
from tests.promises.witnesses import Watch, most_in

pytestmark = pytest.mark.looptime

JOBS = 40
CROWD = Limits(running=20)
"""Slots that the catalog does not know of; stills of about 12 s, two sent in a second."""


def stills(count: int = JOBS, limits: str = "") -> str:
    jobs = [f"  - {{id: j{n}, prompt: Stamp no {n} of the sea.}}" for n in range(count)]
    head = ["defaults: {model: wan2.2-t2i-flash, size: 512*512}", limits, "jobs:"]
    return "\n".join([*head, *jobs, ""])


def delays(rehearsal, count: int = JOBS) -> list[float]:
    """Seconds from the end of each task to its result on disk."""
    told = [rehearsal.sidecar(f"j{n}") for n in range(count)]
    moments = [(datetime.fromisoformat(one["finished_at"]), one["saved_at"]) for one in told]
    return sorted((datetime.fromisoformat(saved) - made).total_seconds() for made, saved in moments)


async def crowd(rehearsal, *rules: Rule, limits: str = "") -> Counter[Point]:
    """A run of all jobs, to its good end; what the service was asked."""
    rehearsal.faults = Watch(Rule(Point.SUBMIT, CROWD), *rules)
    summary = await rehearsal.run(stills(limits=limits))
    assert summary.exit_code is ExitCode.DONE
    assert most_in([at for at, point in rehearsal.faults.arrived if point in QUERIES], 1.0) <= 20
    await keep_promises(rehearsal, summary)
    return Counter(point for _, point in rehearsal.faults.arrived)


QUERIES = {Point.QUERY, Point.LIST}


async def test_a_crowd_takes_a_question_a_task_and_a_few_for_all(rehearsal):
    """Every result is on disk within seconds of its end, no answer is 429, and the service's
    own limits were asked for and used: twenty at once, where the catalog knows of two."""
    asked = await crowd(rehearsal)
    assert asked[Point.LIMITS] == 1
    assert asked[Point.QUERY] <= JOBS + 5
    assert asked[Point.LIST] <= 0.55 * JOBS
    assert asked[Point.SUBMIT] == JOBS
    times = delays(rehearsal)
    assert times[int(0.95 * JOBS)] <= 3
    at_once = rehearsal.faults.at_point(Point.SUBMIT)
    assert max(at_once) - min(at_once) < 60, "two at once would take minutes"


@pytest.mark.parametrize(
    "fault",
    [
        Answer(403, "AccessDenied", "no list for you"),
        Reset(),
        Omit(),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_without_a_list_each_task_is_asked_for_itself(rehearsal, fault):
    """A list that is refused, broken or empty costs no result more than a few seconds, and is
    hardly asked for any more."""
    asked = await crowd(rehearsal, Rule(Point.LIST, fault))
    assert delays(rehearsal)[int(0.95 * JOBS)] <= 8
    assert asked[Point.LIST] <= 0.55 * JOBS
    assert asked[Point.QUERY] <= 15 * JOBS


async def test_a_silent_list_holds_nothing_up(rehearsal):
    """Its questions wait for their time-out; those about tasks go on beside them."""
    await crowd(rehearsal, Rule(Point.LIST, Stall()))
    assert delays(rehearsal)[int(0.95 * JOBS)] <= 8


async def test_a_list_that_lags_is_noticed(rehearsal):
    """It knows no task of the last minute: most are collected before it has heard of them."""
    asked = await crowd(rehearsal, Rule(Point.LIST, Lag(60)))
    assert delays(rehearsal)[int(0.95 * JOBS)] <= 8
    assert asked[Point.LIST] <= JOBS


async def test_rows_that_the_list_leaves_out_are_asked_for_themselves(rehearsal):
    """The newest three of every page are missing."""
    await crowd(rehearsal, Rule(Point.LIST, Omit(3)))
    assert delays(rehearsal)[int(0.95 * JOBS)] <= 6


async def test_a_throttled_list_slows_down_all_questions(rehearsal):
    """A minute of 429: the pace falls, and comes back when it is over."""
    busy = Answer(429, "Throttling.RateQuota", "Requests rate limit exceeded.")
    asked = await crowd(rehearsal, Rule(Point.LIST, busy, during=60))
    assert asked[Point.LIST] <= 2 * JOBS
    assert delays(rehearsal)[0] <= 3


async def test_the_manifest_bounds_the_questions(rehearsal):
    """Where others use the account as well, two a second are never exceeded."""
    await crowd(rehearsal, limits="limits: {queries_per_second: 2}")
    times = [at for at, point in rehearsal.faults.arrived if point in QUERIES]
    assert most_in(times, 1.0) <= 2 + 1, "the service's clock was looked at once at the start"
    assert most_in(times, 10.0) <= 22


async def test_limits_that_are_not_told_are_learned_from_what_renders(rehearsal):
    """Nobody says how many may render: more are seen to, and more are sent."""
    await crowd(rehearsal, Rule(Point.LIMITS, Answer(403, "AccessDenied", "no")))
    sent = rehearsal.faults.at_point(Point.SUBMIT)
    assert max(sent) - min(sent) < 200, "two at once would take eight minutes"


async def test_nobody_waits_for_limits_when_all_is_done(rehearsal):
    """The question is never answered; two pictures are there long before its time is over."""
    rehearsal.faults = Watch(Rule(Point.LIMITS, Stall()))
    summary = await rehearsal.run(stills(2))
    assert summary.exit_code is ExitCode.DONE
    assert summary.seconds < 30
    await keep_promises(rehearsal, summary)


async def test_a_burst_of_refusals_is_one_reason_to_wait(rehearsal):
    """Every question of ten seconds is refused, many of them at once: the pause is of seconds."""
    busy = Answer(429, "Throttling.RateQuota", "Requests rate limit exceeded.")
    await crowd(rehearsal, *(Rule(point, busy, after=10, during=10) for point in QUERIES))
    assert delays(rehearsal)[-1] <= 40


async def test_few_long_tasks_are_not_asked_about_all_the_time(rehearsal):
    """Two videos of ten minutes: some hundred questions, not one in each second."""
    rehearsal.faults = Watch(Rule(Point.TASK, Slow(5)))
    text = "defaults: {model: wan2.2-t2v-plus, size: 832*480}\njobs: [A fox, An owl]\n"
    summary = await rehearsal.run(text)
    assert summary.exit_code is ExitCode.DONE
    asked = Counter(point for _, point in rehearsal.faults.arrived)
    assert asked[Point.QUERY] + asked[Point.LIST] < summary.seconds / 2
