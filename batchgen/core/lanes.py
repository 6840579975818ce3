"""One account and model: what is in flight there, and when the next submit may leave.

The service counts its limits per main account and model. Submits of one lane leave one after
another, never side by side: at the documented rates that loses nothing, and it keeps a lost answer
small. While an answer is sought on the service's list, no request is sent that the list could not
tell from it: one of the same prompt, or any where one of the two has no prompt to compare. Where
the answer to a POST is the result itself there is no task to be found later, nor mistaken: these
may wait for their answers side by side, for minutes.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from batchgen.core import facts as f
from batchgen.core.policy import LONGEST_PAUSE, RETENTION, LaneLimits

NEVER = float("inf")

LaneKey = tuple[str, str]
"""Account and model."""


@dataclass(slots=True)
class Gate:
    """What the service has said to an account, or to one model of it: wait, or stop."""

    paused_until: float = 0.0
    pauses: int = 0
    """Pauses in a row, without a submit that got through."""
    reason: str | None = None
    stopped: f.LaneStopped | None = None

    def after(self, fact: f.LanePaused | f.LaneStopped) -> None:
        if isinstance(fact, f.LaneStopped):
            self.stopped = fact
            return
        self.paused_until = max(self.paused_until, fact.until)
        self.pauses += 1
        self.reason = fact.reason

    def got_through(self) -> None:
        """The service took a request: the next pause starts small again."""
        self.pauses = 0

    def reopen(self, now: float) -> None:
        """A new run: a stop is tried anew, and a pause is never longer than the longest one."""
        self.stopped = None
        self.paused_until = min(self.paused_until, now + LONGEST_PAUSE)


@dataclass(slots=True)
class Lane:
    """The submits of one account and model."""

    account: str
    model: str
    limits: LaneLimits
    gate: Gate = field(default_factory=Gate)
    submitting: int = 0
    """POSTs under way."""
    posting: int = 0
    """Those of them that make a task: 0 or 1."""
    at_service: int = 0
    """Tasks submitted and not seen terminal."""
    sent_at: float = 0.0
    """When the newest request left."""
    sought: Counter[str] = field(default_factory=Counter)
    """How many lost answers are sought on the service's list, by the likeness of their requests."""
    answered: deque[tuple[float, str]] = field(default_factory=deque)
    """The tasks that answers have named since the list began, and when."""
    rendered: int = 0
    render_seconds: float = 0.0

    def __repr__(self) -> str:
        return (
            f"<Lane {self.account}/{self.model}: {self.submitting} submitting,"
            f" {self.at_service} at the service>"
        )

    @property
    def key(self) -> LaneKey:
        return self.account, self.model

    @property
    def in_flight(self) -> int:
        return self.submitting + self.at_service

    @property
    def mean_render_seconds(self) -> float | None:
        """From submit to seen success, over all tasks of the batch."""
        return self.render_seconds / self.rendered if self.rendered else None

    def opens_at(self, account: Gate, paced: float) -> float:
        """The moment from which the next submit may leave, ``paced`` at the soonest; NEVER while
        something must happen.
        """
        if self.posting or self.gate.stopped or account.stopped:
            return NEVER
        return max(paced, self.gate.paused_until, account.paused_until)

    def seek(self, likeness: str, change: int) -> None:
        """So many more lost answers of this likeness are sought, or fewer."""
        self.sought[likeness] += change
        if not self.sought[likeness]:
            del self.sought[likeness]

    def named(self, since: float, until: float) -> Iterator[str]:
        """The tasks that answers have named between these moments."""
        return (task_id for at, task_id in self.answered if since <= at <= until)

    def submit_started(self, at: float) -> None:
        self.sent_at = at

    def submitted(self, at: float, task_id: str) -> None:
        while self.answered and self.answered[0][0] < at - RETENTION:
            self.answered.popleft()
        self.answered.append((at, task_id))

    def reopen(self, now: float) -> None:
        """A new run, perhaps under a clock that was set back: no wait outlives its length."""
        self.gate.reopen(now)
        self.sent_at = min(self.sent_at, now)
