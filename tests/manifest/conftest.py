from __future__ import annotations

import io
import wave
from collections.abc import Callable
from functools import cache
from pathlib import Path

import av
import pytest
from PIL import Image

from batchgen.errors import ManifestError, Problem
from batchgen.manifest import load


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file below the test's folder, a manifest unless it is called otherwise."""

    def write(content: str | bytes, name: str = "batch.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def problems(write: Callable[..., Path]) -> Callable[..., list[Problem]]:
    """The problems of a manifest of this text; none if it is sound."""

    def problems(content: str | bytes, **options: object) -> list[Problem]:
        try:
            load(write(content), **options)
        except ManifestError as error:
            return list(error.problems)
        return []

    return problems


@pytest.fixture
def places(problems: Callable[..., list[Problem]]) -> Callable[..., list[tuple[int, int]]]:
    """The places of a manifest's problems, in order."""
    return lambda content, **options: [(p.line, p.column) for p in problems(content, **options)]


def picture(width: int = 640, height: int = 480, *, kind: str = "PNG", mode: str = "RGB") -> bytes:
    """A whole picture of these sides."""
    target = io.BytesIO()
    Image.new(mode, (width, height)).save(target, kind)
    return target.getvalue()


def sound(seconds: float = 5.0) -> bytes:
    """A whole WAV of silence."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", "not compressed"))
        file.writeframes(bytes([128]) * int(seconds * 8000))
    return target.getvalue()


@pytest.fixture(scope="session")
def draw() -> Callable[..., bytes]:
    return picture


@pytest.fixture(scope="session")
def tone() -> Callable[..., bytes]:
    return sound


@pytest.fixture(scope="session")
def film() -> Callable[..., bytes]:
    """Makes a whole MP4 (or MOV) of these sides and length."""

    @cache
    def make(width: int = 320, height: int = 240, seconds: int = 2, kind: str = "mp4") -> bytes:
        target = io.BytesIO()
        with av.open(target, "w", format=kind) as container:
            video = container.add_stream("libx264", rate=2)
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            frame = av.VideoFrame.from_image(Image.new("RGB", (width, height)))
            for _ in range(2 * seconds):
                container.mux(video.encode(frame))
            container.mux(video.encode())
        return target.getvalue()

    return make
