from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import pytest
from PIL import Image

from batchgen.sandbox.render import Renderer
from batchgen.sandbox.render.card import Card
from tests.sandbox.renderings import CLIP, STILL, TASK, frames, heard, loudest, made


@pytest.mark.parametrize(
    ("size", "length", "sounds"),
    [
        ((832, 1104), (2.0, 30, 60), ["aac"]),
        ((1920, 1080), (15.0, 30, 450), ["aac"]),
        ((480, 832), (10.0, 24, 240), ["aac"]),
        ((624, 624), (5.0, 30, 150), []),
        ((512, 640), (18.13, 16, 290), ["aac"]),
        ((832, 480), (5.02, 30, 151), []),
        ((832, 480), (0.01, 30, 1), []),
    ],
)
def test_a_clip_decodes_completely_to_what_was_ordered(tmp_path, size, length, sounds):
    """Frames, times, size, rate, length and sound are exact, in H.264 and AAC."""
    (width, height), (seconds, fps, count) = size, length
    order = replace(CLIP, width=width, height=height, seconds=seconds, fps=fps, sound=bool(sounds))
    with av.open(str(made(tmp_path, order))) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height) == (width, height)
        assert video.average_rate == fps
        assert [stream.codec_context.name for stream in container.streams.audio] == sounds
        times = [frame.time for frame in container.decode(video=0)]
        assert times == pytest.approx([n / fps for n in range(count)])
        assert container.duration / 1e6 == pytest.approx(count / fps, abs=0.001)


def test_sound_is_stereo_audible_and_as_long_as_the_picture(tmp_path):
    """AAC at 48 kHz, at most a frame of 21 ms shorter; another seed sounds different."""
    tunes = []
    for seed in (1, 2):
        path = made(tmp_path, replace(CLIP, sound=True, seed=seed))
        with av.open(str(path)) as container:
            audio = container.streams.audio[0]
            assert (audio.rate, audio.layout.name) == (48_000, "stereo")
        samples = heard(path)
        assert 5 - 1024 / 48_000 <= len(samples) / 48_000 <= 5
        assert 0.01 < loudest(samples, 0, 5) < 0.9
        tunes.append(samples)
    assert tunes[0] != tunes[1]


def test_the_index_stands_in_front(tmp_path):
    """A player can start while the rest is on its way."""
    content = made(tmp_path, replace(CLIP, sound=True)).read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_something_moves(tmp_path):
    """Frames half a second apart differ, and a second later the picture is back."""
    shown = frames(made(tmp_path, CLIP))
    assert shown[0] != shown[15]
    assert shown[3] == shown[33]


def test_the_same_order_gives_the_same_bytes(tmp_path):
    """A clip that fell out of the cache is made again under the same ETag, by any process."""
    order = replace(CLIP, sound=True, seconds=1.0)
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.sandbox.renderings import CLIP, made, replace
print(made(Path(sys.argv[1]), replace(CLIP, sound=True, seconds=1.0)))
"""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=True
    )
    content = made(tmp_path, order).read_bytes()
    assert Path(run.stdout.strip()).read_bytes() == content
    assert made(tmp_path, replace(order, seed=8)).read_bytes() != content


def test_each_task_is_its_own_file(tmp_path):
    """The task stands on the frame: an equal request shows that it was sent twice."""
    other = "1" + TASK[1:]
    assert made(tmp_path, CLIP).read_bytes() != made(tmp_path, CLIP, task=other).read_bytes()


def test_images_are_png_of_the_size_asked_for(tmp_path):
    """Each of n is its own picture."""
    order = replace(STILL, width=512, height=768)
    images = [Image.open(made(tmp_path, order, place)) for place in (1, 2)]
    assert {(image.format, image.size) for image in images} == {("PNG", (512, 768))}
    assert images[0].tobytes() != images[1].tobytes()
    for image in images:
        image.close()


@pytest.mark.parametrize("prompt", ["word " * 1000, "字" * 2000, ""])
@pytest.mark.parametrize(("width", "height"), [(832, 480), (480, 832), (2048, 256)])
def test_a_long_prompt_fits(tmp_path, prompt, width, height):
    """Nothing is written beyond the frame, or beside the watermark."""
    order = replace(CLIP, prompt=prompt, width=width, height=height, watermark=True)
    card = Card(order, TASK, 0, tmp_path)
    left, top, right, bottom = card.ink.getbbox()
    assert 0 < left < right < width
    assert 0 < top < bottom < height
    beside = card.ink.crop((0, height - card.margin - 9, width // 2, height))
    assert beside.getbbox() is None


async def test_a_result_wanted_by_many_is_rendered_once(tmp_path):
    """Two renderings of one result would write the same file; the second caller waits instead."""
    renderer = Renderer(tmp_path / "results", tmp_path)
    paths = await asyncio.gather(*(renderer.file(CLIP, TASK, 0) for _ in range(3)))
    assert len(set(paths)) == 1
    assert len(renderer._pool._threads) == 1
    renderer.close()


async def test_a_result_wanted_again_is_not_made_again(tmp_path):
    """Also by the renderer of a later start; it counts as used just now."""
    ages = []
    for _ in range(2):
        renderer = Renderer(tmp_path / "results", tmp_path)
        path = await renderer.file(STILL, TASK, 1)
        renderer.close()
        ages.append((path.stat().st_ino, path.stat().st_mtime))
        os.utime(path, (1000, 1000))
    assert ages[0][0] == ages[1][0]
    assert ages[1][1] > 1000


def test_without_the_extra_the_sandbox_says_what_to_install():
    """At the start, not at the first download; importing the package needs neither."""
    code = """
import asyncio, sys
sys.modules["av"] = None
from batchgen.sandbox import RenderingUnavailable, Sandbox
async def main():
    try:
        async with Sandbox():
            pass
    except RenderingUnavailable as error:
        print(error)
asyncio.run(main())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        run.stdout
        == "the sandbox renders real files and lacks av: pip install 'batchgen[sandbox]'\n"
    )


async def test_one_caller_that_goes_away_stops_no_other(tmp_path):
    """The rendering goes on for those who still wait."""
    renderer = Renderer(tmp_path / "results", tmp_path)
    gone, waiting = (asyncio.create_task(renderer.file(CLIP, TASK, 0)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await waiting).exists()
    renderer.close()
