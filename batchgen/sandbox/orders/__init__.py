"""From a request body to an `Order`: what will be rendered, billed and echoed.

Two kinds of complaint. A missing required field is a `Refusal` at submit; everything that needs a
closer look (sizes, lengths, media) is a `Flaw`: the service accepts the request and fails the task
a moment later. Unknown fields are ignored and an over-long prompt is cut, as the service does,
without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from batchgen.sandbox.models import FPS, Model, Sound
from batchgen.sandbox.models.geometry import Flaw, Frame

MOST_SEED = 2_147_483_647

PICTURE_TYPES = frozenset({"first_frame", "reference_image"})
"""The `media[].type` whose picture shows in the result."""


class Refusal(Exception):
    """An answer other than 200: HTTP status, the service's code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Picture:
    """An input picture: the digest of its stored bytes ("" when there are none), and words for
    where it came from.
    """

    digest: str
    source: str
    width: int = 0
    height: int = 0

    @property
    def shape(self) -> tuple[int, int] | None:
        return (self.width, self.height) if self.width else None


@dataclass(frozen=True, slots=True)
class Order:
    """What a task makes. Everything the answers and the renderer need, so that a task can be stored
    as this.
    """

    model: str
    prompt: str
    seed: int
    width: int
    height: int
    tier: str
    ratio: str
    seconds: int
    fps: int
    sound: bool
    images: int
    together: bool
    """All images in one choice (sequential and interleaved answers)."""
    story: bool
    """Text between the images (interleaved answers)."""
    extend: bool
    watermark: bool
    picture: Picture | None
    cost: int
    """Micro-USD, due on success."""
    label: str = ""
    """What the client calls the job, where it says so; no part of the service's own language."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Order:
        picture = values["picture"]
        return cls(**{**values, "picture": Picture(**picture) if picture else None})


def section(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """`input` or `parameters`; anything but an object counts as empty."""
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def check_required(model: Model, body: Mapping[str, Any]) -> None:
    """The cheap check at submit. Raises Refusal (400 `InvalidParameter`, "Field required: ...")."""
    for path in model.required:
        if not _present(path, body):
            raise Refusal(400, "InvalidParameter", f"Field required: {path}")


def picture_urls(model: Model, body: Mapping[str, Any]) -> list[str]:
    """The pictures a request gives, first the one that shapes the result. Raises Flaw for what the
    model forbids.
    """
    for path in model.needed:
        if not any(_present(alternative, body) for alternative in path.split("|")):
            raise Flaw("InvalidParameter", f"Field required: {path.replace('|', ' or ')}")
    given = section(body, "input").get(model.picture)
    if model.media is not None:
        return _media_urls(model, given or [])
    if model.picture == "messages":
        if not _message_parts(given, "text"):
            raise Flaw("InvalidParameter", "input.messages must hold one user message with a text")
        given = _message_parts(given, "image")
    urls = _listed(given)
    _check_count(model, len(urls), body)
    return urls


def read(model: Model, body: Mapping[str, Any], picture: Picture | None, rng: Random) -> Order:
    """The order a request amounts to; `rng` decides what the request left open. Raises Flaw."""
    parameters = section(body, "parameters")
    frame = model.geometry.frame(parameters, picture.shape if picture else None)
    seconds = 0 if model.is_image else _seconds(model, parameters, rng)
    story = model.is_image and parameters.get("enable_interleave") is True
    together = story or (model.is_image and parameters.get("enable_sequential") is True)
    images = _images(model, parameters, together=together, story=story)
    sound = model.sound is Sound.ALWAYS or (
        model.sound is Sound.ASKED and parameters.get("audio") is not False
    )
    return Order(
        model=model.name,
        prompt=prompt_of(model, body),
        seed=_seed(parameters, rng),
        width=frame.width,
        height=frame.height,
        tier=frame.tier,
        ratio=frame.ratio,
        seconds=seconds,
        fps=FPS,
        sound=sound,
        images=images,
        together=together,
        story=story,
        extend=parameters.get("prompt_extend") is not False,
        watermark=parameters.get("watermark") is True,
        picture=picture,
        cost=images * model.price["image"]
        if images
        else seconds * _rate(model, frame, sound=sound),
    )


def prompt_of(model: Model, body: Mapping[str, Any]) -> str:
    """The prompt, cut to the model's limit; "" when there is none."""
    given = section(body, "input")
    if model.picture == "messages":
        text = "".join(map(str, _message_parts(given.get("messages"), "text")))
    else:
        text = given.get("prompt") or ""
    return str(text)[: model.prompt_limit]


def _present(path: str, body: Mapping[str, Any]) -> bool:
    part, _, field = path.partition(".")
    return bool(section(body, part).get(field))


def _listed(given: Any) -> list[str]:
    items = given if isinstance(given, list) else [given]
    return [item for item in items if isinstance(item, str) and item]


def _message_parts(messages: Any, kind: str) -> list[str]:
    match messages:
        case [{"content": list(parts)}]:
            return [part[kind] for part in parts if isinstance(part, dict) and kind in part]
    return []


def _check_count(model: Model, count: int, body: Mapping[str, Any]) -> None:
    least, most = model.pictures
    if section(body, "parameters").get("enable_interleave") is True:
        least, most = 0, 1
    if model.is_image and not least <= count <= most:
        raise Flaw(
            "InvalidParameter", f"the number of images must be in [{least}, {most}], not {count}"
        )


def _media_urls(model: Model, media: Any) -> list[str]:
    assert model.media is not None
    items = [item for item in media if isinstance(item, dict)] if isinstance(media, list) else []
    kinds = [str(item.get("type")) for item in items]
    if not any(group.issuperset(kinds) for group in model.media.groups):
        raise Flaw(
            "InvalidParameter", "The two modes are mutually exclusive: " + ", ".join(kinds)[:80]
        )
    if model.media.needs and model.media.needs.isdisjoint(kinds):
        raise Flaw("InvalidParameter", f"media needs one of {', '.join(sorted(model.media.needs))}")
    for kind in kinds:
        if kinds.count(kind) > model.media.most.get(kind, 1):
            raise Flaw("InvalidParameter", f"too many media of the type {kind}")
    return [str(item.get("url")) for item in items if item.get("type") in PICTURE_TYPES]


def _seconds(model: Model, parameters: Mapping[str, Any], rng: Random) -> int:
    asked = parameters.get("duration", model.default_seconds)
    if asked == -1 and model.free_seconds:
        return rng.randint(4, 10)
    if isinstance(asked, bool) or asked not in model.seconds:
        raise Flaw(
            "InvalidParameter", f"duration must be one of {model.seconds}, not {str(asked)[:20]}"
        )
    return int(asked)


def _images(model: Model, parameters: Mapping[str, Any], *, together: bool, story: bool) -> int:
    if not model.is_image:
        return 0
    if story:
        return _within(parameters.get("max_images", 5), "max_images", 5)
    default, most = (12, 12) if together else (model.images, model.most_images)
    return _within(parameters.get("n", default), "n", most)


def _within(value: Any, name: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise Flaw("InvalidParameter", f"{name} must be in [1, {most}]")
    return value


def _seed(parameters: Mapping[str, Any], rng: Random) -> int:
    drawn = rng.randint(0, MOST_SEED)
    asked = parameters.get("seed")
    if asked is None:
        return drawn
    if isinstance(asked, bool) or not isinstance(asked, int) or not 0 <= asked <= MOST_SEED:
        raise Flaw("InvalidParameter", f"seed must be in [0, {MOST_SEED}]")
    return asked


def _rate(model: Model, frame: Frame, *, sound: bool) -> int:
    silent = f"{frame.tier} silent"
    return model.price[silent if not sound and silent in model.price else frame.tier]
