"""Rules: where something goes wrong, what, and to which calls.

A rule counts only the calls it matches, from one. Of several rules that apply to a call the first
decides; all of them count. A condition (other limits, a list that lags) is no event of one call: it
is in force from the call that begins it to the call that ends it, and as long as its time lasts.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from math import inf

from batchgen.sandbox.faults.actions import (
    Action,
    Answer,
    Corrupt,
    CutShort,
    Delay,
    Drip,
    Endless,
    Fail,
    Flap,
    Gzip,
    Lag,
    Limits,
    Omit,
    Page,
    Partial,
    Redirect,
    Reset,
    Slow,
    Stall,
    Stuck,
    WrongLength,
)


class Point(StrEnum):
    """A point on a request's way. Those before the work have a counterpart after it."""

    SUBMIT = "submit"
    """A POST for a task; none exists yet."""
    TASK = "task"
    """A task is about to be created: its fate is decided, and stored with it."""
    TASK_CREATED = "task created"
    """The task is durable; the answer is not yet written."""
    GENERATE = "generate"
    """A POST that is answered with its result, whole or as a stream; nothing is made yet."""
    GENERATED = "generated"
    """The result is made and billed; the answer is not yet written."""
    CANCEL = "cancel"
    CANCELED = "canceled"
    UPLOAD = "upload"
    """A form with a local file; nothing is stored yet."""
    UPLOADED = "uploaded"
    QUERY = "query"
    """A GET of one task that would be answered."""
    LIST = "list"
    POLICY = "policy"
    """A GET of the policy that an upload needs."""
    LIMITS = "limits"
    """A question about a model's limits."""
    RESULT = "result"
    """A download of a result, whose signature is right."""


_BEFORE = (Answer, Page, Redirect, Reset, Stall, Delay)
_ANSWERED = (*_BEFORE, Drip, CutShort, Corrupt, WrongLength, Gzip, Endless)

POSSIBLE: dict[Point, tuple[type[Action], ...]] = {
    Point.SUBMIT: (*_BEFORE, Limits),
    Point.TASK: (Fail, Stuck, Slow, Partial),
    Point.TASK_CREATED: _ANSWERED,
    Point.GENERATE: (*_BEFORE, Limits),
    Point.GENERATED: _ANSWERED,
    Point.CANCEL: _BEFORE,
    Point.CANCELED: _ANSWERED,
    Point.UPLOAD: _BEFORE,
    Point.UPLOADED: _ANSWERED,
    Point.QUERY: (*_ANSWERED, Flap),
    Point.LIST: (*_ANSWERED, Omit, Lag),
    Point.POLICY: _ANSWERED,
    Point.LIMITS: _ANSWERED,
    Point.RESULT: _ANSWERED,
}
"""What can happen where: nothing is damaged before it is made."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a request, or of a task that is about to be made."""

    model: str = ""
    prompt: str = ""
    account: str = ""
    status: str = ""
    """Of the task that is asked for."""
    task: str = ""


@dataclass(slots=True)
class Rule:
    """Something that goes wrong.

    `calls` are numbers of matching calls (None: all). The match is narrowed by `model` (`*` stands
    for any characters), `prompt` (a part of it, upper and lower case alike), `account` and the
    `status` of the task; and by time, in seconds of the sandbox's clock: `during` so many, `after`
    so many since the sandbox was opened. Raises TypeError for an action that cannot happen there.
    """

    point: Point
    action: Action
    calls: Container[int] | None = None
    model: str = ""
    prompt: str = ""
    account: str = ""
    status: str = ""
    after: float = 0.0
    during: float = inf
    name: str = ""
    seen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.action, POSSIBLE[self.point]):
            raise TypeError(f"{type(self.action).__name__} cannot happen at {self.point.value!r}")
        if self.standing and (self.account or self.prompt or self.status):
            raise TypeError("limits and a list's lag are the same for every account and prompt")
        if isinstance(self.action, Lag) and self.model:
            raise TypeError("a list's lag is the same for every model")

    @property
    def standing(self) -> bool:
        return isinstance(self.action, Lag | Limits)

    def applies(self, point: Point, call: Call, elapsed: float) -> bool:
        """Counts the call when it matches."""
        if point is not self.point or not self.matches(call) or not self._in_time(elapsed):
            return False
        self.seen += 1
        return self._chosen()

    def in_force(self, elapsed: float, model: str = "") -> bool:
        """Whether a condition holds now, for this model."""
        return self._fits(model) and self._in_time(elapsed) and self._chosen()

    @property
    def begins(self) -> bool:
        """Whether the call counted last is the first of a row of chosen ones."""
        return self.seen == 1 or (self.calls is not None and self.seen - 1 not in self.calls)

    def matches(self, call: Call) -> bool:
        """Whether it is about this call; it does not count it."""
        return (
            self._fits(call.model)
            and self.account in ("", call.account)
            and self.status in ("", call.status)
            and self.prompt.casefold() in call.prompt.casefold()
        )

    def _fits(self, model: str) -> bool:
        return not self.model or fnmatchcase(model, self.model)

    def _in_time(self, elapsed: float) -> bool:
        return self.after <= elapsed < self.after + self.during

    def _chosen(self) -> bool:
        return self.calls is None or self.seen in self.calls
