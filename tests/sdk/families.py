"""Every family once, as the official SDK is told it: the class, the call, what comes back.

`{portrait}`, `{scene}`, `{voice}` and `{clip}` stand for local files, which the SDK uploads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dashscope.utils.oss_utils import upload_file


@dataclass(frozen=True)
class Family:
    """`call` are the keyword arguments; `uploaded` fields of the extra input are uploaded by the
    SDK's own function first, as its call does not look into them.
    """

    model: str
    call: dict[str, Any]
    kind: str = "VideoSynthesis"
    results: int = 1
    suffix: str = ".mp4"
    uploaded: dict[str, Any] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)
    """Further fields of the extra input."""

    def __str__(self) -> str:
        return self.model

    def arguments(self, files: dict[str, str]) -> dict[str, Any]:
        """The call's keyword arguments, local files in place; all but the lists are the family's
        own, as the SDK writes its uploads into them.
        """
        arguments = {"model": self.model, **_filled(self.call, files)}
        if self.uploaded:
            arguments["headers"] = {"X-DashScope-OssResourceResolve": "enable"}
            arguments["extra_input"] = self.plain | {
                field: _uploaded(self.model, _filled(value, files))
                for field, value in self.uploaded.items()
            }
        return arguments


def _filled(value: Any, files: dict[str, str]) -> Any:
    match value:
        case str() if value.startswith("{"):
            return files[value.strip("{}")]
        case dict():
            return {key: _filled(item, files) for key, item in value.items()}
        case list():
            return [_filled(item, files) for item in value]
    return value


def _uploaded(model: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_uploaded(model, item) for item in value]
    return value if value.startswith("oss://") else upload_file(model, value, None)


def uploaded(model: str, files: dict[str, str]) -> dict[str, str]:
    """The files, sent to the model's temporary storage by the SDK's own function."""
    return {name: upload_file(model, url, None) for name, url in files.items()}


def _image(place: str) -> dict[str, str]:
    return {"type": place, "url": "{scene}"}


VIDEOS = [
    Family("wan2.6-t2v", {"prompt": "A fox reads a map", "size": "1280*720", "duration": 3}),
    Family("wan2.5-t2v-preview", {"prompt": "A fox reads a map", "size": "832*480", "duration": 5}),
    Family("wan2.2-t2v-plus", {"prompt": "A fox reads a map", "size": "832*480"}),
    Family("wan2.1-t2v-turbo", {"prompt": "A fox reads a map", "size": "832*480"}),
    Family("wan2.7-t2v", {"prompt": "A fox", "resolution": "720P", "ratio": "9:16", "duration": 2}),
    Family("wan2.6-i2v", {"img_url": "{scene}", "prompt": "It waves", "resolution": "720P"}),
    Family("wan2.6-i2v-flash", {"img_url": "{scene}", "resolution": "720P", "audio": False}),
    Family("wan2.2-i2v-flash", {"img_url": "{scene}", "resolution": "480P"}),
    Family("wan2.7-i2v", {"media": [_image("first_frame"), _image("last_frame")]}),
    Family(
        "wan2.2-kf2v-flash",
        {"prompt": "It turns", "first_frame_url": "{scene}", "last_frame_url": "{portrait}"},
    ),
    Family(
        "wan2.6-r2v",
        {
            "prompt": "character1 meets character2",
            "reference_urls": ["{portrait}", "{clip}"],
            "size": "1280*720",
        },
    ),
    Family(
        "wan2.7-r2v",
        {
            "prompt": "Image 1 sings",
            "media": [
                {"type": "reference_image", "url": "{portrait}", "reference_voice": "{voice}"}
            ],
            "resolution": "720P",
        },
    ),
    Family(
        "wan2.7-videoedit",
        {
            "prompt": "Make it night",
            "media": [{"type": "video", "url": "{clip}"}, _image("reference_image")],
            "resolution": "720P",
        },
    ),
    Family(
        "wan2.1-vace-plus",
        {"prompt": "A girl in a forest", "size": "1280*720"},
        uploaded={"ref_images_url": ["{portrait}"]},
        plain={"function": "image_reference"},
    ),
    Family("wan3.0-video", {"prompt": "A fox", "resolution": "480P", "duration": 2}),
    Family(
        "wan2.2-s2v",
        {"audio_url": "{voice}", "task": "image2video", "resolution": "480P"},
        uploaded={"image_url": "{portrait}"},
    ),
    Family(
        "wan2.2-animate-move",
        {"task": "image2video", "mode": "wan-std"},
        uploaded={"image_url": "{portrait}", "video_url": "{clip}"},
    ),
]

IMAGES = [
    Family(
        "wan2.2-t2i-flash", {"prompt": "A tea house", "n": 2}, "ImageSynthesis", 2, suffix=".png"
    ),
    Family("wan2.5-t2i-preview", {"prompt": "A tea house", "n": 1}, "ImageSynthesis", 1, ".png"),
    Family(
        "wan2.5-i2i-preview",
        {"prompt": "Paint it red", "images": ["{scene}"], "n": 1},
        "ImageSynthesis",
        1,
        ".png",
    ),
    Family(
        "wanx2.1-imageedit",
        {
            "prompt": "Paint it red",
            "function": "description_edit",
            "base_image_url": "{scene}",
            "n": 1,
        },
        "ImageSynthesis",
        1,
        ".png",
    ),
]


def _messages(*pictures: str) -> list[dict[str, Any]]:
    content = [{"text": "A tea house at dusk"}, *({"image": picture} for picture in pictures)]
    return [{"role": "user", "content": content}]


GENERATIONS = [
    Family("wan2.6-t2i", {"messages": _messages(), "n": 2}, "ImageGeneration", 2, ".png"),
    Family(
        "wan2.6-image", {"messages": _messages("{scene}"), "n": 1}, "ImageGeneration", 1, ".png"
    ),
    Family("wan2.7-image", {"messages": _messages("{scene}")}, "ImageGeneration", 1, ".png"),
    Family(
        "wan2.7-image-pro", {"messages": _messages(), "size": "2K"}, "ImageGeneration", 1, ".png"
    ),
]
