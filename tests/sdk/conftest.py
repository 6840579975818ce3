"""A sandbox in a thread of its own, as the official SDK blocks, and media files to upload."""

from __future__ import annotations

import asyncio
import math
import struct
import threading
import wave
from collections.abc import Iterator

import av
import dashscope
import pytest
from PIL import Image

from batchgen.sandbox import Faults, Point, Rule, Sandbox, Slow

KEY = "sk-sandbox"


class ServedSandbox:
    """A sandbox that serves from another thread until it is closed."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),))

    def open(self) -> None:
        self._thread.start()
        self._ready.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        # The blocking SDK waits a real second between two looks: rendering takes no time here. What
        # shall not be done yet says so in its prompt.
        faults = Faults(
            Rule(Point.TASK, Slow(1000.0), prompt="[later]"), Rule(Point.TASK, Slow(0.0))
        )
        async with Sandbox(faults=faults) as sandbox:
            self.base_url = sandbox.base_url
            self._ready.set()
            await self._stop.wait()


@pytest.fixture(scope="session")
def served() -> Iterator[ServedSandbox]:
    sandbox = ServedSandbox()
    sandbox.open()
    yield sandbox
    sandbox.close()


@pytest.fixture
def sdk(served, monkeypatch):
    """The 1.x surface, pointed at the sandbox as its user points it: by key and base URL."""
    monkeypatch.setattr(dashscope, "api_key", KEY)
    monkeypatch.setattr(dashscope, "base_http_api_url", served.base_url)
    return dashscope


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> dict[str, str]:
    """Local media of each kind, as the `file://` URLs that the SDK uploads."""
    folder = tmp_path_factory.mktemp("media")
    paths = {
        "portrait": folder / "portrait.png",
        "scene": folder / "scene.png",
        "voice": folder / "voice.wav",
        "clip": folder / "clip.mp4",
    }
    _picture(paths["portrait"], (640, 800), (190, 80, 60))
    _picture(paths["scene"], (1280, 720), (30, 90, 160))
    _sound(paths["voice"], seconds=4)
    _clip(paths["clip"], seconds=3)
    return {name: f"file://{path}" for name, path in paths.items()}


def _picture(path, size, colour) -> None:
    Image.new("RGB", size, colour).save(path)


def _sound(path, *, seconds: int) -> None:
    rate = 16_000
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        tone = (round(8000 * math.sin(place / 8)) for place in range(rate * seconds))
        sound.writeframes(b"".join(struct.pack("<h", sample) for sample in tone))


def _clip(path, *, seconds: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for _ in range(10 * seconds):
            frame = av.VideoFrame(640, 360, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([110]) * plane.buffer_size)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
