"""All rules over one sandbox: what goes wrong with a call, and what has gone wrong so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from batchgen.sandbox.faults.actions import Action, Fate, InForce, Lag, Limits, in_words
from batchgen.sandbox.faults.rules import Call, Point, Rule

REMEMBERED = 1000
"""Faults that fired, of which the last are kept."""


@dataclass(frozen=True, slots=True)
class Fired:
    """A fault that happened."""

    time: float
    """Unix seconds of the sandbox's clock."""
    rule: str
    """The rule's name, "" where it has none."""
    point: Point
    what: str
    """The kind and its settings, in words."""
    call: int
    """Which of the calls that the rule matched."""
    model: str
    account: str
    task: str
    """Its id, "" where there is none yet."""


class Faults:
    """The rules, in their order. A sandbox has one; tests may change its rules while it runs."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = list(rules)
        self.fired: deque[Fired] = deque(maxlen=REMEMBERED)
        """The last faults that fired, oldest first."""
        self.fired_total = 0
        self.begin(lambda: 0.0)

    def begin(self, now: Callable[[], float]) -> None:
        """The sandbox was opened: this is its clock, and here the rules' time begins."""
        self._now = now
        self._origin = now()

    def watches(self, point: Point, call: Call | None = None) -> bool:
        """Whether any rule is about this point, and about this call, now or at another time."""
        return any(
            rule.point is point and (call is None or rule.matches(call)) for rule in self.rules
        )

    def at(
        self,
        point: Point,
        *,
        model: str = "",
        prompt: str = "",
        account: str = "",
        status: str = "",
        task: str = "",
    ) -> Action | None:
        """What goes wrong with this call, if anything."""
        return self.meets(point, Call(model, prompt, account, status, task))

    def meets(self, point: Point, call: Call) -> Action | None:
        """What goes wrong with this call, if anything."""
        elapsed = self._now() - self._origin
        applying = [rule for rule in self.rules if rule.applies(point, call, elapsed)]
        for rule in applying:
            if rule.standing and rule.begins:
                self._record(rule, call)
        decides = next((rule for rule in applying if not rule.standing), None)
        if decides is None:
            return None
        self._record(decides, call)
        return decides.action

    def fate(self, model: str, prompt: str, account: str) -> Fate | None:
        """What is to become of a task that is about to be created, if not what it should."""
        action = self.at(Point.TASK, model=model, prompt=prompt, account=account)
        return cast("Fate | None", action)  # nothing else can happen at this point

    def limits(self, model: str, per_second: int, running: int, queue: int) -> InForce:
        """A model's limits as they are now; those given are its own."""
        own = InForce(per_second, running, queue)
        elapsed = self._now() - self._origin
        for rule in self.rules:
            if isinstance(rule.action, Limits) and rule.in_force(elapsed, model):
                return rule.action.over(own)
        return own

    def list_lag(self, now: float) -> float:
        """How old, in seconds, a task must be to be listed at that time of the clock."""
        for rule in self.rules:
            if isinstance(rule.action, Lag) and rule.in_force(now - self._origin):
                return rule.action.seconds
        return 0.0

    def _record(self, rule: Rule, call: Call) -> None:
        self.fired_total += 1
        self.fired.append(
            Fired(
                time=self._now(),
                rule=rule.name,
                point=rule.point,
                what=in_words(rule.action),
                call=rule.seen,
                model=call.model,
                account=call.account,
                task=call.task,
            )
        )
