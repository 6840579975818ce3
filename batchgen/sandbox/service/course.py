"""What is to become of a task, decided when it is made and stored with it.

Rules.
1. The times are drawn first, whatever comes of the task, so that the same prompt and seed as the
   same task of another day take the same time.
2. A flawed request fails at inspection, seconds after the submit. So does one whose fate is to fail
   at once.
3. What renders longer than three hours fails then (Error messages, `InternalError.Timeout`). Only a
   task that is stuck by a fault is stuck for ever: that is what the fault is for.
"""

from __future__ import annotations

from math import inf
from random import Random
from typing import NamedTuple

from batchgen.sandbox.faults import Fail, Partial, Slow, Stuck, refusals
from batchgen.sandbox.faults.actions import Fate
from batchgen.sandbox.models import Flaw, Model
from batchgen.sandbox.orders import Order

INSPECTION = (1.0, 3.0)
"""Seconds until a flawed request fails."""

LONGEST = 3 * 3600.0
"""Seconds of rendering."""

TIMEOUT = "InternalError.Timeout"
CHANCES = ("InternalError", "InternalError.Algo", "InternalError.FileUpload", TIMEOUT)
"""What a task fails with that fails by chance."""


class Course(NamedTuple):
    """The wait and the rendering in seconds (None: fails at inspection), the error, and what is
    made.
    """

    wait: float
    run: float | None
    code: str | None
    message: str | None
    work: Order | None


def course_of(
    model: Model, work: Order | Flaw, fate: Fate | None, rng: Random, failure_rate: float
) -> Course:
    shortest, usual, longest = model.run
    wait, run = rng.uniform(*model.queue), rng.triangular(shortest, longest, usual)
    inspected, chance = rng.uniform(*INSPECTION), rng.random()
    if isinstance(work, Flaw):
        return Course(inspected, None, work.code, work.message, None)
    course = Course(wait, run, None, None, work)
    match fate:
        case Fail(code, message, None):
            return Course(inspected, None, code, message, work)
        case Fail(code, message, rendering):
            course = Course(wait, rendering, code, message, work)
        case Stuck(pending=True):
            return Course(inf, None, None, None, work)  # outside the queue, which goes on
        case Stuck():
            return course._replace(run=inf)
        case Slow(factor):
            course = course._replace(wait=wait * factor, run=run * factor)
        case Partial() if work.images:
            course = _partial(course, work, fate)
        case _ if chance < failure_rate:
            course = _failing(course, rng.choice(CHANCES))
    timed_out = course.run is not None and course.run > LONGEST
    return _failing(course, TIMEOUT) if timed_out else course


def _failing(course: Course, code: str) -> Course:
    run = LONGEST if code == TIMEOUT else course.run
    return course._replace(run=run, code=code, message=refusals.SERVICE[code].message)


def _partial(course: Course, work: Order, fate: Partial) -> Course:
    """Where all images fail, the task does."""
    places = sorted(set(fate.places) & set(range(1, work.images + 1)))
    work = work.failing(tuple((place, fate.code, fate.message) for place in places))
    if not work.made:
        return course._replace(code=fate.code, message=fate.message)
    return course._replace(work=work)
