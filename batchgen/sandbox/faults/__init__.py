"""Misbehaviour on demand: rules, each naming a point of a request's way, what happens there, and to
which calls.

    Faults(Rule(Point.TASK_CREATED, Reset(), calls={1}))                  # the first submit's
    answer is lost Faults(Rule(Point.SUBMIT, Answer(503, "Throttling", "..."), calls={2, 3}))
    Faults(Rule(Point.TASK, Fail(), prompt="forbidden"))                  # moderation

A rule counts only the calls it matches, from one. Of several rules that apply the first decides;
all of them count.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from enum import StrEnum


class Point(StrEnum):
    SUBMIT = "submit"
    """A POST has been read; no task exists yet."""
    TASK = "task"
    """A task is about to be created: its fate is decided, and stored with it."""
    TASK_CREATED = "task created"
    """The task is durable; the answer is not yet written."""
    QUERY = "query"
    """A GET of one task."""
    LIST = "list"
    RESULT = "result"
    """A download of a result, whose signature is right."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer with an error of the service instead."""

    status: int
    code: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the connection without an answer."""


@dataclass(frozen=True, slots=True)
class CutShort:
    """Announce the whole length, send the first `size` bytes, reset the connection."""

    size: int


@dataclass(frozen=True, slots=True)
class Fail:
    """The task fails: at inspection, seconds after the submit, or after `rendering` seconds in a
    slot.
    """

    code: str = "DataInspectionFailed"
    message: str = "Input data may contain inappropriate content."
    rendering: float | None = None


@dataclass(frozen=True, slots=True)
class Stuck:
    """The task stays RUNNING, and keeps its slot, for ever."""


Action = Answer | Reset | CutShort | Fail | Stuck

_POSSIBLE: dict[Point, tuple[type[Action], ...]] = {
    Point.SUBMIT: (Answer, Reset),
    Point.TASK: (Fail, Stuck),
    Point.TASK_CREATED: (Answer, Reset),
    Point.QUERY: (Answer, Reset),
    Point.LIST: (Answer, Reset),
    Point.RESULT: (Answer, Reset, CutShort),
}


@dataclass(slots=True)
class Rule:
    """`calls` are numbers of matching calls (None: all); `model` and `prompt` (a part of it) narrow
    the match.
    """

    point: Point
    action: Action
    calls: Container[int] | None = None
    model: str = ""
    prompt: str = ""
    seen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.action, _POSSIBLE[self.point]):
            raise TypeError(f"{type(self.action).__name__} cannot happen at {self.point.value!r}")

    def applies(self, point: Point, model: str, prompt: str) -> bool:
        """Counts the call when it matches."""
        if point is not self.point or self.model not in ("", model) or self.prompt not in prompt:
            return False
        self.seen += 1
        return self.calls is None or self.seen in self.calls


class Faults:
    def __init__(self, *rules: Rule) -> None:
        self.rules = list(rules)

    def at(self, point: Point, *, model: str = "", prompt: str = "") -> Action | None:
        """What goes wrong with this call, if anything."""
        applying = [rule for rule in self.rules if rule.applies(point, model, prompt)]
        return applying[0].action if applying else None
