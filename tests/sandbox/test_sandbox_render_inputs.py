from __future__ import annotations

import asyncio
import base64
import io
from dataclasses import replace

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from batchgen.sandbox.orders import Input, InputKind
from batchgen.sandbox.render.card import STRIP_SHARE
from batchgen.sandbox.render.given import opened
from batchgen.sandbox.render.sound import levels
from batchgen.sandbox.render.tiles import strip
from batchgen.sandbox.render.wiring import wiring
from tests.sandbox.renderings import (
    BLUE,
    CLIP,
    GREEN,
    RED,
    STILL,
    a_picture,
    a_sound,
    a_video,
    frames,
    heard,
    loudest,
    made,
)

LOUD = 0.35
"""Of a tone of half the scale, when one channel is spread over two."""


def is_all(image, colour, off=8):
    """Whether no pixel is further from the colour than coding makes it."""
    flat = Image.new("RGB", image.size, colour)
    return max(high for _, high in ImageChops.difference(image, flat).getextrema()) <= off


def share_of(image, colour):
    """Which part of the pixels is about that colour."""
    flat = Image.new("RGB", image.size, colour)
    apart = ImageChops.difference(image, flat).convert("L").point(lambda value: value < 12)
    return ImageStat.Stat(apart).mean[0]


def test_a_clip_starts_from_its_picture_alone(tmp_path):
    """The first frame is the picture, all over; a second later the card lies over it."""
    shown = frames(made(tmp_path, replace(CLIP, inputs=(a_picture(tmp_path, RED),))))
    assert len(shown) == 150
    assert is_all(shown[0], RED)
    assert shown[8] == shown[0]
    assert not is_all(shown[30], RED)
    red, green, _ = ImageStat.Stat(shown[30]).mean
    assert red > 3 * green
    assert shown[31] == shown[61] != shown[45]


@pytest.mark.parametrize("seconds", [0.5, 2.0, 5.0, 15.0, 30.0])
def test_a_clip_goes_from_the_first_picture_to_the_last(tmp_path, seconds):
    """Each is alone at its end, both are seen halfway, whatever the length."""
    inputs = (a_picture(tmp_path, RED), a_picture(tmp_path, BLUE, "last_frame"))
    shown = frames(made(tmp_path, replace(CLIP, seconds=seconds, inputs=inputs)))
    assert len(shown) == 30 * seconds
    assert is_all(shown[0], RED)
    assert is_all(shown[-1], BLUE)
    reds = [ImageStat.Stat(image).mean[0] for image in shown[:: len(shown) // 5]]
    red, _, blue = ImageStat.Stat(shown[len(shown) // 2]).mean
    assert reds == sorted(reds, reverse=True)
    assert 0.5 < red / blue < 2


def contrast(image):
    return ImageStat.Stat(image.convert("L").crop((0, 200, 832, 280))).stddev[0]


@pytest.mark.parametrize("more", [(), ("last_frame",)])
def test_a_picture_goes_soft_under_the_card(tmp_path, more):
    """What is written on it does not mix with the card's words; alone, it is as sharp as given."""
    stripes = Image.new("L", (832, 480))
    for x in range(0, 832, 16):
        stripes.paste(255, (x, 0, x + 8, 480))
    stripes.save(tmp_path / "stripes", "PNG")
    picture = Input("first_frame", InputKind.IMAGE, "a.png", "stripes", width=832, height=480)
    inputs = (picture, *(replace(picture, role=role) for role in more))
    shown = frames(made(tmp_path, replace(CLIP, prompt="Zoom", seconds=3.0, inputs=inputs)))
    assert contrast(shown[0]) > 100
    assert contrast(shown[45]) < 60
    assert (contrast(shown[-1]) > 100) == bool(more)


def test_a_long_journey_costs_as_much_as_a_short_one(tmp_path):
    """Few pictures are coded; all other frames are a few bytes that say "as before"."""
    inputs = (a_picture(tmp_path, RED), a_picture(tmp_path, BLUE, "last_frame"))
    path = made(tmp_path, replace(CLIP, seconds=15.0, inputs=inputs))
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert len(packets) == 450
    assert sum(packet.is_keyframe for packet in packets) == 24
    assert max(packet.size for packet in packets if not packet.is_keyframe) < 100


def test_pictures_and_sound_are_exact_with_a_journey(tmp_path):
    """Times grow evenly, the index stands in front, and the sound goes on to the end."""
    inputs = (a_picture(tmp_path, RED), a_picture(tmp_path, BLUE, "last_clip"))
    path = made(tmp_path, replace(CLIP, seconds=3.5, sound=True, inputs=inputs))
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([n / 30 for n in range(105)])
    assert 3.47 < len(heard(path)) / 48_000 <= 3.5


@pytest.mark.parametrize("role", ["video", "first_clip"])
def test_an_edit_starts_from_its_video(tmp_path, role):
    """Its first frame fills the result's first."""
    order = replace(CLIP, seconds=1.0, inputs=(a_video(tmp_path, GREEN, role),))
    assert is_all(frames(made(tmp_path, order))[0], GREEN, off=12)


def test_an_animation_shows_its_character_over_its_video():
    """The video gives the motion and the frame; the portrait is a tile."""
    portrait = Input("image", InputKind.IMAGE, "a.png", "x")
    dance = Input("video", InputKind.VIDEO, "a.mp4", "y")
    assert wiring(replace(CLIP, inputs=(portrait, dance))).start is dance
    assert wiring(replace(CLIP, inputs=(portrait,))).start is portrait


def test_what_was_not_fetched_is_only_a_tile(tmp_path):
    """A first frame from elsewhere cannot fill anything; the clip is made all the same."""
    elsewhere = Input("first_frame", InputKind.IMAGE, "example.com/a.png")
    order = replace(CLIP, seconds=1.0, inputs=(elsewhere,))
    assert wiring(order).start is None
    shown = frames(made(tmp_path, order))
    without = frames(made(tmp_path, replace(order, inputs=())))
    changed = ImageChops.difference(shown[0], without[0]).crop((0, 60, 300, 200))
    assert ImageStat.Stat(changed).mean != [0, 0, 0]


def test_references_are_shown_in_an_image(tmp_path):
    """Each picture and the first frame of each video, in their own colours; an image has them all
    as tiles.
    """
    inputs = (
        a_picture(tmp_path, RED, "image", name="Image 1"),
        a_picture(tmp_path, BLUE, "mask"),
        a_video(tmp_path, GREEN, "reference_video", name="Video 1"),
    )
    with Image.open(made(tmp_path, replace(STILL, inputs=inputs), 1)) as image:
        for colour in (RED, GREEN, BLUE):
            assert share_of(image, colour) > 0.02
    with Image.open(made(tmp_path, STILL, 1)) as image:
        for colour in (RED, GREEN, BLUE):
            assert share_of(image, colour) < 0.001


def test_names_and_files_stand_under_the_tiles(tmp_path):
    """Another name, another file: another caption."""
    one = a_picture(tmp_path, RED, "reference_image", name="Image 1")
    others = [replace(one, name="Image 2"), replace(one, source="b.png")]
    tiles = [strip((each,), tmp_path, (600, 200), 5) for each in (one, *others)]
    for other in tiles[1:]:
        changed = ImageChops.difference(tiles[0], other).getbbox(alpha_only=False)
        assert changed[1] > 100


def test_the_level_of_a_sound_is_drawn_as_it_is(tmp_path):
    """Silence first, then a tone: low bars, then high ones."""
    sound = a_sound(tmp_path, 2.0, lambda time: 0.5 * (time >= 1))
    heights = levels(tmp_path / sound.digest)
    assert max(heights[:17]) == 0
    assert min(heights[19:]) > 0.9


def test_a_given_sound_is_what_is_heard(tmp_path):
    """From its own time on, and followed by silence."""
    sound = a_sound(tmp_path, 2.0, lambda time: 0.5 * (time >= 0.5))
    path = made(tmp_path, replace(CLIP, sound=True, inputs=(sound,)))
    samples = heard(path)
    assert 4.97 < len(samples) / 48_000 <= 5
    assert loudest(samples, 0, 0.47) < 0.01
    assert loudest(samples, 0.52, 0.6) == pytest.approx(LOUD, abs=0.07)
    assert loudest(samples, 1.9, 1.98) == pytest.approx(LOUD, abs=0.07)
    assert loudest(samples, 2.1, 4.9) < 0.01


def test_a_given_sound_is_cut_where_the_clip_ends(tmp_path):
    """It is never longer than the picture; a portrait speaks with it."""
    portrait, sound = a_picture(tmp_path, RED, "image"), a_sound(tmp_path, 3.0, role="audio")
    order = replace(CLIP, seconds=1.25, fps=16, sound=True, inputs=(portrait, sound))
    path = made(tmp_path, order)
    assert len(frames(path)) == 20
    assert is_all(frames(path)[0], RED)
    assert 1.22 < len(heard(path)) / 48_000 <= 1.25
    assert loudest(heard(path), 1.1, 1.2) == pytest.approx(LOUD, abs=0.07)


def test_a_silent_clip_ignores_a_given_sound(tmp_path):
    """`audio: false` wins over a sound that was given."""
    order = replace(CLIP, seconds=1.0, inputs=(a_sound(tmp_path, 1.0),))
    with av.open(str(made(tmp_path, order))) as container:
        assert not container.streams.audio


def test_a_reference_voice_is_shown_and_not_heard(tmp_path):
    """It lends its timbre, no more."""
    voice = a_sound(tmp_path, 1.0, role="reference_voice")
    order = replace(CLIP, seconds=1.0, sound=True, inputs=(voice,))
    assert wiring(order).sound is None
    chord = heard(made(tmp_path, replace(order, inputs=())))
    assert heard(made(tmp_path, order)) == chord


def test_the_rest_of_a_damaged_sound_is_silence(tmp_path):
    """Its first frame was fine when it was given; no result fails for the rest."""
    stream = av.open(str(tmp_path / "cut.mp4"), "w", format="mp4")
    track = stream.add_stream("aac", rate=48_000)
    tone = a_sound(tmp_path, 2.0)
    with opened(tmp_path / tone.digest) as container:
        for frame in container.decode(audio=0):
            stream.mux(track.encode(frame))
    stream.mux(track.encode(None))
    stream.close()
    content = bytearray((tmp_path / "cut.mp4").read_bytes())
    middle = content.index(b"mdat") + 8000
    content[middle : middle + 6000] = bytes([0xFF]) * 6000
    (tmp_path / "cut").write_bytes(content)
    order = replace(
        CLIP, seconds=2.0, sound=True, inputs=(replace(tone, digest="cut", source="cut.mp4"),)
    )
    samples = heard(made(tmp_path, order))
    assert loudest(samples, 0.1, 0.3) == pytest.approx(LOUD, abs=0.07)
    assert loudest(samples, 1.7, 1.9) < 0.01


def test_a_list_of_other_files_is_not_followed(tmp_path):
    """FFmpeg would open what such a list names, here or elsewhere."""
    sound = a_sound(tmp_path, 1.0)
    (tmp_path / "list").write_text(f"ffconcat version 1.0\nfile {sound.digest}\n")
    with pytest.raises(av.FFmpegError):
        opened(tmp_path / "list")


INPUTS = st.builds(
    Input,
    role=st.sampled_from(["reference_image", "file", "link", "mask"]),
    kind=st.sampled_from(InputKind),
    source=st.text(max_size=60),
    name=st.sampled_from(["", "Image 10", "character1"]),
    width=st.integers(0, 8000),
    height=st.integers(0, 8000),
    seconds=st.floats(0, 30),
)


@settings(deadline=None, max_examples=50)
@given(
    inputs=st.lists(INPUTS, min_size=1, max_size=20).map(tuple),
    size=st.tuples(st.integers(256, 4096), st.integers(256, 4096)),
)
def test_tiles_stay_in_their_room(inputs, size, tmp_path_factory):
    """However many inputs of whatever shape: the words below keep their place."""
    room = (size[0] * 88 // 100, round(STRIP_SHARE * size[1]))
    image = strip(inputs, tmp_path_factory.getbasetemp(), room, min(size) / 100)
    assert image.width == room[0]
    assert image.height <= room[1]


def test_a_thousand_jobs_with_one_reference_decode_it_once(tmp_path):
    """What is equal is kept: the second clip does not need the file any more."""
    order = replace(CLIP, seconds=0.1, inputs=(a_picture(tmp_path, GREEN),))
    first = made(tmp_path, order).read_bytes()
    (tmp_path / order.inputs[0].digest).unlink()
    assert made(tmp_path, order).read_bytes() == first


@pytest.mark.looptime
async def test_a_rehearsal_shows_the_picture_that_was_sent(client):
    """From the request through the task to the downloaded clip."""
    content = io.BytesIO()
    Image.new("RGB", (400, 600), BLUE).save(content, "PNG")
    url = "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
    answer = await client.submit("wan2.5-i2v-preview", given={"img_url": url}, resolution="480P")
    await asyncio.sleep(600)
    output = await client.output(answer["output"]["task_id"])
    with av.open(io.BytesIO(await client.download(output["video_url"]))) as container:
        first = next(container.decode(video=0)).to_image()
    assert first.width / first.height == pytest.approx(2 / 3, abs=0.03)
    assert is_all(first, BLUE)
