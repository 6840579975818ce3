"""The public API, in somebody else's event loop, against a server written from the API pages alone.

The server here is not the sandbox: it knows only the documented wire shapes, so what works against
it needs nothing that only the sandbox has.
"""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import asynccontextmanager

import av
import pytest
from aiohttp import web
from PIL import Image

import batchgen

KEY = "sk-canary-0123456789abcdef"
MANIFEST = """
defaults: {model: wan2.6-t2v, size: 1280*720}
jobs:
  - {id: clip, prompt: A lantern floats down a canal., duration: 3}
  - {id: still, prompt: A lantern on a canal., model: wan2.2-t2i-flash, size: 512*512, n: 2}
"""


def clip() -> bytes:
    """A second of grey video."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(10):
            picture = Image.new("RGB", (64, 48), "grey")
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    return target.getvalue()


def still() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (512, 512), "navy").save(target, "PNG")
    return target.getvalue()


class Pages:
    """The service as its pages describe it, no more: two questions until a task is done."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict] = {}
        self.looks: dict[str, int] = {}
        self.headers: list[dict] = []

    async def submit(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.headers.append(dict(request.headers))
        task_id = f"0385dc79-5ff8-4d82-bcb6-00000000000{len(self.tasks)}"
        self.tasks[task_id] = body
        output = {"task_status": "PENDING", "task_id": task_id}
        return web.json_response({"output": output, "request_id": "4909100c"})

    async def task(self, request: web.Request) -> web.Response:
        task_id = request.match_info["task_id"]
        self.looks[task_id] = self.looks.get(task_id, 0) + 1
        output = {"task_id": task_id, "task_status": "RUNNING"}
        answer = {"request_id": "c87415d2", "output": output}
        if self.looks[task_id] > 1:
            output["task_status"] = "SUCCEEDED"
            output["end_time"] = "2026-01-26 16:45:00.123"
            answer["usage"] = self._results(request, self.tasks[task_id], output)
        return web.json_response(answer)

    def _results(self, request: web.Request, body: dict, output: dict) -> dict:
        home = f"http://{request.host}/files"
        if "t2i" in body["model"]:
            output["results"] = [{"url": f"{home}/still.png"} for _ in range(2)]
            return {"image_count": 2}
        output["orig_prompt"] = body["input"]["prompt"]
        output["video_url"] = f"{home}/clip.mp4?Expires=1769500000&Signature=abc%2Bdef"
        return {"duration": 3.0, "SR": 720, "video_count": 1}

    async def file(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        kind = request.match_info["name"]
        return web.Response(body=clip() if kind == "clip.mp4" else still())


@asynccontextmanager
async def serving(pages: Pages):
    application = web.Application()
    for path in ("video-generation/video-synthesis", "text2image/image-synthesis"):
        application.router.add_post(f"/api/v1/services/aigc/{path}", pages.submit)
    application.router.add_get("/api/v1/tasks/{task_id}", pages.task)
    application.router.add_get("/files/{name}", pages.file)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield "http://{}:{}/api/v1".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


@pytest.fixture
def manifest(tmp_path) -> batchgen.Manifest:
    path = tmp_path / "lantern.yaml"
    path.write_text(MANIFEST)
    return batchgen.load(path)


@pytest.mark.looptime
async def test_any_server_that_speaks_the_documented_shapes_will_do(
    manifest, monkeypatch, tmp_path
):
    """With only a base URL and a key in the environment, files and sidecars come out right."""
    pages, seen = Pages(), []
    async with serving(pages) as url:
        monkeypatch.setenv("DASHSCOPE_HTTP_BASE_URL", url)
        monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
        summary = await batchgen.run(manifest, on_progress=seen.append)
    assert summary.exit_code is batchgen.ExitCode.DONE
    folder = tmp_path / "output" / "lantern"
    assert summary.folder == folder
    assert sorted(path.name for path in folder.glob("[!.]*")) == [
        "clip.json",
        "clip.mp4",
        "still-1.png",
        "still-2.png",
        "still.json",
    ]
    sidecar = json.loads((folder / "clip.json").read_text())
    assert sidecar["usage"] == {"duration": 3.0, "SR": 720, "video_count": 1}
    assert sidecar["prompt"] == "A lantern floats down a canal."
    assert sidecar["cost"]["amount"] == pytest.approx(0.3)
    assert (seen[0].waiting, seen[-1].done) == (0, 2)


@pytest.mark.looptime
async def test_the_key_goes_to_the_api_and_to_nobody_else(manifest, monkeypatch):
    """The host of the results never sees it; every request to the API carries it once."""
    pages = Pages()
    async with serving(pages) as url:
        monkeypatch.setenv("DASHSCOPE_HTTP_BASE_URL", url)
        monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
        await batchgen.run(manifest)
    posts = [headers for headers in pages.headers if "X-DashScope-Async" in headers]
    files = [headers for headers in pages.headers if "X-DashScope-Async" not in headers]
    assert [headers["Authorization"] for headers in posts] == [f"Bearer {KEY}"] * 2
    assert files
    assert KEY not in str(files)


@pytest.mark.looptime
async def test_two_batches_share_an_event_loop(manifest, monkeypatch, tmp_path):
    """Two runs side by side in one program do not disturb each other."""
    other = tmp_path / "other.yaml"
    other.write_text(MANIFEST)
    async with serving(Pages()) as url:
        monkeypatch.setenv("DASHSCOPE_HTTP_BASE_URL", url)
        monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
        both = await asyncio.gather(batchgen.run(manifest), batchgen.run(batchgen.load(other)))
    assert [summary.count("done") for summary in both] == [2, 2]


async def test_without_a_key_nothing_is_begun(manifest):
    """The mistake says where a key is looked for."""
    with pytest.raises(batchgen.BatchgenError, match="no API key") as caught:
        await batchgen.run(manifest)
    assert caught.value.exit_code is batchgen.ExitCode.MISTAKE
    assert "DASHSCOPE_API_KEY" in caught.value.hint


def test_a_plan_says_what_would_be_bought(manifest, tmp_path):
    """Jobs, states and the worst case by model, without a request or a file."""
    report = batchgen.plan(manifest)
    assert report.counts == {"new": 2}
    assert {model: str(money) for model, money in report.to_spend.items()} == {
        "wan2.6-t2v": "USD 0.30",
        "wan2.2-t2i-flash": "USD 0.05",
    }
    assert not (tmp_path / "output").exists()


def test_every_public_name_is_there():
    """What the package offers can be imported from it, and nothing else pretends to be."""
    for name in batchgen.__all__:
        assert getattr(batchgen, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        batchgen.nothing  # noqa: B018 - asking is the point


def test_the_environment_reaches_no_further_than_a_flag():
    """Flag before manifest before environment before default, for the region; a URL beats all."""
    from batchgen.api import find_place  # noqa: PLC0415 - not a public name of the package

    environ = {"DASHSCOPE_API_REGION": "beijing"}
    assert find_place(environ=environ).region_of("virginia") == "virginia"
    assert find_place(environ=environ).region_of(None) == "beijing"
    assert find_place(region="singapore", environ=environ).region_of("virginia") == "singapore"
    place = find_place(environ={**environ, "DASHSCOPE_HTTP_BASE_URL": "http://127.0.0.1:9/api/v1/"})
    assert place.url == "http://127.0.0.1:9/api/v1"
