"""Real media to measure, made once."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import pytest
from PIL import Image


def encode(folder, *, faststart: bool = False, sound: bool = True, kind: str = "mp4") -> bytes:
    """Two seconds of 64 x 48 pictures at 10 frames a second, with or without a sound track."""
    target = folder / f"sample.{kind}"
    options = {"movflags": "+faststart"} if faststart else {}
    with av.open(target, "w", format=kind, options=options) as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=8000, layout="mono") if sound else None
        for number in range(20):
            picture = Image.effect_noise((64, 48), 5 * number).convert("RGB")
            container.mux(video.encode(av.VideoFrame.from_image(picture)))
        container.mux(video.encode())
        if audio:
            for number in range(16):
                frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
                frame.planes[0].update(bytes(4096))
                frame.sample_rate, frame.pts = 8000, 1024 * number
                frame.time_base = Fraction(1, 8000)
                container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return target.read_bytes()


def draw(kind: str, *, sides: tuple[int, int] = (64, 48), **options: object) -> bytes:
    target = io.BytesIO()
    Image.effect_noise(sides, 40).convert("RGB").save(target, kind, **options)
    return target.getvalue()


@pytest.fixture(scope="session")
def slow_start(tmp_path_factory):
    """The index stands at the end."""
    return encode(tmp_path_factory.mktemp("media"))


@pytest.fixture(scope="session")
def fast_start(tmp_path_factory):
    """The index stands in front, so a cut leaves it whole."""
    return encode(tmp_path_factory.mktemp("media"), faststart=True)


@pytest.fixture(scope="session")
def silent(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("media"), sound=False)


@pytest.fixture(scope="session")
def movie(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("media"), kind="mov")


@pytest.fixture(scope="session")
def avi(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("media"), sound=False, kind="avi")


@pytest.fixture(scope="session")
def pictures():
    """One whole picture of each kind, 64 x 48."""
    return {
        "png": draw("PNG"),
        "jpeg": draw("JPEG"),
        "progressive": draw("JPEG", progressive=True),
        "webp lossy": draw("WEBP"),
        "webp lossless": draw("WEBP", lossless=True),
        "webp extended": draw("WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0"),
    }
