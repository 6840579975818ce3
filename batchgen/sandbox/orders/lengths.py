"""How long a result is, and how much given video is billed along with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from random import Random
from typing import Any

from batchgen.sandbox.models import PADDING, Duration, InputKind, Model, invalid
from batchgen.sandbox.orders.order import Input

ASSUMED_SECONDS = 5.0
"""Of a video or sound that was not fetched."""

FREE_SECONDS = (4, 10)
"""What a model picks from when it decides by itself (*chosen*)."""


def seconds_of(inputs: Iterable[Input]) -> float:
    """All of them together, in seconds."""
    return sum(given.seconds or ASSUMED_SECONDS for given in inputs)


def check_sums(model: Model, inputs: Sequence[Input]) -> None:
    """Raises Flaw when media are longer together than the model takes."""
    for total in model.media.sums:
        seconds = sum(given.seconds for given in inputs if given.role in total.roles)
        if seconds > total.seconds + PADDING:
            raise invalid(
                f"the total duration of {', '.join(total.roles)} must not exceed "
                f"{total.seconds:g} seconds, not {seconds:.2f}"
            )


def result_seconds(
    model: Model, parameters: Mapping[str, Any], inputs: Sequence[Input], rng: Random
) -> float:
    """The length of the video; 0 for images. Raises Flaw."""
    rule = model.duration
    if rule is None:
        return 0
    source = [given for given in inputs if rule.follows and given.role == rule.follows][:1]
    asked = _asked(rule, parameters, inputs, rng) if rule.asked else 0
    if not source:
        return asked or rule.default
    longest = min(seconds_of(source), rule.most or float("inf"))
    return _written(model, min(asked or longest, longest))


def billed_input(model: Model, inputs: Sequence[Input], result: float) -> float:
    """Seconds of given video that are billed like the result's (Model pricing, 2026-05)."""
    rule = model.billed_input
    if rule is None:
        return 0
    seconds = seconds_of(given for given in inputs if given.role in rule.roles)
    return _written(model, min(seconds, rule.most, result if rule.as_result else seconds))


def _asked(
    rule: Duration, parameters: Mapping[str, Any], inputs: Sequence[Input], rng: Random
) -> int:
    given = [one for one in inputs if one.kind is InputKind.VIDEO]
    asked = parameters.get("duration", rule.default)
    if asked == -1 and rule.chosen:
        return rng.randint(*FREE_SECONDS)
    most = rule.with_video if given and rule.with_video else rule.most
    allowed = rule.of or range(rule.least, most + 1)
    if isinstance(asked, bool) or asked not in allowed:
        raise invalid(f"duration must be one of {[*allowed]}, not {str(asked)[:20]}")
    if asked + sum(one.seconds for one in given) > rule.together:
        raise invalid(f"input and output must not exceed {rule.together:g} seconds together")
    return int(asked)


def _written(model: Model, seconds: float) -> float:
    """As the usage has it; whole seconds of what is not are rounded up (*chosen*)."""
    return round(seconds, 2) if model.float_seconds else ceil(round(seconds, 2))
