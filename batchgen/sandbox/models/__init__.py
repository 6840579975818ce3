"""The models the sandbox plays: one row each, nothing about a model anywhere else.

Facts are from the Wan API references, the rate-limit page and the price page of Model Studio as of
2026; what no page states is marked *chosen*. Prices are micro-USD of the Singapore list, per second
of video or per image; the price page gives them in CNY, at 7.33924 to the dollar. Every video is 30
frames a second ("Defined specifications: 30 fps, MP4 (H.264 encoding)", QwenCloud, Image to video,
Availability).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from batchgen.sandbox.models.geometry import Geometry, ImageSize, SizeList, Tiers

FPS = 30


class Path(StrEnum):
    """Where a model takes its requests, below `/services/aigc/`."""

    VIDEO = "video-generation/video-synthesis"
    IMAGE_TO_VIDEO = "image2video/video-synthesis"
    TEXT_TO_IMAGE = "text2image/image-synthesis"
    IMAGE_TO_IMAGE = "image2image/image-synthesis"
    IMAGE_GENERATION = "image-generation/generation"


class Shape(StrEnum):
    """How the result stands in `output`."""

    VIDEO_URL = "video_url"
    RESULTS = "results"
    CHOICES = "choices"


class Sound(StrEnum):
    NEVER = "never"
    ALWAYS = "always"
    ASKED = "asked"
    """`parameters.audio`, on unless told otherwise."""


@dataclass(frozen=True, slots=True)
class MediaRule:
    """Which `media[].type` may stand together: those of one group, and at least one of `needs`."""

    groups: tuple[frozenset[str], ...]
    needs: frozenset[str] = frozenset()
    most: Mapping[str, int] = field(default_factory=dict)
    """How often a type may occur; once unless stated."""


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    path: Path
    shape: Shape
    geometry: Geometry
    usage: tuple[str, ...]
    prompt_limit: int
    """Characters; the rest is cut without a word, as the service does."""
    price: Mapping[str, int]
    """Micro-USD by tier, `<tier> silent` where silence is cheaper, or `image`."""
    required: tuple[str, ...] = ("input.prompt",)
    """Missing at submit: refused with 400."""
    needed: tuple[str, ...] = ()
    """Missing: accepted, then FAILED; `a|b` needs one of them."""
    picture: str = ""
    """The field of `input` that holds the picture or pictures."""
    media: MediaRule | None = None
    picture_sides: tuple[int, int] = (240, 8000)
    pictures: tuple[int, int] = (0, 9)
    seconds: tuple[int, ...] = ()
    default_seconds: int = 5
    free_seconds: bool = False
    """`duration: -1` lets the model decide."""
    images: int = 0
    """Images made when `n` is not given; 0 for a video model."""
    most_images: int = 4
    sound: Sound = Sound.NEVER
    rewrites: bool = False
    """Answers with `actual_prompt` when the prompt was extended."""
    float_seconds: bool = False
    per_second: int = 5
    running: int = 5
    queue: tuple[float, float] = (7.0, 10.0)
    """Shortest and longest wait for a free slot's start, in seconds."""
    run: tuple[float, float, float] = (120.0, 260.0, 420.0)
    """Shortest, usual and longest rendering, in seconds."""

    @property
    def is_image(self) -> bool:
        return self.images > 0


# A table is read by its rows: one a model, each saying how it differs from a sibling.
# fmt: off
_T2V_27 = Model(
    "wan2.7-t2v", Path.VIDEO, Shape.VIDEO_URL,
    Tiers(("720P", "1080P"), "1080P", ("16:9", "9:16", "1:1", "4:3", "3:4"), "16:9"),
    ("duration", "input_video_duration", "output_video_duration", "video_count", "SR", "ratio"),
    prompt_limit=5000, price={"720P": 100_000, "1080P": 150_000},
    seconds=tuple(range(2, 16)), sound=Sound.ALWAYS, run=(180, 420, 720),
)
_T2V_26 = replace(
    _T2V_27, name="wan2.6-t2v", geometry=SizeList(("720P", "1080P"), "1920*1080"),
    prompt_limit=1500,
    usage=("duration", "input_video_duration", "output_video_duration", "video_count", "size",
    "SR"),
    run=(200, 270, 310),
)
_T2V_25 = replace(
    _T2V_26, name="wan2.5-t2v-preview", geometry=SizeList(("480P", "720P", "1080P"), "1920*1080"),
    usage=("duration", "SR", "video_count"), seconds=(5, 10), rewrites=True,
    price={"480P": 50_000, "720P": 100_000, "1080P": 150_000},
)
_T2V_22 = replace(
    _T2V_25, name="wan2.2-t2v-plus", geometry=SizeList(("480P", "1080P"), "1920*1080"),
    prompt_limit=800, seconds=(5,), sound=Sound.NEVER, per_second=2, running=2,
    price={"480P": 20_000, "1080P": 100_000},
)
_T2V_21 = replace(
    _T2V_22, name="wan2.1-t2v-turbo", geometry=SizeList(("480P", "720P"), "1280*720"),
    usage=("video_duration", "video_ratio", "video_count"), price={"480P": 36_000, "720P": 36_000},
)

_I2V_26 = replace(
    _T2V_26, name="wan2.6-i2v", geometry=Tiers(("720P", "1080P"), "1080P"),
    required=("input.img_url",),
    picture="img_url", usage=("duration", "input_video_duration", "output_video_duration",
    "video_count", "SR"),
    queue=(0.03, 0.05), run=(55, 66, 90),
)
_I2V_27 = replace(
    _I2V_26, name="wan2.7-i2v", prompt_limit=5000, required=(), needed=("input.media",),
    picture="media",
    media=MediaRule(
        groups=(
            frozenset({"first_frame", "last_frame", "driving_audio"}),
            frozenset({"first_clip", "last_frame"}),
        ),
        needs=frozenset({"first_frame", "first_clip"}),
    ),
    queue=(8.7, 9.5), run=(80, 90, 150),
)
_I2V_25 = replace(
    _I2V_26, name="wan2.5-i2v-preview", geometry=Tiers(("480P", "720P", "1080P"), "1080P"),
    seconds=(5, 10),
    usage=("duration", "SR", "video_count"), rewrites=True, queue=(5, 8), run=(200, 400, 580),
    price={"480P": 50_000, "720P": 100_000, "1080P": 150_000},
)
_I2V_22 = replace(
    _I2V_25, name="wan2.2-i2v-plus", geometry=Tiers(("480P", "1080P"), "1080P"), prompt_limit=800,
    seconds=(5,),
    sound=Sound.NEVER, per_second=2, running=2, picture_sides=(360, 2000),
    price={"480P": 20_000, "1080P": 100_000},
)
# The 1080P price of the 2.2 flash models is the Beijing one converted (*chosen*): Singapore lists
# 480P and 720P alone.
_I2V_22_FLASH = replace(
    _I2V_22, name="wan2.2-i2v-flash", geometry=Tiers(("480P", "720P", "1080P"), "720P"),
    price={"480P": 15_000, "720P": 36_000, "1080P": 65_402},
)
_I2V_21 = replace(
    _I2V_22, name="wan2.1-i2v-plus", geometry=Tiers(("720P",), "720P"),
    usage=("video_duration", "video_ratio", "video_count"), price={"720P": 100_000},
)
_KF2V_22 = replace(
    _I2V_22_FLASH, name="wan2.2-kf2v-flash", path=Path.IMAGE_TO_VIDEO,
    required=("input.first_frame_url",),
    picture="first_frame_url", usage=("video_duration", "video_count", "SR"),
    queue=(15, 155), run=(374, 430, 489),
)
_KF2V_21 = replace(
    _KF2V_22, name="wan2.1-kf2v-plus", geometry=Tiers(("720P",), "720P"), per_second=1,
    usage=("video_duration", "video_ratio", "video_count"), price={"720P": 100_000},
)

_REFERENCES = frozenset({"reference_image", "reference_video", "reference_audio"})
_WAN_3 = replace(
    _T2V_27, name="wan3.0-video", prompt_limit=20_000, required=(),
    needed=("input.prompt|input.media",),
    picture="media",
    media=MediaRule(
        groups=(
            frozenset({"first_frame", "last_frame"}),
            _REFERENCES | {"file"},
            _REFERENCES | {"link"},
        ),
        most={"reference_image": 10, "reference_video": 5, "reference_audio": 5},
    ),
    geometry=Tiers(("480P", "720P", "1080P"), "1080P", ("16:9", "4:3", "1:1", "3:4", "9:16")),
    usage=("duration", "input_video_duration", "output_video_duration", "fps", "video_count", "SR",
    "ratio"),
    seconds=tuple(range(2, 31)), free_seconds=True, float_seconds=True, sound=Sound.ASKED,
    queue=(0.04, 0.1), run=(130, 400, 720), price={"480P": 50_000, "720P": 100_000,
    "1080P": 200_000},
)

_TOKENS = ("size", "image_count", "input_tokens", "output_tokens", "total_tokens")
_T2I_26 = Model(
    "wan2.6-t2i", Path.IMAGE_GENERATION, Shape.CHOICES,
    # The page gives 1280*1280 as the least area, and sizes like 1472*1104 just below it.
    ImageSize("1280*1280", (1472 * 1104, 1440**2)), _TOKENS,
    prompt_limit=2100, price={"image": 30_000}, required=("input.messages",), picture="messages",
    pictures=(0, 0),
    images=4, queue=(0.03, 0.3), run=(15, 22, 30),
)
_IMAGE_26 = replace(
    _T2I_26, name="wan2.6-image", prompt_limit=2000, pictures=(1, 4),
    geometry=ImageSize("1K", (768**2, 2048**2), names=(("1K", 1280), ("2K", 2048))),
)
_NAMES_27 = (("1K", 1024), ("2K", 2048))
_IMAGE_27 = replace(
    _T2I_26, name="wan2.7-image", prompt_limit=5000, pictures=(0, 9), images=1,
    geometry=ImageSize("2K", (768**2, 2048**2), max_ratio=8, names=_NAMES_27), queue=(0.04, 0.05),
    run=(12, 25, 60),
)
_T2I_25 = replace(
    _T2I_26, name="wan2.5-t2i-preview", path=Path.TEXT_TO_IMAGE, shape=Shape.RESULTS,
    usage=("image_count",),
    required=("input.prompt",), picture="", prompt_limit=2000, rewrites=True,
)
_T2I_22 = replace(
    _T2I_25, name="wan2.2-t2i-plus", prompt_limit=500, per_second=2, running=2,
    price={"image": 50_000},
    geometry=ImageSize("1024*1024", (512**2, 1440**2), sides=(512, 1440)), run=(8, 10, 14),
)
_I2I_25 = replace(
    _T2I_25, name="wan2.5-i2i-preview", path=Path.IMAGE_TO_IMAGE, picture="images", pictures=(1, 3),
    required=("input.prompt", "input.images"), picture_sides=(384, 5000), rewrites=False,
    geometry=ImageSize("1280*1280", (768**2, 1280**2)), run=(50, 60, 75),
)
_IMAGEEDIT = replace(
    _I2I_25, name="wanx2.1-imageedit", picture="base_image_url", pictures=(1, 1), prompt_limit=800,
    images=1,
    required=("input.prompt", "input.function", "input.base_image_url"), picture_sides=(512, 4096),
    geometry=ImageSize("1024*1024", (512**2, 4096**2), sides=(512, 4096)), per_second=2, running=2,
    price={"image": 19_075}, run=(8, 11, 15),
)


def _rows() -> Iterator[Model]:
    yield _T2V_27
    yield replace(_T2V_27, name="wan2.7-t2v-2026-04-25")
    yield replace(_T2V_27, name="wan2.7-t2v-2026-06-12")
    yield _T2V_26
    yield replace(_T2V_26, name="wan2.6-t2v-us", seconds=(5, 10))
    yield _T2V_25
    yield _T2V_22
    yield _T2V_21
    yield replace(_T2V_21, name="wanx2.1-t2v-turbo")
    for name in ("wan2.1-t2v-plus", "wanx2.1-t2v-plus"):
        yield replace(_T2V_21, name=name, geometry=SizeList(("720P",), "1280*720"),
        price={"720P": 100_000})
    yield _I2V_27
    yield replace(_I2V_27, name="wan2.7-i2v-2026-04-25")
    yield _I2V_26
    yield replace(
        _I2V_26, name="wan2.6-i2v-flash", sound=Sound.ASKED, usage=(*_I2V_26.usage, "audio"),
        price={"720P": 50_000, "720P silent": 25_000, "1080P": 75_000, "1080P silent": 37_500},
    )
    yield replace(_I2V_26, name="wan2.6-i2v-us", seconds=(5, 10, 15))
    yield _I2V_25
    yield _I2V_22
    yield _I2V_22_FLASH
    yield _I2V_21
    yield replace(_I2V_21, name="wanx2.1-i2v-plus")
    for name in ("wan2.1-i2v-turbo", "wanx2.1-i2v-turbo"):
        yield replace(
            _I2V_21, name=name, geometry=Tiers(("480P", "720P"), "720P"), seconds=(3, 4, 5),
            price={"480P": 36_000, "720P": 36_000},
        )
    yield _KF2V_22
    yield _KF2V_21
    yield replace(_KF2V_21, name="wanx2.1-kf2v-plus", per_second=2)
    yield _WAN_3
    yield replace(
        _WAN_3, name="wan3.0-video-prime", price={"480P": 68_000, "720P": 140_000, "1080P": 280_000}
    )
    yield _T2I_26
    yield _IMAGE_26
    yield _IMAGE_27
    yield replace(
        _IMAGE_27, name="wan2.7-image-pro", price={"image": 76_583},
        geometry=ImageSize("2K", (768**2, 4096**2), max_ratio=8, names=(*_NAMES_27, ("4K", 4096))),
    )
    yield _T2I_25
    yield _T2I_22
    yield replace(_T2I_22, name="wan2.2-t2i-flash", price={"image": 25_000})
    for prefix in ("wan2.1", "wanx2.1"):
        yield replace(_T2I_22, name=f"{prefix}-t2i-plus")
        yield replace(_T2I_22, name=f"{prefix}-t2i-turbo", price={"image": 25_000})
    yield replace(_T2I_22, name="wanx2.0-t2i-turbo", prompt_limit=800, price={"image": 5_450})
    yield _I2I_25
    yield _IMAGEEDIT
    yield replace(_IMAGEEDIT, name="wan2.1-imageedit")


# fmt: on
MODELS = {model.name: model for model in _rows()}
