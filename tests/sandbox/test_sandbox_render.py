from __future__ import annotations

import asyncio
import base64
import io
import os
import subprocess
import sys
from random import Random

import av
import pytest
from aiohttp import web
from PIL import Image, ImageStat

from batchgen.sandbox import orders
from batchgen.sandbox.models import MODELS
from batchgen.sandbox.orders import Picture
from batchgen.sandbox.render import Renderer, _evict, studio
from batchgen.sandbox.render.card import Card
from batchgen.sandbox.render.typeface import Typeface, described

TASK = "0385dc79-5ff8-4d82-bcb6-0123456789ab"


def order_of(model, prompt="A fox in the rain", picture=None, **parameters):
    text = {"messages": [{"content": [{"text": prompt}]}], "prompt": prompt}
    body = {"input": text, "parameters": {"seed": 7} | parameters}
    return orders.read(MODELS[model], body, picture, Random(1))


def made(tmp_path, order, place=0):
    target = tmp_path / f"{order.model}-{place}"
    studio.make(order, TASK, place, tmp_path, target)
    return target


@pytest.mark.parametrize(
    ("model", "parameters", "measured"),
    [
        (
            "wan2.7-t2v",
            {"ratio": "3:4", "resolution": "720P", "duration": 2},
            (832, 1104, 60, "sound"),
        ),
        ("wan2.6-t2v", {"duration": 15}, (1920, 1080, 450, "sound")),
        ("wan2.5-t2v-preview", {"size": "480*832", "duration": 10}, (480, 832, 300, "sound")),
        ("wan2.2-t2v-plus", {"size": "624*624"}, (624, 624, 150, "silent")),
        ("wan2.1-t2v-turbo", {"size": "832*480"}, (832, 480, 150, "silent")),
        (
            "wan3.0-video",
            {"resolution": "480P", "audio": False, "duration": 30},
            (832, 480, 900, "silent"),
        ),
    ],
)
def test_a_clip_decodes_completely_to_what_was_ordered(tmp_path, model, parameters, measured):
    """Frames, times, size, rate, length and sound are exact, in H.264 and AAC."""
    width, height, frames, sound = measured
    path = made(tmp_path, order_of(model, **parameters))
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height) == (width, height)
        assert video.average_rate == 30
        assert len(container.streams.audio) == (1 if sound == "sound" else 0)
        times = [frame.time for frame in container.decode(video=0)]
        assert len(times) == frames
        assert times == pytest.approx([n / 30 for n in range(frames)])
        assert container.duration / 1e6 == pytest.approx(frames / 30, abs=0.001)


def test_sound_is_stereo_audible_and_as_long_as_the_picture(tmp_path):
    """AAC at 48 kHz, at most a frame of 21 ms shorter; another seed sounds different."""
    heard = []
    for seed in (1, 2):
        path = made(tmp_path, order_of("wan2.5-t2v-preview", size="624*624", seed=seed))
        with av.open(str(path)) as container:
            audio = container.streams.audio[0]
            assert (audio.codec_context.name, audio.rate, audio.layout.name) == (
                "aac",
                48_000,
                "stereo",
            )
            frames = list(container.decode(audio=0))
        assert 5 - 1024 / 48_000 <= sum(frame.samples for frame in frames) / 48_000 <= 5
        samples = memoryview(bytes(frames[100].planes[0])).cast("f")
        assert 0.01 < max(map(abs, samples)) < 0.9
        heard.append(bytes(samples))
    assert heard[0] != heard[1]


def test_the_index_stands_in_front(tmp_path):
    """A player can start while the rest is on its way."""
    content = made(tmp_path, order_of("wan2.2-t2v-plus", size="624*624")).read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_something_moves(tmp_path):
    """Frames half a second apart differ, and a second later the picture is back."""
    path = made(tmp_path, order_of("wan2.2-t2v-plus", size="624*624"))
    with av.open(str(path)) as container:
        frames = [bytes(frame.planes[0]) for frame in container.decode(video=0)]
    assert frames[0] != frames[15]
    assert frames[3] == frames[33]


def test_the_same_order_gives_the_same_bytes(tmp_path):
    """A clip that fell out of the cache is made again under the same ETag."""
    order = order_of("wan2.2-t2v-plus", size="624*624")
    first = made(tmp_path, order).read_bytes()
    assert made(tmp_path, order).read_bytes() == first
    assert (
        made(tmp_path, order_of("wan2.2-t2v-plus", "Other", size="624*624")).read_bytes() != first
    )


def test_images_are_png_of_the_size_asked_for(tmp_path):
    """Each of n is its own picture."""
    order = order_of("wan2.2-t2i-flash", size="512*768", n=2)
    images = [Image.open(made(tmp_path, order, place)) for place in (1, 2)]
    assert {(image.format, image.size) for image in images} == {("PNG", (512, 768))}
    assert images[0].tobytes() != images[1].tobytes()
    for image in images:
        image.close()


def test_a_given_picture_is_the_background(tmp_path):
    """A red picture makes a red clip, of the picture's shape."""
    Image.new("RGB", (600, 400), (200, 0, 0)).save(tmp_path / "red", "PNG")
    picture = Picture("red", "a.png", 600, 400)
    order = order_of("wan2.6-i2v", picture=picture, resolution="720P")
    assert order.width / order.height == pytest.approx(1.5, abs=0.02)
    frame = Card(order, TASK, 0, tmp_path).frame(0)
    red, green, _ = ImageStat.Stat(frame).mean
    assert red > 3 * green


def test_chinese_has_glyphs_and_fits_the_frame():
    """No box is drawn for it, and lines break without spaces, but not before a comma."""
    face = Typeface()
    text, lacking = face.readable("一只狐狸侦探、在雨夜翻阅案卷。")
    assert face.name.startswith("Noto Sans CJK SC")
    assert (text, lacking) == ("一只狐狸侦探、在雨夜翻阅案卷。", [])
    lines = face.wrap(text, 40, 240)
    assert lines == ["一只狐狸侦探、", "在雨夜翻阅案", "卷。"]


def test_what_the_font_lacks_is_said():
    """An emoji becomes a square, and is named; joiners and controls vanish."""
    face = Typeface()
    text, lacking = face.readable("a\x1b fox \U0001f98a\ufe0f\u200d!")
    assert (text, lacking) == ("a fox □!", ["\U0001f98a"])
    assert described(lacking) == "font lacks: U+1F98A FOX FACE"
    assert described(list("\U0001f98a\U0001f98b\U0001f98c\U0001f98d")).endswith("and 1 more")


def test_a_mark_that_the_font_lacks_is_said():
    """Shaping would draw a crossed box on a circle for the signs of Hindi."""
    text, lacking = Typeface().readable("ल\u094d\u093f é e\u0301")
    assert text == "□□□ é e\u0301"
    assert lacking == ["ल", "\u094d", "\u093f"]


def test_no_line_begins_with_a_space():
    """A break between words swallows their space, wherever it falls."""
    face = Typeface()
    text = "the quick brown fox jumps over the lazy dog " * 3
    for width in range(40, 300, 7):
        lines = face.wrap(text, 20, width)
        assert [line for line in lines if line != line.strip()] == []
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_without_the_font_package_pillows_own_says_what_it_lacks():
    """Chinese is then missing, and nothing draws silent boxes."""
    face = Typeface("no_such_font_package")
    text, lacking = face.readable("fox 狐狸")
    assert text == "fox ??"
    assert lacking == ["狐", "狸"]
    assert "Noto" not in face.name


def test_a_long_word_is_broken_and_a_long_prompt_fits(tmp_path):
    """Nothing runs out of the frame, whatever the prompt."""
    face = Typeface()
    assert all(face.at(40).getlength(line) <= 200 for line in face.wrap("x" * 50, 40, 200))
    for prompt in ("word " * 1000, "字" * 2000, ""):
        order = order_of("wan3.0-video", prompt, resolution="480P")
        card = Card(order, TASK, 0, tmp_path)
        left, top, right, bottom = card._text.getbbox()
        assert left > 0
        assert top > 0
        assert right < order.width
        assert bottom < order.height


def test_old_results_make_room_for_new_ones(tmp_path):
    """The least recently used go first; the newest stays even when it alone is too large."""
    for age, name in enumerate(("new", "middle", "old")):
        (tmp_path / name).write_bytes(b"x" * 10)
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    _evict(tmp_path, 20)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "middle"}
    _evict(tmp_path, 5)
    assert {path.name for path in tmp_path.iterdir()} == {"new"}


def test_what_is_being_made_is_let_alone(tmp_path):
    """A part is about to change its name: nobody else may look for it under the old one."""
    (tmp_path / "result").write_bytes(b"x" * 10)
    (tmp_path / "other.part").symlink_to(tmp_path / "already renamed")
    _evict(tmp_path, 5)
    assert (tmp_path / "result").exists()


async def test_a_result_wanted_by_many_is_rendered_once(tmp_path):
    """Two renderings of one result would write the same file; the second caller waits instead."""
    renderer = Renderer(tmp_path / "results", tmp_path)
    order = order_of("wan2.2-t2v-plus", size="624*624")
    paths = await asyncio.gather(*(renderer.file(order, TASK, 0) for _ in range(3)))
    assert len(set(paths)) == 1
    assert len(renderer._pool._threads) == 1
    renderer.close()


def png(size, mode="RGB"):
    content = io.BytesIO()
    Image.new(mode, size, "green").save(content, "PNG")
    return content.getvalue()


def data_uri(content):
    return "data:image/png;base64," + base64.b64encode(content).decode()


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("content", "part"),
    [
        (png((100, 300)), "[240, 8000]"),
        (png((300, 300))[:200], "damaged"),
        (b"GIF89a not really", "damaged"),
        (png((9000, 8000), "1"), "[240, 8000]"),
    ],
)
async def test_a_bad_picture_fails_the_task(client, content, part):
    """Too small, cut off, of another format or a bomb: accepted, then FAILED."""
    answer = await client.submit("wan2.6-i2v", given={"img_url": data_uri(content)})
    await asyncio.sleep(4)
    output = await client.output(answer["output"]["task_id"])
    assert output["task_status"] == "FAILED"
    assert part in output["message"]


@pytest.mark.parametrize(
    ("picture", "frame"),
    [((1280, 720), (1920, 1080)), ((3000, 3000), (1440, 1440)), ((400, 600), (1168, 1760))],
)
def test_a_picture_lends_its_shape_not_its_size(picture, frame):
    """The tier gives the number of pixels; common shapes get the documented frames."""
    order = order_of("wan2.6-i2v", picture=Picture("x", "x", *picture))
    assert (order.width, order.height) == frame


@pytest.mark.looptime
async def test_a_picture_is_fetched_from_this_machine(client):
    """It lends the clip its shape; one that is not there fails the task as the service does."""

    async def picture(_):
        return web.Response(body=png((400, 600)))

    async def large(_):
        return web.Response(body=io.BytesIO(png((300, 300)) + bytes(20 << 20)))

    async def elsewhere(_):
        raise web.HTTPFound("/a.png")

    application = web.Application()
    application.router.add_get("/a.png", picture)
    application.router.add_get("/moved.png", elsewhere)
    application.router.add_get("/large.png", large)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    ids = []
    for name in ("a.png", "missing.png", "moved.png", "large.png"):
        given = {"img_url": f"http://{host}:{port}/{name}"}
        answer = await client.submit("wan2.5-i2v-preview", given=given, resolution="480P")
        ids.append(answer["output"]["task_id"])
    await runner.cleanup()
    await asyncio.sleep(600)
    output = await client.output(ids[0])
    with av.open(io.BytesIO(await client.download(output["video_url"]))) as container:
        video = container.streams.video[0]
        assert video.width / video.height == pytest.approx(2 / 3, abs=0.03)
    assert "larger than 20 MB" in (await client.output(ids[3]))["message"]
    for task_id in ids[1:3]:
        output = await client.output(task_id)
        assert output["code"] == "InvalidParameter.DataInspection"


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
