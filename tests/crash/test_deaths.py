"""The process dies at a point of its run, is run again, and everything is on disk, bought once.

A run without a death tells which points there are, so a new step in the program is a new death
here. Of many points some are drawn, the same ones each time; with ``CRASH_POINTS=all`` in the
environment it is all of them, which takes minutes.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass

import pytest

from tests.crash.points import Point
from tests.crash.stage import Film

PICTURE = Film(
    "limits: {settle: 0.2}\n"
    "jobs:\n"
    "  - {id: moon, model: wan2.2-t2i-flash, size: 512*512, prompt: A kitten and the moon}\n",
    {"moon": ["moon.png"]},
)
NIGHT = Film(
    "limits: {settle: 0.2}\n"
    "jobs:\n"
    "  - {id: fox, model: wan2.2-t2v-plus, size: 624*624, prompt: A fox reads a case file}\n"
    "  - {id: moon, model: wan2.2-t2i-flash, size: 512*512, prompt: The moon and a roof, n: 2}\n",
    {"fox": ["fox.mp4"], "moon": ["moon-1.png", "moon-2.png"]},
    held=1 << 16,  # written piece by piece
)
POST, PART = "POST image-synthesis", "moon.png.*.part"
ALL = os.environ.get("CRASH_POINTS") == "all"


def some_of(points, most, seed):
    """The first, the last and some between, or all of them where that was asked for."""
    if ALL or len(points) <= most:
        return points
    middle = random.Random(seed).sample(range(1, len(points) - 1), most - 2)
    return [points[place] for place in sorted({0, *middle, len(points) - 1})]


def dies_and_recovers(stage, film, *deaths):
    """Die at each point in turn, then run to the end; every promise holds at every step.

    Returns the last run, and how often it died: a point that depends on how fast the service was
    may not come.
    """
    batch, died = stage.batch(film).write(), 0
    for point in deaths:
        run = batch.run(die_at=point)
        assert run.died or run.code == 0, (point, run.said)
        assert not batch.broken_by_a_death(), point
        died += run.died
    end = batch.run()
    assert end.code == 0, (deaths, end.said)
    assert not batch.broken_at_the_end(), deaths
    return end, died


@pytest.fixture(scope="module")
def picture(stage):
    """What a run of one picture goes through."""
    return stage.batch(PICTURE).write().run().points


@pytest.fixture(scope="module")
def night(stage):
    """What a run of a video and two pictures goes through."""
    return stage.batch(NIGHT).write().run().points


@dataclass(frozen=True)
class Span:
    """The part of a run from one point to another, and what a death in it leaves to be asked.

    So many POSTs; of the rest no more than that. Who has something to send asks for a list first.
    """

    first: str
    last: str
    posts: int | None = None
    lists: int | None = 0
    polls: int | None = None
    downloads: int | None = None

    def of(self, points):
        names = [point.name for point in points]
        start, end = names.index(self.first), names.index(self.last)
        assert start <= end
        return points[start : end + 1]


ROWS = [
    pytest.param(
        Span("before mkdir output", "before commit SubmitStarted moon", posts=1, lists=1),
        id="before the intent is committed",
        marks=pytest.mark.fault(1),
    ),
    pytest.param(
        Span("before mkdir .batchgen", "after commit Connected", posts=1, lists=1),
        id="while the journal is created",
        marks=pytest.mark.fault(15),
    ),
    pytest.param(
        Span("after commit SubmitStarted moon", f"before {POST} is written", posts=1, lists=3),
        id="after the intent, before a byte of the POST",
        marks=pytest.mark.fault(2),
    ),
    pytest.param(
        Span(
            f"before {POST} is heard, its answer is at the door",
            f"before {POST} is heard, its answer is at the door",
            posts=0,
            lists=2,
        ),
        id="after the POST left, before its answer",
        marks=pytest.mark.fault(3),
    ),
    pytest.param(
        Span(f"after {POST} is answered", "before commit Submitted moon", posts=0, lists=2),
        id="after the answer arrived, before the task id is committed",
        marks=pytest.mark.fault(4),
    ),
    pytest.param(
        Span("after commit Submitted moon", "before GET a task has a connection", posts=0),
        id="right after the task id is committed",
        marks=pytest.mark.fault(5),
    ),
    pytest.param(
        Span("before GET a task is written", "after GET a task is answered", posts=0),
        id="during a poll",
        marks=pytest.mark.fault(6),
    ),
    pytest.param(
        Span("before commit Rendered moon", "before commit Rendered moon", posts=0),
        id="after SUCCEEDED arrived, before it is committed",
        marks=pytest.mark.fault(7),
    ),
    pytest.param(
        Span("after commit Rendered moon", "before GET a result is written", posts=0, polls=0),
        id="between the known result and its download",
        marks=pytest.mark.fault(8),
    ),
    pytest.param(
        Span("after GET a result is written", f"after write {PART}", posts=0),
        id="in the middle of a download",
        marks=pytest.mark.fault(9),
    ),
    pytest.param(
        Span(f"after write {PART}", f"before fsync {PART}", posts=0),
        id="after the last byte, before fsync",
        marks=pytest.mark.fault(10),
    ),
    pytest.param(
        Span(f"after fsync {PART}", "before link moon.png", posts=0, polls=0, downloads=0),
        id="after fsync, before the result has its name",
        marks=pytest.mark.fault(11),
    ),
    pytest.param(
        Span("after link moon.png", "before create moon.json.tmp", posts=0, polls=0, downloads=0),
        id="after the result has its name, before the sidecar",
        marks=pytest.mark.fault(12),
    ),
    pytest.param(
        Span("after create moon.json.tmp", "before link moon.json", posts=0, polls=0, downloads=0),
        id="while the sidecar is written",
        marks=pytest.mark.fault(13),
    ),
    pytest.param(
        Span("after link moon.json", "before commit Sealed moon", posts=0, polls=0, downloads=0),
        id="after the sidecar, before the job is done",
        marks=pytest.mark.fault(14),
    ),
    pytest.param(
        Span("after commit Sealed moon", "after the fold", posts=0, polls=0, downloads=0),
        id="while the log is folded",
    ),
]


@pytest.mark.parametrize("span", ROWS)
def test_a_death_there_costs_nothing_and_leaves_only_what_is_missing(stage, picture, span):
    """The next run ends complete, bought once, and asks the service for no more than it must."""
    deaths = 0
    for point in some_of(span.of(picture), 3, span.first):
        end, died = dies_and_recovers(stage, PICTURE, point)
        if not died:
            continue
        deaths += 1
        assert span.posts in (None, end.asked(POST)), point
        asked = {
            "GET the list": (span.lists, end.asked("GET the list")),
            "GET a task": (span.polls, end.asked("GET a task")),
            "GET a result": (span.downloads, end.asked("GET a result")),
        }
        for what, (most, was) in asked.items():
            assert most is None or was <= most, (point, what, was)
    assert deaths


def test_a_batch_that_dies_anywhere_ends_complete_and_bought_once(stage, night):
    """Jobs side by side: whatever one is in the midst of when the other's step kills both."""
    points = some_of(night, 8, "night")
    deaths = sum(dies_and_recovers(stage, NIGHT, point)[1] for point in points)
    assert deaths > len(points) / 2


@pytest.mark.fault(6)
@pytest.mark.parametrize("seed", range(24 if ALL else 3))
def test_deaths_one_after_another_end_complete_and_bought_once(stage, picture, seed):
    """Recovery is a run like any other: it may die as well, over and over."""
    dice = random.Random(seed)
    polls = [point for point in picture if point.name.startswith("before GET a task")]
    dies_and_recovers(stage, PICTURE, *dice.choices([*picture, *polls], k=4))


@pytest.mark.parametrize("seed", range(1))
def test_a_death_in_the_search_for_a_lost_task_loses_nothing(stage, seed):
    """While a doubt is being settled, each step of that may be the last as well."""
    lost = Point(f"before {POST} is heard, its answer is at the door", 1)
    batch = stage.batch(PICTURE).write()
    batch.run(die_at=lost)
    search = batch.run().points
    span = Span("before commit RunStarted", "before GET a result has a connection").of(search)
    for point in some_of(span, 6, seed):
        dies_and_recovers(stage, PICTURE, lost, point)


@pytest.mark.fault(20)
def test_a_lock_whose_holder_died_is_no_obstacle(stage):
    """The dead run's name still stands in the lock file, and the next run goes on at once."""
    batch = stage.batch(PICTURE).write()
    assert batch.run(die_at=Point("before GET a task has a connection", 1)).died
    assert '"pid"' in (batch.output / ".batchgen" / "lock").read_text()
    end = batch.run()
    assert end.code == 0
    assert not batch.broken_at_the_end()
