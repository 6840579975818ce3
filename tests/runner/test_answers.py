"""What each answer of the service means for a job, told by a server that says what a test wants."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import time
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aiohttp import web
from PIL import Image

from batchgen.api import Endpoint, Run, Summary
from batchgen.dashscope.endpoint import Secret
from batchgen.errors import ExitCode, JournalError
from batchgen.journal import Journal
from batchgen.manifest import load

pytestmark = pytest.mark.looptime

MANIFEST = """
jobs:
  - {id: stamp, prompt: A stamp., model: wan2.2-t2i-flash, size: 512*512, n: 2}
"""
NO_LIST = (403, {"code": "AccessDenied", "message": "No permission to list.", "request_id": "r"})
MADE = {"output": {"task_status": "PENDING", "task_id": "t-1"}, "request_id": "r-1"}


def status(word: str, **more) -> dict:
    return {"request_id": "r", "output": {"task_id": "ASKED", "task_status": word, **more}}


class Scripted:
    """Answers submits and questions from two lists; the last answer of each is repeated."""

    def __init__(self, posts: list, looks: list) -> None:
        self.posts, self.looks = posts, looks
        self.count = 0
        self.url = ""
        self.dead: set[str] = set()
        self.key = "sk-canary-0123456789"
        self.lists: list = [NO_LIST]

    async def list(self, _request: web.Request) -> web.Response:
        return self._say(self.lists)

    async def submit(self, _request: web.Request) -> web.Response:
        self.count += 1
        return self._say(self.posts)

    async def look(self, request: web.Request) -> web.Response:
        return self._say(self.looks, request.match_info["task_id"])

    def _say(self, answers: list, task_id: str = "") -> web.Response:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        code, body = answer if isinstance(answer, tuple) else (200, answer)
        text = body if isinstance(body, str) else json.dumps(body).replace("HOST", self.url)
        text = text.replace("ASKED", task_id)
        return web.Response(status=code, text=text, content_type="application/json")

    async def picture(self, request: web.Request) -> web.Response:
        if request.match_info["name"] in self.dead:
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        target = io.BytesIO()
        Image.new("RGB", (8, 8), "navy").save(target, "PNG")
        return web.Response(body=target.getvalue())


@asynccontextmanager
async def serving(server: Scripted):
    application = web.Application()
    application.router.add_post("/api/v1/services/{path:.*}", server.submit)
    application.router.add_get("/api/v1/tasks/{task_id}", server.look)
    application.router.add_get("/api/v1/tasks", server.list)
    application.router.add_get("/{name}.png", server.picture)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = "http://{}:{}".format(*runner.addresses[0])
        yield Endpoint(base_url=f"{server.url}/api/v1", key=Secret(server.key))
    finally:
        await runner.cleanup()


@pytest.fixture
def run(tmp_path):
    """Run the manifest against a script; what came of it."""

    async def run(server: Scripted, manifest: str = MANIFEST, on_progress=None) -> Summary:
        path = tmp_path / "film.yaml"
        path.write_text(manifest)
        connect = partial(serving, server)
        return await Run(load(path), connect=connect, on_progress=on_progress).run()

    return run


def done(*results: dict) -> dict:
    return {**status("SUCCEEDED", results=list(results)), "usage": {"image_count": len(results)}}


BOTH = done({"url": "HOST/1.png"}, {"url": "HOST/2.png"})


@pytest.mark.fault(27)
@pytest.mark.parametrize(
    "answer",
    [
        {"request_id": "r"},
        {"output": {"task_status": "PENDING", "task_id": ""}},
        "{not json",
        (302, "moved"),
        (500, {"code": "InternalError", "message": "oops", "request_id": "r"}),
        (502, "<html>bad gateway</html>"),
    ],
    ids=["no output", "empty id", "garbage", "redirect", "internal error", "gateway"],
)
async def test_an_answer_that_proves_nothing_leaves_the_job_in_doubt(run, answer):
    """One POST; where the list may not be asked either, the job is held and named: exit 3."""
    server = Scripted([answer], [status("RUNNING")])
    summary = await run(server)
    assert (summary.exit_code, server.count) == (ExitCode.NEEDS_A_PERSON, 1)
    assert [job.state for job in summary.jobs] == ["in doubt"]


@pytest.mark.parametrize("code", ["Throttling", "Throttling.RateQuota", "Throttling.BurstRate"])
async def test_a_refusal_for_now_is_sent_again_later(run, code):
    """Throttling, also with a 5xx status, surely took nothing."""
    refusal = {"code": code, "message": "later", "request_id": "r"}
    server = Scripted([(429, refusal), (503, refusal), MADE], [BOTH])
    assert (await run(server)).exit_code is ExitCode.DONE
    assert server.count == 3


async def test_a_refusal_for_good_fails_the_job_in_the_services_words(run):
    """An invalid request is never sent again."""
    no = {"code": "InvalidParameter", "message": "The size is not match", "request_id": "r"}
    summary = await run(server := Scripted([(400, no)], [BOTH]))
    assert (summary.exit_code, server.count) == (ExitCode.SOME_FAILED, 1)
    assert (summary.failed[0].code, summary.failed[0].message) == (no["code"], no["message"])


async def test_an_input_that_could_not_be_fetched_is_tried_a_few_times(run):
    """A download time-out at the service is worth three requests, not more."""
    slow = {"code": "InvalidParameter.DataInspection", "message": "timed out", "request_id": "r"}
    summary = await run(server := Scripted([(400, slow)], [BOTH]))
    assert (summary.exit_code, server.count) == (ExitCode.SOME_FAILED, 3)


async def test_arrears_stop_the_account(run):
    """Exit 5, and the job waits for the bill to be paid."""
    broke = {"code": "Arrearage", "message": "overdue payment", "request_id": "r"}
    summary = await run(server := Scripted([(400, broke)], [BOTH]))
    assert (summary.exit_code, server.count) == (ExitCode.ACCOUNT, 1)
    assert summary.count("pending") == 1


async def test_unknown_right_after_the_submit_is_waited_out(run):
    """The service may need a moment to know its own task."""
    server = Scripted([MADE], [status("UNKNOWN"), status("UNKNOWN"), BOTH])
    assert (await run(server)).exit_code is ExitCode.DONE


async def test_unknown_for_ever_is_a_named_loss(run):
    """After the grace the job is lost, a person's matter, and not sent again."""
    summary = await run(server := Scripted([MADE], [status("UNKNOWN")]))
    assert (summary.exit_code, server.count) == (ExitCode.NEEDS_A_PERSON, 1)
    assert [job.state for job in summary.jobs] == ["lost"]


async def test_results_that_only_came_in_part_are_kept_and_told(run, tmp_path):
    """One image of two: it is on disk with a sidecar, and exit 1 tells the service's words."""
    half = done({"url": "HOST/1.png"}, {"code": "InternalError.Timeout", "message": "too slow"})
    summary = await run(Scripted([MADE], [half]))
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert summary.failed[0].message == "InternalError.Timeout: too slow"
    folder = tmp_path / "output" / "film"
    assert sorted(path.name for path in folder.glob("[!.]*")) == ["stamp-1.png", "stamp.json"]
    assert len(json.loads((folder / "stamp.json").read_text())["files"]) == 1


async def test_a_success_without_results_needs_a_person(run):
    """Paid, but nothing to fetch: nobody may call that done."""
    summary = await run(Scripted([MADE], [done()]))
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [job.state for job in summary.jobs] == ["stuck"]


async def test_a_task_that_was_cancelled_elsewhere_is_not_sent_again(run):
    """Somebody meant it."""
    summary = await run(server := Scripted([MADE], [status("CANCELED")]))
    assert (summary.exit_code, server.count) == (ExitCode.NEEDS_A_PERSON, 1)


async def test_the_services_own_failure_gets_one_more_attempt(run, tmp_path):
    """An InternalError is unbilled; the sidecar of the second attempt tells of both."""
    oops = status("FAILED", code="InternalError.Algo", message="oops")
    again = {"output": {"task_status": "PENDING", "task_id": "t-2"}, "request_id": "r-2"}
    summary = await run(server := Scripted([MADE, again], [oops, BOTH]))
    assert (summary.exit_code, server.count) == (ExitCode.DONE, 2)
    sidecar = json.loads((tmp_path / "output" / "film" / "stamp.json").read_text())
    assert [attempt["outcome"] for attempt in sidecar["attempts"]] == ["FAILED", "SUCCEEDED"]


async def test_a_key_that_queries_refuse_ends_the_run_at_once(run):
    """Without a way to ask, the run leaves with exit 5; the task can still be collected."""
    gone = {"code": "InvalidApiKey", "message": "Invalid API-key provided.", "request_id": "r"}
    summary = await run(Scripted([MADE], [(401, gone)]))
    assert summary.exit_code is ExitCode.ACCOUNT
    assert summary.count("rendering") == 1
    assert summary.seconds < 60


async def test_answers_that_make_no_sense_are_asked_again(run):
    """HTML, cut JSON, an unknown status and another task's id are no news."""
    strange = {"output": {"task_id": "t-1", "task_status": "DREAMING"}}
    other = {"output": {"task_id": "t-2", "task_status": "FAILED"}}
    server = Scripted([MADE], [(200, "<html>"), (200, '{"output": {"ta'), strange, other, BOTH])
    assert (await run(server)).exit_code is ExitCode.DONE


async def test_a_task_id_that_is_another_jobs_is_no_answer(run):
    """A second attempt cannot have the task of the first: held, and its money stays reserved."""
    oops = status("FAILED", code="InternalError", message="oops")
    summary = await run(server := Scripted([MADE], [oops]))
    assert (summary.exit_code, server.count) == (ExitCode.NEEDS_A_PERSON, 2)
    assert [job.state for job in summary.jobs] == ["in doubt"]
    assert summary.reserved.micro == 50_000


async def test_fewer_results_than_asked_are_told(run, tmp_path):
    """One picture where two were asked for is not done: exit 1, and what there is is kept."""
    summary = await run(Scripted([MADE], [done({"url": "HOST/1.png"})]))
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert "fewer results than asked" in summary.failed[0].message
    assert (tmp_path / "output" / "film" / "stamp-1.png").exists()


@pytest.mark.parametrize("code", [403, 404, 407, 502])
async def test_a_strangers_page_on_a_question_ends_nothing(run, code):
    """A proxy's error page is no refusal of the service: the task is asked about again."""
    server = Scripted([MADE], [(code, "<html>nginx</html>"), BOTH])
    assert (await run(server)).exit_code is ExitCode.DONE


async def test_lost_answers_make_the_account_wait_longer_each_time(run, tmp_path):
    """A gateway that swallows answers does not put a whole night in doubt: exit 8 after an hour."""
    jobs = "".join(f"  - {{id: j{n}, prompt: Stamp {n}., size: 512*512}}\n" for n in range(60))
    manifest = f"defaults: {{model: wan2.2-t2i-flash}}\njobs:\n{jobs}"
    server = Scripted([(502, "<html>bad gateway</html>")], [BOTH])
    summary = await run(server, manifest)
    assert summary.exit_code is ExitCode.UNREACHABLE
    assert server.count < 20
    assert summary.count("in doubt") == server.count


@pytest.mark.fault(46)
async def test_a_lost_task_is_asked_for_again_by_the_next_run(run):
    """The wrong key makes a task unknown; the right one finds it and its results."""
    first = await run(Scripted([MADE], [status("UNKNOWN")]))
    assert [job.state for job in first.jobs] == ["lost"]
    again = await run(server := Scripted([MADE], [BOTH]))
    assert (again.exit_code, server.count) == (ExitCode.DONE, 0)


async def test_secrets_in_the_services_words_are_told_to_nobody(run, tmp_path):
    """Neither the key nor a signature that an error message repeats reaches a fact or a summary."""
    url = "https://b.example/x.png?Expires=9&Signature=SECRETSIG"
    words = f"cannot fetch {url} with key sk-canary-0123456789"
    failed = status("FAILED", code="InvalidURL", message=words)
    summary = await run(Scripted([MADE], [failed]))
    assert summary.failed[0].message == "cannot fetch https://b.example/x.png with key ***"
    journal = (tmp_path / "output" / "film" / ".batchgen" / "journal.sqlite").read_bytes()
    assert b"SECRETSIG" not in journal
    assert b"sk-canary-0123456789" not in journal


async def test_a_throttled_model_does_not_hold_up_the_others(run):
    """Limits are counted by model: the other model's job is done while this one waits."""
    manifest = """
jobs:
  - {id: slow, prompt: A stamp., model: wan2.2-t2i-flash, size: 512*512}
  - {id: free, prompt: A stamp., model: wan2.2-t2i-plus, size: 512*512}
"""
    busy = {"code": "Throttling.RateQuota", "message": "later", "request_id": "r"}
    two = {"output": {"task_status": "PENDING", "task_id": "t-2"}, "request_id": "r-2"}
    one = done({"url": "HOST/1.png"})
    seen = []
    server = Scripted([(429, busy), MADE, (429, busy), (429, busy), (429, busy), two], [one])
    summary = await run(server, manifest, seen.append)
    assert summary.exit_code is ExitCode.DONE
    assert any(progress.done == 1 and progress.waiting == 1 for progress in seen)


async def test_a_watcher_that_breaks_does_not_break_the_run(run, caplog):
    """An exception in on_progress is told in the log, and the paid work goes on."""

    def broken(_progress):
        raise ValueError("no room to draw")

    summary = await run(Scripted([MADE], [BOTH]), MANIFEST, broken)
    assert summary.exit_code is ExitCode.DONE
    assert "no room to draw" in caplog.text


async def test_nothing_is_sent_that_is_not_written_down_first(run, monkeypatch):
    """When the journal refuses the intent, no POST leaves, and exit 6 says whose fault it is."""
    real = Journal.commit

    async def full(self, facts, **kwargs):
        if any(type(fact).__name__ == "SubmitStarted" for fact in facts):
            for _ in range(300):  # long enough for a request that did not wait
                await asyncio.sleep(0)
            raise JournalError("the disk is full")
        await real(self, facts, **kwargs)

    monkeypatch.setattr(Journal, "commit", full)
    summary = await run(server := Scripted([MADE], [BOTH]))
    assert (summary.exit_code, server.count) == (ExitCode.MACHINE, 0)
    assert [job.state for job in summary.jobs] == ["pending"]
    assert summary.seconds < 1


async def test_what_was_saved_before_the_rest_expired_gets_its_sidecar(run, tmp_path):
    """One of two pictures can never be fetched: exit 3 for it, and the other one is documented."""
    soon = int(time.time()) + 60
    two = done({"url": "HOST/1.png"}, {"url": f"HOST/2.png?Expires={soon}"})
    server = Scripted([MADE], [two, two, two, two, two, two, status("UNKNOWN")])
    server.dead = {"2"}
    summary = await run(server)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [job.state for job in summary.jobs] == ["expired"]
    sidecar = json.loads((tmp_path / "output" / "film" / "stamp.json").read_text())
    assert [file["path"] for file in sidecar["files"]] == ["stamp-1.png"]
    again = await run(server)
    assert (again.exit_code, again.submitted) == (ExitCode.NEEDS_A_PERSON, 0)


async def test_a_file_in_the_way_of_a_late_sidecar_ends_nothing_and_waits(run, tmp_path):
    """What expired in part is told with the remedy; the next run writes the sidecar."""
    soon = int(time.time()) + 60
    two = done({"url": "HOST/1.png"}, {"url": f"HOST/2.png?Expires={soon}"})
    server = Scripted([MADE], [two, two, two, two, two, two, status("UNKNOWN")])
    server.dead = {"2"}
    folder = tmp_path / "output" / "film"

    def occupy(progress):
        if progress.downloading and not (folder / "stamp.json").exists():
            (folder / "stamp.json").write_text("mine")

    summary = await run(server, MANIFEST, occupy)
    assert [job.state for job in summary.jobs] == ["expired"]
    (folder / "stamp.json").unlink()
    await run(server)
    assert json.loads((folder / "stamp.json").read_text())["job"] == "stamp"


async def test_a_short_key_is_no_secret_and_breaks_no_id(run):
    """A stand-in's key may be a word; task ids and addresses that hold it stay whole."""
    made = {"output": {"task_status": "PENDING", "task_id": "task-test-1"}, "request_id": "r"}
    server = Scripted([made], [BOTH])
    server.key = "test"
    assert (await run(server)).exit_code is ExitCode.DONE


@pytest.mark.parametrize(
    "look",
    [(404, {"code": "NotFound", "message": "none", "request_id": "r"}), status("RUNNING")],
    ids=["not found", "running"],
)
async def test_dead_links_and_answers_without_news_come_to_an_end(run, look):
    """Some hours after the results' end the job is a person's matter, and the run is over."""
    server = Scripted([MADE], [BOTH, look])
    server.dead = {"1", "2"}
    summary = await run(server)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [job.state for job in summary.jobs] == ["stuck"]
    assert 24 * 3600 < summary.seconds < 30 * 3600


async def test_a_full_disk_does_not_cut_off_a_post(run, monkeypatch):
    """Two downloads fail on the disk while a POST waits for its answer: its task is not lost."""

    class Slow(Scripted):
        async def submit(self, request):
            if self.count == 1:
                await asyncio.sleep(5)
            return await super().submit(request)

    real = os.link

    def full(source, target, **kwargs):
        if ".png" in str(target):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target, **kwargs)

    manifest = """
limits: {max_in_flight: 1}
jobs:
  - {id: one, prompt: A stamp., model: wan2.2-t2i-flash, size: 512*512, n: 2}
  - {id: two, prompt: A stamp., model: wan2.2-t2i-plus, size: 512*512}
"""
    two = {"output": {"task_status": "PENDING", "task_id": "t-2"}, "request_id": "r-2"}
    monkeypatch.setattr(os, "link", full)
    summary = await run(Slow([MADE, two], [BOTH]), manifest)
    assert summary.exit_code is ExitCode.MACHINE
    assert {job.id: job.state for job in summary.jobs} == {"one": "ready", "two": "rendering"}
