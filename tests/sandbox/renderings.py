"""Orders, given media and what came of them, for the tests of the render room."""

from __future__ import annotations

import math
import wave
from array import array
from dataclasses import replace

import av
from PIL import Image

from batchgen.sandbox.orders import Input, InputKind, Order
from batchgen.sandbox.render import studio

TASK = "0385dc79-5ff8-4d82-bcb6-0123456789ab"

RED, GREEN, BLUE = (200, 0, 0), (0, 150, 0), (0, 0, 200)

CLIP = Order(
    model="wan2.7-t2v",
    prompt="A fox in the rain",
    seed=7,
    width=832,
    height=480,
    tier="480P",
    ratio="16:9",
    seconds=5.0,
    fps=30,
    sound=False,
    images=0,
    together=False,
    story=False,
    extend=True,
    watermark=False,
    inputs=(),
    cost=0,
)
STILL = replace(CLIP, seconds=0.0, images=2, width=768, height=768)


def made(folder, order, place=0, task=TASK):
    """The rendered file; inputs are looked up in the same folder."""
    target = folder / f"{order.model}-{task[:8]}-{place}"
    studio.make(order, task, place, folder, target)
    return target


def frames(path):
    """All of a clip's pictures."""
    with av.open(str(path)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


def a_picture(folder, colour, role="first_frame", size=(640, 480), **more):
    name = "-".join(map(str, colour))
    Image.new("RGB", size, colour).save(folder / name, "PNG")
    width, height = size
    return Input(role, InputKind.IMAGE, "a.png", name, width=width, height=height, **more)


def a_video(folder, colour, role="video", seconds=1.0, **more):
    name = "video-" + "-".join(map(str, colour))
    with av.open(str(folder / name), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        frame = av.VideoFrame.from_image(Image.new("RGB", (320, 240), colour))
        for place in range(round(10 * seconds)):
            frame.pts = place
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return Input(
        role, InputKind.VIDEO, "a.mp4", name, width=320, height=240, seconds=seconds, **more
    )


def a_sound(folder, seconds, loudness=lambda time: 0.5, role="driving_audio", **more):
    """A tone of 440 Hz; `loudness` says how loud it is at a time, up to 1."""
    rate = 16_000
    samples = array(
        "h",
        (
            int(32_000 * loudness(n / rate) * math.sin(2 * math.pi * 440 * n / rate))
            for n in range(round(seconds * rate))
        ),
    )
    name = f"sound-{seconds}"
    with wave.open(str(folder / name), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return Input(role, InputKind.AUDIO, "a.wav", name, seconds=seconds, **more)


def heard(path):
    """The left channel, 48,000 samples a second."""
    samples = array("f")
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples.frombytes(bytes(frame.planes[0])[: 4 * frame.samples])
    return samples


def loudest(samples, start, end):
    """Between two times in seconds."""
    return max(map(abs, samples[round(start * 48_000) : round(end * 48_000)]))
