"""What becomes of a job whose worker raised what nobody expected: a bug of ours.

It stops that job and no other. The run goes on, and ends with the bug's traceback: exit 70. Rules:

* What may have been paid for is not given up: a task is parked, and the next run takes it up again.
* A request that was about to leave is in doubt, and held: to send it again could buy it twice, and
  to search for it would, where the bug strikes every time, go on without end. The next run asks the
  service's list.
* Reasons name the place in the program, never the words of an exception, which may hold a key.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import PurePath

from batchgen.core import facts as f
from batchgen.core.actions import Action, Prepare, Search, Submit
from batchgen.core.job import Job
from batchgen.core.news import News
from batchgen.runner.outcome import Outcome, about, about_need

BUG = "Bug"
"""The code of what failed by it."""


def mishap(action: Action, jobs: Iterable[Job], error: Exception, now: float) -> Outcome:
    """The outcome of an action that ended in an unexpected exception; ``jobs`` are those it was
    about.
    """
    facts = tuple(fact for job in jobs for fact in _facts(action, job, reason_of(error), now))
    return Outcome(facts, bug=error, news=News(answered=False))


def reason_of(error: Exception) -> str:
    """Where the program went wrong, in words that are safe to record."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {PurePath(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"a bug of batchgen: {type(error).__name__}{place}"


def _facts(action: Action, job: Job, reason: str, now: float) -> tuple[f.Fact, ...]:
    match action:
        case Prepare(need=need) if need.kind == f.CHECK:
            says = about_need(job, need, now)
            lost = f.CheckLost(**says, until=now, reason=reason)
            return lost, f.CheckRefused(**says, code=BUG, message=reason)
        case Prepare(need=need):
            return (f.UploadRefused(**about_need(job, need, now), code=BUG, message=reason),)
        case Submit():
            held = f.Held(**about(job, now), reason=reason)
            return f.SubmitLost(**about(job, now), reason=reason), held
        case Search():
            return (f.Held(**about(job, now), reason=reason),)
        case _:
            return (f.Parked(**about(job, now), reason=reason),)
