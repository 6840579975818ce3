"""Requests that are answered with the result itself: no task, and nothing to ask afterwards."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from batchgen.api import Run, Summary
from batchgen.errors import ExitCode
from batchgen.manifest import load
from tests.runner.cloud import RESET, Cloud

pytestmark = pytest.mark.looptime

HOUR = 3600.0
SYNC = """
defaults: {model: wan2.6-t2i, size: 1280*1280, answer: sync}
jobs:
  - {id: tea, prompt: A tea bowl., n: 2}
"""
STREAM = """
jobs:
  - id: fold
    model: wan2.6-image
    prompt: How to fold a crane.
    enable_interleave: true
    max_images: 3
    size: 1280*1280
    answer: stream
"""


def answered(*names: str, expires: int = 1_790_086_400) -> dict:
    contents = [{"type": "image", "image": f"HOST/{name}.png?Expires={expires}"} for name in names]
    choices = [{"finish_reason": "stop", "message": {"content": [part]}} for part in contents]
    usage = {"size": "1280*1280", "image_count": len(names), "total_tokens": 0}
    return {"request_id": "r-9", "output": {"choices": choices, "finished": True}, "usage": usage}


def events(*contents: dict, finished: bool = True, usage: dict | None = None) -> str:
    """One event for each part, as the service frames them."""
    lines = []
    for number, part in enumerate(contents, 1):
        last = finished and number == len(contents)
        reason = "stop" if last else "null"
        choice = {"finish_reason": reason, "message": {"role": "assistant", "content": [part]}}
        said = {"output": {"choices": [choice], "finished": last}, "request_id": "r-9"}
        said |= {"usage": usage} if usage else {}
        lines.append(f"id:{number}\nevent:result\n:HTTP_STATUS/200\ndata:{json.dumps(said)}\n\n")
    return "".join(lines)


def text(words: str) -> dict:
    return {"type": "text", "text": words}


def image(name: str) -> dict:
    return {"type": "image", "image": f"HOST/{name}.png?Expires=1790086400"}


class Gallery:
    """A manifest to be run, as often as a test likes, against a script."""

    def __init__(self, folder: Path, wall: float = 1_790_000_000.0) -> None:
        self.folder, self.wall = folder, wall
        self.cloud = Cloud(looks=[(500, {})])

    def plan(self, manifest: str, *answers: object) -> Run:
        (self.folder / "film.yaml").write_text(manifest)
        self.cloud.posts = list(answers) or self.cloud.posts
        loaded = load(self.folder / "film.yaml")
        return Run(loaded, connect=self.cloud.serving, wall=lambda: self.wall)

    async def run(self, manifest: str, *answers: object) -> Summary:
        return await self.plan(manifest, *answers).run()

    @property
    def files(self) -> list[str]:
        folder = self.folder / "output" / "film"
        return sorted(path.name for path in folder.glob("[!.]*"))

    def sidecar(self, job: str) -> dict:
        return json.loads((self.folder / "output" / "film" / f"{job}.json").read_text())


@pytest.fixture
def gallery(tmp_path) -> Gallery:
    return Gallery(tmp_path)


async def test_a_synchronous_answer_becomes_files_and_a_sidecar_without_a_task(gallery):
    """The answer to the POST is all there ever is; its bill is the usage in it."""
    summary = await gallery.run(SYNC, answered("1", "2"))
    assert summary.exit_code is ExitCode.DONE
    assert gallery.files == ["tea-1.png", "tea-2.png", "tea.json"]
    (posted,) = gallery.cloud.posted
    assert posted.path == "aigc/multimodal-generation/generation"
    assert "X-DashScope-Async" not in posted.headers
    sidecar = gallery.sidecar("tea")
    assert (sidecar["task_id"], sidecar["request_id"]) == (None, "r-9")
    assert sidecar["usage"]["image_count"] == 2
    assert [(a["task_id"], a["outcome"]) for a in sidecar["attempts"]] == [(None, "SUCCEEDED")]
    assert sidecar["cost"]["estimated"] is False
    assert summary.spent.micro == round(sidecar["cost"]["amount"] * 1e6)


async def test_a_stream_becomes_pictures_and_the_words_between_them(gallery):
    """Words that came in pieces are one text again; fewer pictures than allowed are no failure."""
    parts = [text("First, "), text("fold."), image("1"), text("Then turn."), image("2")]
    summary = await gallery.run(STREAM, events(*parts, usage={"image_count": 2}))
    assert summary.exit_code is ExitCode.DONE
    assert gallery.files == ["fold-1.png", "fold-2.png", "fold.json"]
    assert gallery.sidecar("fold")["text"] == ["First, fold.", "Then turn."]
    assert gallery.cloud.posted[0].headers["X-DashScope-SSE"] == "enable"
    assert gallery.cloud.posted[0].body["parameters"]["stream"] is True


@pytest.mark.parametrize(
    "answer",
    [RESET, (500, {"code": "InternalError", "message": "oops"}), (502, "<html>"), {"output": {}}],
    ids=["reset", "internal error", "gateway", "no result"],
)
async def test_a_lost_answer_is_held_and_never_asked_for_again(gallery, answer):
    """It may have been paid for, and there is no task to find: exit 3, one POST for ever."""
    first = await gallery.run(SYNC, answer)
    again = await gallery.run(SYNC, answered("1", "2"))
    assert (first.exit_code, again.exit_code) == (ExitCode.NEEDS_A_PERSON,) * 2
    assert [job.state for job in again.jobs] == ["in doubt"]
    assert len(gallery.cloud.posted) == 1


async def test_an_answered_refusal_is_a_refusal_as_ever(gallery):
    """Throttling is waited for, and moderation fails the job in the service's words."""
    busy = {"code": "Throttling.RateQuota", "message": "later", "request_id": "r"}
    no = {"code": "DataInspectionFailed", "message": "inappropriate content", "request_id": "r"}
    summary = await gallery.run(SYNC, (429, busy), (429, busy), (400, no))
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert [(job.code, job.message) for job in summary.failed] == [(no["code"], no["message"])]
    assert len(gallery.cloud.posted) == 3


async def test_a_refusal_inside_a_stream_is_a_refusal(gallery):
    """Before the first picture, nothing was made."""
    no = {"code": "DataInspectionFailed", "message": "inappropriate content"}
    said = f"id:1\nevent:error\n:HTTP_STATUS/400\ndata:{json.dumps(no)}\n\n"
    summary = await gallery.run(STREAM, said)
    assert [job.code for job in summary.failed] == ["DataInspectionFailed"]


async def test_several_answers_are_waited_for_side_by_side(gallery):
    """As many as the service works on at once, no more."""
    jobs = "".join(f"  - {{id: j{n}, prompt: Bowl {n}.}}\n" for n in range(8))
    manifest = SYNC.replace("  - {id: tea, prompt: A tea bowl., n: 2}\n", jobs)
    gallery.cloud.delay = 60
    summary = await gallery.run(manifest, answered("1"))
    assert summary.exit_code is ExitCode.DONE
    assert gallery.cloud.peak == 5
    assert 120 < summary.seconds < 180


async def test_what_came_of_a_stream_that_breaks_is_kept(gallery):
    """A picture in hand is money: it is saved, and the job says that it is not all."""
    oops = {"code": "InternalError", "message": "the model has gone"}
    said = events(text("First."), image("1"), finished=False)
    said += f"id:3\nevent:error\n:HTTP_STATUS/500\ndata:{json.dumps(oops)}\n\n"
    summary = await gallery.run(STREAM, said)
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert summary.failed[0].message == "InternalError: the model has gone"
    assert gallery.files == ["fold-1.png", "fold.json"]


async def test_an_address_that_leads_nowhere_until_its_end_is_a_named_loss(gallery):
    """There is no task to ask for another one: it is tried while it lives, then exit 3."""
    gallery.cloud.dead = float("inf")
    summary = await gallery.run(SYNC, answered("1", "2"))
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [job.state for job in summary.jobs] == ["expired"]
    assert 24 * HOUR < summary.seconds < 24.5 * HOUR
    again = await gallery.run(SYNC)
    assert (again.submitted, len(gallery.cloud.posted)) == (0, 1)


async def test_an_address_that_led_nowhere_in_one_run_is_tried_by_the_next(gallery):
    """It is kept while it may still lead somewhere; nothing is bought twice."""
    gallery.cloud.dead = float("inf")
    run = gallery.plan(SYNC, answered("1", "2"))
    asyncio.get_running_loop().call_later(2 * HOUR, run.stop)
    assert (await run.run()).count("ready") == 1
    gallery.cloud.dead = 0
    summary = await gallery.run(SYNC)
    assert (summary.exit_code, len(gallery.cloud.posted)) == (ExitCode.DONE, 1)


async def test_answers_under_way_when_a_signal_stops_the_run_are_told_as_doubts(gallery):
    """The user learns at once that they may have been paid for, and cannot be asked for again."""
    gallery.cloud.delay = 60
    run = gallery.plan(SYNC, answered("1", "2"))
    asyncio.get_running_loop().call_later(30, run.stop, ExitCode.SIGTERM)
    summary = await run.run()
    assert summary.seconds < 42
    (job,) = summary.need_a_person
    assert job.state == "in doubt"
    assert "cannot be asked for again" in job.message
    await gallery.run(SYNC)
    assert len(gallery.cloud.posted) == 1


async def test_answers_under_way_when_the_hour_has_come_are_waited_for(gallery):
    """Nobody is pressing, and they cannot be had later; a signal then ends that wait."""
    gallery.cloud.delay = 600
    run = gallery.plan(SYNC, answered("1", "2"))
    asyncio.get_running_loop().call_later(30, run.stop)
    summary = await run.run()
    assert [job.state for job in summary.jobs] == ["ready"]
    assert (await gallery.run(SYNC)).exit_code is ExitCode.DONE
    assert len(gallery.cloud.posted) == 1


async def test_a_signal_ends_the_wait_for_answers_under_way(gallery):
    """Ten seconds after it, whatever the hour had allowed."""
    gallery.cloud.delay = 600
    run = gallery.plan(SYNC, answered("1", "2"))
    loop = asyncio.get_running_loop()
    loop.call_later(30, run.stop)
    loop.call_later(60, run.stop, ExitCode.SIGTERM)
    summary = await run.run()
    assert summary.seconds < 72
    assert [job.state for job in summary.jobs] == ["in doubt"]


@pytest.mark.parametrize(
    ("items", "code", "state"),
    [
        ([{"code": "DataInspectionFailed", "message": "no"}], "DataInspectionFailed", "failed"),
        ([{"code": "DataInspectionFailed"}, {}], None, "in doubt"),
    ],
)
async def test_an_answer_of_errors_alone_ends_its_job_and_not_the_run(gallery, items, code, state):
    """Where every item has a code nothing was made; where one has none, nobody knows."""
    said = {"request_id": "r", "output": {"results": items}, "usage": {}}
    summary = await gallery.run(SYNC, said)
    assert summary.error is None
    assert [(job.state, job.code) for job in summary.jobs] == [(state, code)]


async def test_an_address_that_fails_for_a_while_is_tried_again(gallery):
    """It is the only one there will ever be, so one refusal is not the end of it."""
    gallery.cloud.dead = 6
    assert (await gallery.run(SYNC, answered("1", "2"))).exit_code is ExitCode.DONE


async def test_a_deleted_file_that_cannot_be_had_again_is_told_and_not_bought(gallery):
    """With a task it would be fetched again; here the loss is named."""
    await gallery.run(SYNC, answered("1", "2"))
    (gallery.folder / "output" / "film" / "tea-1.png").unlink()
    again = await gallery.run(SYNC)
    assert again.exit_code is ExitCode.NEEDS_A_PERSON
    assert "no longer" in again.need_a_person[0].message
    assert len(gallery.cloud.posted) == 1
