"""Given media are opened with care: nothing is followed, guessed or decoded beyond need."""

from __future__ import annotations

import io
import struct
import zlib

import av
import pytest
from aiohttp import web
from PIL import Image

from batchgen.sandbox.inputs import Inputs
from batchgen.sandbox.inputs.measuring import measure
from batchgen.sandbox.models import Flaw, built_in
from batchgen.sandbox.orders import media_in


def wanted(model, **given):
    model = built_in()[model]
    return model, media_in(model, {"model": model.name, "input": given})


async def test_a_redirect_is_not_followed(tmp_path):
    """It could lead anywhere, away from this machine too."""
    asked = []
    content = io.BytesIO()
    Image.new("RGB", (400, 400)).save(content, "PNG")

    async def answer(request):
        asked.append(request.path)
        if request.path == "/fox.png":
            raise web.HTTPFound("/elsewhere.png")
        return web.Response(body=content.getvalue())

    application = web.Application()
    application.router.add_get("/{name}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/fox.png"
    model, media = wanted("wan2.6-i2v", img_url=url)
    with pytest.raises(Flaw, match="Unable to download"):
        await Inputs(tmp_path, lambda *_: tmp_path).take_all(media, model, "account")
    await runner.cleanup()
    assert asked == ["/fox.png"]
    assert list(tmp_path.iterdir()) == []


def test_what_begins_like_an_mp3_is_opened_as_one(tmp_path):
    """FFmpeg looks behind the tag and would guess: a session description there, which opens
    connections, or any other container.
    """
    content = io.BytesIO()
    with av.open(content, "w", format="flac") as opened:
        stream = opened.add_stream("flac", rate=8000)
        for place in range(10):
            frame = av.AudioFrame(format="s16", layout="mono", samples=4000)
            frame.planes[0].update(bytes(frame.planes[0].buffer_size))  # else what memory held
            frame.sample_rate, frame.pts = 8000, place * 4000
            opened.mux(stream.encode(frame))
        opened.mux(stream.encode(None))
    path = tmp_path / "disguised"
    path.write_bytes(b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + content.getvalue())
    _, media = wanted("wan2.2-s2v", image_url="http://x/a.png", audio_url="http://x/a.mp3")
    with pytest.raises(Flaw, match="damaged or of an unsupported format"):
        measure(path, media[1].rule)


def test_a_picture_beyond_all_bounds_is_not_decoded(tmp_path):
    """Its sides are refused by what its first bytes say, whatever comes after them."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 8001, 8001, 8, 2, 0, 0, 0)
    path = tmp_path / "large"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"nothing"))
    _, media = wanted("wan2.6-i2v", img_url="http://x/a.png")
    with pytest.raises(Flaw, match="sides of the image must be in"):
        measure(path, media[0].rule)
