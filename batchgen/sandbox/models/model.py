"""One model of the service: everything that sets it apart from the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from batchgen.sandbox.models.geometry import AnyGeometry
from batchgen.sandbox.models.media import CHECKED, INF, Media
from batchgen.sandbox.models.prices import Currency, Prices, prices_in

_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Path(StrEnum):
    """Where a model takes its requests, below `/services/aigc/`."""

    VIDEO = "video-generation/video-synthesis"
    IMAGE_TO_VIDEO = "image2video/video-synthesis"
    FACE_DETECT = "image2video/face-detect"
    TEXT_TO_IMAGE = "text2image/image-synthesis"
    IMAGE_TO_IMAGE = "image2image/image-synthesis"
    IMAGE_GENERATION = "image-generation/generation"
    MULTIMODAL = "multimodal-generation/generation"

    @property
    def synchronous(self) -> bool:
        """Whether the answer is the result itself, and there is no task."""
        return self in {Path.FACE_DETECT, Path.MULTIMODAL}


class Shape(StrEnum):
    """How the result stands in `output`."""

    VIDEO_URL = "video_url"
    RESULT = "result"
    """`results` is an object that holds the `video_url`."""
    RESULTS = "results"
    """`results` is a list, and `task_metrics` counts it."""
    CHOICES = "choices"
    DETECTION = "detection"


class Usage(StrEnum):
    """The keys of `usage`."""

    DURATION = "duration"
    INPUT_VIDEO_DURATION = "input_video_duration"
    OUTPUT_VIDEO_DURATION = "output_video_duration"
    VIDEO_DURATION = "video_duration"
    VIDEO_RATIO = "video_ratio"
    VIDEO_COUNT = "video_count"
    FPS = "fps"
    SR = "SR"
    RATIO = "ratio"
    SIZE = "size"
    AUDIO = "audio"
    IMAGE_COUNT = "image_count"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    TOTAL_TOKENS = "total_tokens"


class Sound(StrEnum):
    NEVER = "never"
    ALWAYS = "always"
    ASKED = "asked"
    """`parameters.audio`, on unless told otherwise."""


@dataclass(frozen=True, slots=True, config=CHECKED)
class Duration:
    """How long a video is."""

    least: int = 0
    most: int = 0
    of: tuple[int, ...] = ()
    """Instead of `least` and `most`: the lengths there are."""
    default: int = 5
    follows: str = ""
    """The role whose length the result takes where none, or 0, is asked for. It is cut to what is
    asked, and to `most` if there is one.
    """
    asked: bool = True
    """Whether the request has a say in it."""
    chosen: bool = False
    """-1 lets the model decide."""
    with_video: int = 0
    """The longest when a video is among the references."""
    together: float = INF
    """Of the given videos and the result, at most."""


@dataclass(frozen=True, slots=True, config=CHECKED)
class Images:
    """How many images a request makes."""

    default: int
    most: int = 4
    field: str = "n"
    together: bool = False
    """All in one answer; the number asked for is the highest there can be."""
    story: bool = False
    """With text between them."""


@dataclass(frozen=True, slots=True, config=CHECKED)
class Option:
    """What a parameter may be where it is given: one of some values, or a number in a range."""

    of: tuple[str | bool | int, ...] = ()
    least: float = -INF
    most: float = INF
    complaint: str = ""
    """The service's own words, where they are known."""


@dataclass(frozen=True, slots=True, config=CHECKED)
class BilledInput:
    """Given video that is billed like the result's."""

    roles: tuple[str, ...]
    most: float = INF
    """Seconds in total."""
    as_result: bool = False
    """No more of it than the result is long."""


@dataclass(frozen=True, slots=True, config=CHECKED)
class Model:
    """Times are seconds."""

    name: str
    paths: tuple[Path, ...]
    """The first is its own, by which the task list names it."""
    shape: Shape
    geometry: AnyGeometry
    usage: tuple[Usage, ...]
    prompt_limit: int
    """Characters; the rest is cut without a word, as the service does. 0: reads no prompt."""
    price: Mapping[Currency, Prices]
    """The lists that have it."""
    required: tuple[str, ...] = ("input.prompt",)
    """Missing at submit: refused."""
    needed: tuple[str, ...] = ()
    """Missing: accepted, then failed; `a|b` needs one of them."""
    media: Media = Media()
    options: Mapping[str, Option] = field(default_factory=dict)
    drawings: bool = False
    """Takes `bbox_list` and `color_palette`."""
    duration: Duration | None = None
    images: Images | None = None
    sound: Sound = Sound.NEVER
    fps: int = 30
    echoes: bool = True
    """Answers with `orig_prompt`."""
    rewrites: bool = False
    """Answers with `actual_prompt` when the prompt was extended."""
    thinks: bool = False
    """Counts tokens, though nobody pays for them."""
    float_seconds: bool = False
    """Writes lengths with a fraction, even where it is none."""
    billed_input: BilledInput | None = None
    per_second: PositiveInt = 5
    running: PositiveInt = 5
    queue_length: NonNegativeInt = 500
    queue: tuple[_Seconds, _Seconds] = (7.0, 10.0)
    """Shortest and longest wait for the start when a slot is free."""
    run: tuple[_Seconds, _Seconds, _Seconds] = (120.0, 260.0, 420.0)
    """Shortest, usual and longest rendering."""
    functions: Mapping[str, Model] = field(default_factory=dict)
    """What `input.function` makes of it; empty where the field is not read."""
    modes: Mapping[str, Model] = field(default_factory=dict)
    """What it is with `interleave`, in a `sequential` request, and with nothing but `text`."""
    currency: Currency = Currency.USD
    """What is paid in."""

    def __post_init__(self) -> None:
        if not self.price:
            raise ValueError("price lacks a list")
        for currency, prices in self.price.items():
            lacking = [grade for grade in self._grades if grade not in prices]
            if lacking:
                raise ValueError(f"price in {currency} lacks {', '.join(lacking)}")

    def sold_in(self, currency: Currency) -> Self:
        """The same model where this is paid in."""
        functions, modes = (
            {name: variant.sold_in(currency) for name, variant in variants.items()}
            for variants in (self.functions, self.modes)
        )
        return replace(self, currency=currency, functions=functions, modes=modes)

    @property
    def prices(self) -> Prices:
        return prices_in(self.currency, self.price)

    @property
    def path(self) -> Path:
        return self.paths[0]

    @property
    def is_image(self) -> bool:
        return self.images is not None

    @property
    def _grades(self) -> tuple[str, ...]:
        """What a price may depend on."""
        if self.is_image:
            return ("image",)
        mode = self.options.get("mode")
        return tuple(map(str, mode.of)) if mode else self.geometry.tiers
