from __future__ import annotations

import asyncio
import base64
import io

import av
import pytest
from aiohttp import web
from PIL import Image

from batchgen.sandbox.inputs import Inputs
from batchgen.sandbox.models import Flaw, built_in
from batchgen.sandbox.orders import InputKind, media_in

ACCOUNT = "account"


def picture(size=(640, 480), mode="RGB", kind="PNG"):
    file = io.BytesIO()
    Image.new(mode, size, 90).save(file, kind)
    return file.getvalue()


def video(seconds=2, size=(320, 240), container="mp4"):
    file = io.BytesIO()
    with av.open(file, "w", format=container) as opened:
        stream = opened.add_stream("mpeg4", rate=10)
        stream.width, stream.height = size
        frame = av.VideoFrame.from_image(Image.new("RGB", size))
        packets = [stream.encode(frame) for _ in range(round(seconds * 10))]
        opened.mux([packet for one in [*packets, stream.encode(None)] for packet in one])
    return file.getvalue()


def sound(seconds=4, container="wav"):
    file = io.BytesIO()
    with av.open(file, "w", format=container) as opened:
        stream = opened.add_stream({"wav": "pcm_s16le", "mp3": "mp3"}[container], rate=8000)
        samples = 1000 if container == "wav" else 576
        for place in range(round(seconds * 8000 / samples)):
            frame = av.AudioFrame(format="s16" if container == "wav" else "s16p",
                                  layout="mono", samples=samples)  # fmt: skip
            frame.sample_rate, frame.pts = 8000, place * samples
            opened.mux(stream.encode(frame))
        opened.mux(stream.encode(None))
    return file.getvalue()


def inlined(content, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@pytest.fixture
def inputs(tmp_path):
    """Inputs of a sandbox where one file was uploaded."""
    folder, uploaded = tmp_path / "inputs", tmp_path / "uploaded"
    folder.mkdir()
    uploaded.write_bytes(picture())

    def resolve(account, model, key):
        if (account, model, key) != (ACCOUNT, "wan2.6-i2v", "dashscope/1/fox.png"):
            raise Flaw("InvalidParameter.DataInspection", f"not there: {key}")
        return uploaded

    return Inputs(folder, resolve)


@pytest.fixture
async def serve():
    """A loopback server for the files a test hands it; gives their URL."""
    runners = []

    async def serves(answer, path="/fox.png?secret=1"):
        async def handler(_):
            return await answer() if callable(answer) else web.Response(body=answer)

        application = web.Application()
        application.router.add_get("/{name}", handler)
        runner = web.AppRunner(application)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}{path}"

    yield serves
    for runner in runners:
        await runner.cleanup()


async def taken(inputs, model, given, account=ACCOUNT):
    """All media of a request, taken."""
    model = built_in()[model]
    wanted = media_in(model, {"model": model.name, "input": given})
    return [await inputs.take(one, model, account) for one in wanted]


async def take(inputs, url, account=ACCOUNT):
    (given,) = await taken(inputs, "wan2.6-i2v", {"img_url": url}, account)
    return given


def clip(url):
    return {"media": [{"type": "first_clip", "url": url}]}


async def test_a_picture_of_this_machine_is_fetched_and_measured(inputs, serve, tmp_path):
    """It is kept under the digest of its bytes, and its address without the query."""
    content = picture((640, 480))
    given = await take(inputs, await serve(content))
    assert (given.role, given.kind, given.source) == ("first_frame", InputKind.IMAGE, "/fox.png")
    assert (given.shape, given.seconds) == ((640, 480), 0)
    assert (tmp_path / "inputs" / given.digest).read_bytes() == content


async def test_an_inlined_picture_is_measured(inputs):
    """As it needs no connection at all."""
    given = await take(inputs, inlined(picture((300, 900))))
    assert (given.shape, given.source) == ((300, 900), "an inlined image")


async def test_the_same_file_is_kept_once(inputs, serve, tmp_path):
    """However it comes, and nothing half written stays."""
    content = picture()
    url = await serve(content)
    given = [await take(inputs, one) for one in (url, url, inlined(content))]
    assert len({one.digest for one in given}) == 1
    assert [path.name for path in (tmp_path / "inputs").iterdir()] == [given[0].digest]


async def test_an_uploaded_picture_is_found_by_account_and_model(inputs):
    """It is named by its file, and belongs to those who uploaded it."""
    given = await take(inputs, "oss://dashscope/1/fox.png")
    assert (given.source, given.shape) == ("fox.png", (640, 480))
    with pytest.raises(Flaw, match="not there"):
        await take(inputs, "oss://dashscope/1/fox.png", account="another")


async def test_a_file_from_elsewhere_is_taken_on_trust(inputs):
    """The sandbox stays on this machine: what it cannot measure counts as unknown."""
    given = await take(inputs, "https://example.com/a/fox.png?secret=1")
    assert given.source == "example.com/a/fox.png"
    assert (given.digest, given.shape, given.seconds) == ("", None, 0)


async def test_links_and_documents_are_never_opened(inputs, serve):
    """A link is not fetched at all, a document is known by its name."""
    media = [{"type": "link", "url": "http://127.0.0.1:1/page"}]
    (link,) = await taken(inputs, "wan3.0-video", {"media": media})
    assert (link.kind, link.digest) == (InputKind.LINK, "")
    media = [{"type": "file", "url": await serve(b"notes", "/notes.txt")}]
    (document,) = await taken(inputs, "wan3.0-video", {"media": media})
    assert (document.kind, document.source) == (InputKind.DOCUMENT, "/notes.txt")
    assert document.digest
    media = [{"type": "file", "url": await serve(b"notes", "/notes.exe")}]
    with pytest.raises(Flaw, match="the file must be one of pdf, txt"):
        await taken(inputs, "wan3.0-video", {"media": media})


@pytest.mark.parametrize("container", ["mp4", "mov"])
async def test_a_video_is_measured(inputs, serve, container):
    """Its size, and its length in seconds."""
    url = await serve(video(2.5, container=container), f"/clip.{container}")
    (given,) = await taken(inputs, "wan2.7-i2v", clip(url))
    assert (given.kind, given.shape, given.seconds) == (InputKind.VIDEO, (320, 240), 2.5)


@pytest.mark.parametrize("container", ["wav", "mp3"])
async def test_a_sound_is_measured(inputs, container):
    """Its length in seconds."""
    url = inlined(sound(4, container), "audio/wav")
    _, given = await taken(inputs, "wan2.6-i2v", {"img_url": inlined(picture()), "audio_url": url})
    assert given.kind is InputKind.AUDIO
    assert given.seconds == pytest.approx(4, abs=0.2)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x89PNG\r\n\x1a\n", "the image is damaged or of an unsupported format"),
        (picture(kind="GIF", mode="P"), "unsupported format"),
        (picture()[:-30], "damaged"),
        (picture((239, 300)), r"sides of the image must be in \[240, 8000\] pixels, not 239\*300"),
        (picture((240, 2161)), "ratio of the image's sides must not exceed 8:1"),
        (picture(mode="RGBA"), "must not have an alpha channel"),
        (b"x" * ((20 << 20) + 1), "the image is larger than 20 MB"),
    ],
    ids=["header", "format", "cut", "small", "narrow", "alpha", "large"],
)
async def test_a_picture_that_the_model_does_not_take(inputs, serve, tmp_path, content, words):
    """A damaged, odd or oversized one is a flaw, and nothing half written stays."""
    with pytest.raises(Flaw, match=words):
        await take(inputs, await serve(content))
    assert not list((tmp_path / "inputs").glob("*.part"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (video(1), r"duration of the video must be in \[2, 10\] seconds, not 1.00"),
        (video(10.2), r"duration of the video must be in \[2, 10\] seconds, not 10.20"),
        (video(2, (160, 120)), r"sides of the video must be in \[240, 4096\]"),
        (video(2, container="avi"), "the video is damaged or of an unsupported format"),
        (video(2)[:300], "the video is damaged"),
        (sound(3), "the video is damaged"),
        (b"#EXTM3U\n#EXTINF:3,\nfile:///etc/hostname\n", "the video is damaged"),
        (b"", "the video is damaged"),
    ],
    ids=["short", "long", "small", "format", "cut", "sound", "playlist", "empty"],
)
async def test_a_video_that_the_model_does_not_take(inputs, serve, content, words):
    """Too short, too long, too small, or no video of its kinds; a playlist is never opened."""
    with pytest.raises(Flaw, match=words):
        await taken(inputs, "wan2.7-i2v", clip(await serve(content, "/clip.mp4")))


async def test_a_clip_may_be_a_frame_longer_than_it_is_called(inputs, serve):
    """Ten seconds are often a little more."""
    (given,) = await taken(inputs, "wan2.7-i2v", clip(await serve(video(10.1), "/clip.mp4")))
    assert given.seconds == 10.1


@pytest.mark.parametrize(
    "url",
    [
        "iVBORw0K",
        "ftp://127.0.0.1/fox.png",
        "data:image/png;base64,*",
        "data:image/png;base64,é",
        "data:video/mp4;base64,AAAA",
        "data:image/png,AAAA",
        "http://127.0.0.1:1/fox.png",
        "http://127.0.0.1:99999/fox.png",
        "http://[127.0.0.1/fox.png",
    ],
)
async def test_an_address_that_cannot_be_used(inputs, url):
    """The service says of all that it cannot download them."""
    with pytest.raises(Flaw, match=r"DataInspection: Unable to download the media"):
        await take(inputs, url)


async def test_an_answer_that_is_no_file(inputs, serve):
    """Only a plain 200 is one; a redirection could lead off this machine."""

    async def elsewhere():
        raise web.HTTPFound("https://example.com/fox.png")

    with pytest.raises(Flaw, match="Unable to download"):
        await take(inputs, await serve(elsewhere))


@pytest.mark.looptime
async def test_a_file_that_does_not_come_in_time(inputs, serve):
    """The service gives up, with the words it has for this."""
    url = await serve(lambda: asyncio.sleep(60, web.Response(body=picture())))
    with pytest.raises(Flaw, match="Download the media resource timed out"):
        await take(inputs, url)


async def test_a_disk_that_refuses_is_told_as_such(inputs, tmp_path):
    """It is no flaw of the request."""
    (tmp_path / "inputs").rmdir()
    with pytest.raises(OSError, match="inputs"):
        await take(inputs, inlined(picture()))


async def test_rules_of_a_model_are_told_apart_for_the_same_file(inputs):
    """A measure is remembered, what a model makes of it is not."""
    content = inlined(picture((300, 300)))
    assert (await take(inputs, content)).shape == (300, 300)
    with pytest.raises(Flaw, match=r"\[360, 2000\]"):
        await taken(inputs, "wan2.2-i2v-plus", {"img_url": content})


def edit(url):
    return {"prompt": "x", "function": "colorization", "base_image_url": url}


def scene(picture, clip):
    return {"function": "video_edit", "mask_image_url": picture, "video_url": clip}


def message(url):
    return {"messages": [{"role": "user", "content": [{"text": "x"}, {"image": url}]}]}


CLEAR = inlined(picture(mode="RGBA"))
TINY = inlined(video(1, (64, 64)), "video/mp4")
SHORT = inlined(video(), "video/mp4")
TAKEN = [
    ("wanx2.1-imageedit", edit(inlined(picture((600, 600), kind="TIFF"), "image/tiff"))),
    ("wan2.1-vace-plus", scene(inlined(picture((40, 40))), TINY)),
    ("wan2.5-i2i-preview", {"prompt": "x", "images": [inlined(picture((384, 3900)))]}),
    ("wan2.6-image", message(inlined(picture((240, 2400))))),
    ("wanx2.1-imageedit", edit(inlined(picture((600, 600), "RGBA")))),
    ("wan3.0-video", {"media": [{"type": "first_frame", "url": CLEAR}]}),
    ("wan2.7-r2v", {"media": [{"type": "first_frame", "url": CLEAR},
                              {"type": "reference_image", "url": CLEAR}]}),
]  # fmt: skip


@pytest.mark.parametrize(("model", "given"), TAKEN)
async def test_what_no_page_forbids_is_taken(inputs, model, given):
    """Neither sides, ratios nor formats are narrower than documented; nor is transparency refused
    where no page speaks of it.
    """
    assert all(one.digest for one in await taken(inputs, model, given))


@pytest.mark.parametrize(
    ("model", "given", "words"),
    [
        ("wan2.6-image", message(inlined(picture((239, 300)))), r"\[240, 8000\] pixels"),
        ("wan2.5-i2i-preview", {"images": [inlined(picture((383, 500)))]}, r"\[384, 5000\] pixels"),
        ("wanx2.1-imageedit", edit(inlined(picture((511, 600)))), r"\[512, 4096\] pixels"),
        ("wan2.7-i2v", {"media": [{"type": "first_frame", "url": CLEAR}]}, "alpha channel"),
        (
            "wan2.7-i2v",
            {"media": [{"type": "first_frame", "url": inlined(picture())},
                       {"type": "last_frame", "url": CLEAR}]},
            "alpha channel",
        ),
        ("wan2.2-i2v-plus", {"img_url": CLEAR}, "alpha channel"),
        ("wan2.2-kf2v-flash", {"first_frame_url": CLEAR}, "alpha channel"),
        ("wan2.6-image", message(CLEAR), "alpha channel"),
        ("wan2.7-image", message(CLEAR), "alpha channel"),
        ("wan2.5-i2i-preview", {"images": [CLEAR]}, "alpha channel"),
        ("wan2.6-r2v", {"reference_urls": [CLEAR]}, "alpha channel"),
        (
            "wan2.7-videoedit",
            {"media": [{"type": "video", "url": SHORT}, {"type": "reference_image", "url": CLEAR}]},
            "alpha channel",
        ),
    ],
)  # fmt: skip
async def test_what_a_page_forbids_is_a_flaw(inputs, model, given, words):
    """One beyond the bounds, or transparent where a page says that it may not be."""
    with pytest.raises(Flaw, match=words):
        await taken(inputs, model, {"prompt": "x"} | given)


async def test_each_field_of_a_reference_has_its_own_least_length(inputs):
    """One second in the new field and two in the old, whatever the sides are."""
    (given,) = await taken(inputs, "wan2.6-r2v", {"reference_urls": [TINY]})
    assert (given.role, given.seconds) == ("reference_video", 1)
    with pytest.raises(Flaw, match=r"\[2, 30\] seconds, not 1.00"):
        await taken(inputs, "wan2.6-r2v", {"reference_video_urls": [TINY]})


async def test_a_speech_is_shorter_than_twenty_seconds(inputs, serve):
    """Strictly: not even its last frame may be over."""
    face = await serve(picture(), "/face.png")
    just = await serve(sound(19.875), "/just.wav")
    _, given = await taken(inputs, "wan2.2-s2v", {"image_url": face, "audio_url": just})
    assert given.seconds == 19.88
    over = await serve(sound(20), "/over.wav")
    with pytest.raises(Flaw, match=r"must be below 20 seconds, not 20.00"):
        await taken(inputs, "wan2.2-s2v", {"image_url": face, "audio_url": over})


@pytest.mark.parametrize("field", ["image_url", "audio_url"])
async def test_a_digital_human_takes_addresses_alone(inputs, serve, field):
    """Its page has http(s) and oss:// and nothing else."""
    given = {
        "image_url": await serve(picture(), "/face.png"),
        "audio_url": await serve(sound(), "/speech.wav"),
    }
    content = {"image_url": inlined(picture()), "audio_url": inlined(sound(), "audio/wav")}
    with pytest.raises(Flaw, match="Unable to download the media"):
        await taken(inputs, "wan2.2-s2v", given | {field: content[field]})
