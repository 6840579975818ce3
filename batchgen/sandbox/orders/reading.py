"""From a request and its media to the `Order`: what is rendered, billed and echoed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from batchgen.sandbox.models import Images, Model, Option, Sound, invalid
from batchgen.sandbox.orders.drawings import check_drawings
from batchgen.sandbox.orders.lengths import billed_input, check_sums, result_seconds
from batchgen.sandbox.orders.order import Input, Order
from batchgen.sandbox.orders.requests import function_of, prompt_of, section, variant

MOST_SEED = 2_147_483_647


def read(model: Model, body: Mapping[str, Any], inputs: Sequence[Input], rng: Random) -> Order:
    """The order a request amounts to; `rng` decides what the request left open. Raises Flaw."""
    function = function_of(model, body)
    model = variant(model, body)
    parameters = section(body, "parameters")
    _check_options(model, parameters)
    if model.drawings:
        check_drawings(parameters, inputs)
    check_sums(model, inputs)
    frame = model.geometry.frame(parameters, _shape(model, inputs))
    seconds = result_seconds(model, parameters, inputs, rng)
    billed = billed_input(model, inputs, seconds)
    images = _images(model.images, parameters, rng) if model.images else 0
    sound = model.sound is Sound.ALWAYS or (
        model.sound is Sound.ASKED and parameters.get("audio") is not False
    )
    mode = str(parameters.get("mode")) if "mode" in model.options else ""
    rate = _rate(model, mode or frame.tier, sound=sound)
    return Order(
        model=model.name,
        prompt=prompt_of(model, body),
        seed=_seed(parameters, rng),
        width=frame.width,
        height=frame.height,
        tier=frame.tier,
        ratio=frame.ratio,
        seconds=seconds,
        fps=model.fps,
        sound=sound,
        images=images,
        together=model.images is not None and model.images.together,
        story=model.images is not None and model.images.story,
        extend=parameters.get("prompt_extend") is not False,
        watermark=True in (parameters.get("watermark"), section(body, "input").get("watermark")),
        inputs=tuple(inputs),
        cost=round((images or seconds + billed) * rate),
        function=function,
        mode=mode,
        input_seconds=billed,
    )


def _check_options(model: Model, parameters: Mapping[str, Any]) -> None:
    for name, option in model.options.items():
        value = parameters.get(name)
        if value is not None and not _allows(option, value):
            raise invalid(option.complaint or f"{name} must be {_in_words(option)}")


def _allows(option: Option, value: object) -> bool:
    if option.of:
        return any(value == one and type(value) is type(one) for one in option.of)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and option.least <= value <= option.most  # type: ignore[operator]


def _in_words(option: Option) -> str:
    if option.of:
        return f"one of {', '.join(map(str, option.of))}"
    return f"in [{option.least:g}, {option.most:g}]"


def _shape(model: Model, inputs: Sequence[Input]) -> tuple[int, int] | None:
    """Of the first medium that lends its own."""
    for given in inputs:
        slot = model.media.slot_of(given.role)
        if slot and slot.shapes and given.shape:
            return given.shape
    return None


def _images(rule: Images, parameters: Mapping[str, Any], rng: Random) -> int:
    asked = parameters.get(rule.field, rule.default)
    if isinstance(asked, bool) or not isinstance(asked, int) or not 1 <= asked <= rule.most:
        raise invalid(f"{rule.field} must be in [1, {rule.most}]")
    # The number is an upper bound where all images come in one answer: the model decides.
    return rng.randint((asked + 1) // 2, asked) if rule.together else asked


def _seed(parameters: Mapping[str, Any], rng: Random) -> int:
    drawn = rng.randint(0, MOST_SEED)
    asked = parameters.get("seed")
    if asked is None:
        return drawn
    if isinstance(asked, bool) or not isinstance(asked, int) or not 0 <= asked <= MOST_SEED:
        raise invalid(f"seed must be in [0, {MOST_SEED}]")
    return asked


def _rate(model: Model, grade: str, *, sound: bool) -> int:
    """Micro-units of the model's currency per second or image."""
    prices = model.prices
    if model.is_image:
        return prices["image"]
    silent = f"{grade} silent"
    return prices[silent if not sound and silent in prices else grade]
