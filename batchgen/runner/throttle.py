"""How long questions wait that the service has throttled: ever longer, by the occasion.

Many are under way at once, and all of them may be refused for the same reason. So only one that
left after the last wait was over makes the next one longer.
"""

from __future__ import annotations

import math

from batchgen.core.policy import backoff
from batchgen.dashscope.answers import NoAnswer
from batchgen.runner.errand import Errand


class Throttle:
    """Of all questions of a run."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._times = 0
        self._until = -math.inf

    def wait_until(self, answer: NoAnswer, *, asked_at: float) -> float:
        """The moment before which no question should leave, after this answer to one."""
        if asked_at >= self._until:
            self._times += 1
            wait = backoff(self._times, self._errand.dice.random(), hint=answer.retry_after)
            self._until = self._errand.clock.now() + wait
        return self._until

    def is_over(self) -> None:
        """A question was answered."""
        self._times = 0
