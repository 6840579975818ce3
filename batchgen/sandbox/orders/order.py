"""What a task makes: everything the answers, the bill and the renderer need, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from batchgen.sandbox.models import InputKind


@dataclass(frozen=True, slots=True)
class Input:
    """One medium of a request, measured where it was fetched.

    `role` is its part in the result, in the words of `media[].type` where the service has one:
    first_frame, last_frame, reference_image, reference_video, reference_audio, reference_voice,
    driving_audio, audio, video, first_clip, last_clip, mask, image, file or link.
    """

    role: str
    kind: InputKind
    source: str
    """Words for where it came from: a file's name, the path of a URL without its query."""
    digest: str = ""
    """Of its bytes in the folder of inputs; "" when it was not fetched."""
    name: str = ""
    """What the prompt calls it: "Image 1", "Video 2", "character1"; "" where it has no name."""
    width: int = 0
    height: int = 0
    seconds: float = 0.0

    @property
    def shape(self) -> tuple[int, int] | None:
        """Width and height in pixels, where they are known."""
        return (self.width, self.height) if self.width else None


@dataclass(frozen=True, slots=True)
class Order:
    """What a task makes; it can be stored as this."""

    model: str
    prompt: str
    seed: int
    width: int
    height: int
    tier: str
    """The billed resolution, such as 720P; "" for images."""
    ratio: str
    seconds: float
    """Of the resulting video; 0 for images."""
    fps: int
    sound: bool
    images: int
    """Images asked for, the failed among them; 0 for a video."""
    together: bool
    """All images in one choice (sequential and interleaved answers)."""
    story: bool
    """Text between the images (interleaved answers)."""
    extend: bool
    watermark: bool
    inputs: tuple[Input, ...]
    """In the order of the request."""
    cost: int
    """Micro-units of the currency that the model is sold in, due on success."""
    label: str = ""
    """What the client calls the job, where it says so; no part of the service's own language."""
    function: str = ""
    """What an editing model was asked to do: "video_repainting", "expand"; "" for the others."""
    mode: str = ""
    """The grade of work where a model has several: "wan-std", "wan-pro"."""
    input_seconds: float = 0.0
    """Of given video that is billed along with the result."""
    failed: tuple[tuple[int, str, str], ...] = ()
    """Images that come to nothing: place from 1, code and message."""

    @property
    def made(self) -> int:
        """Images that are delivered and billed."""
        return self.images - len(self.failed)

    def failing(self, failed: tuple[tuple[int, str, str], ...]) -> Self:
        """The order when those of its images fail, which are then free."""
        share = (self.images - len(failed)) / self.images
        return replace(self, failed=failed, cost=round(self.cost * share))

    def as_json(self) -> dict[str, Any]:
        # `asdict` of it all copies each value deeply, and was half of what it took to store a task.
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"inputs": [asdict(given) for given in self.inputs]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Reads orders of before there were several inputs as well: they held one `picture`."""
        given = dict(values)
        picture = given.pop("picture", None)
        inputs = given.pop("inputs", [])
        if picture is not None:
            inputs = [{"role": "first_frame", "kind": InputKind.IMAGE, **picture}]
        given["inputs"] = tuple(Input(**one | {"kind": InputKind(one["kind"])}) for one in inputs)
        given["failed"] = tuple(map(tuple, given.get("failed", ())))
        return cls(**given)
