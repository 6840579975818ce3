"""What goes wrong with a POST, as whoever runs the batch notices it."""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
import subprocess
import threading
from contextlib import asynccontextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from weakref import WeakSet

import pytest

from batchgen.api import Endpoint, Run
from batchgen.catalog import Money
from batchgen.core import facts as f
from batchgen.errors import ExitCode
from batchgen.journal import Journal
from batchgen.manifest import load
from batchgen.sandbox import (
    Answer,
    Content,
    CutShort,
    Delay,
    Ending,
    Page,
    Point,
    Redirect,
    Reset,
    Rule,
    Stall,
)
from tests.promises.oracle import keep_promises, words
from tests.promises.witnesses import Watch, most_in, tasks
from tests.runner.cloud import MADE, Cloud
from tests.runner.rehearsal import KEY, START

pytestmark = pytest.mark.looptime

MODEL = "wan2.2-t2i-flash"
PROMPTS = (
    *("a stamp of a whale", "an owl in the rain", "two foxes asleep", "the tide at noon"),
    *("a lamp in a window", "bread and a knife", "the last tram", "snow upon a gate"),
)


def manifest(count: int, *more: str, head: str = "") -> str:
    """Pictures, each of other words; ``more`` are further jobs."""
    jobs = [f"  - {{id: j{n}, prompt: {PROMPTS[n % 8]} no {n}.}}" for n in range(count)]
    defaults = f"defaults: {{model: {MODEL}, size: 512*512}}"
    return "\n".join([head, defaults, "jobs:", *jobs, *more, ""]).lstrip("\n")


def facts_of(rehearsal, *kinds: type[f.Fact]) -> list[f.Fact]:
    """What the journal says of these kinds."""
    with Journal.peek(rehearsal.output) as journal:
        return [fact for fact in journal.replay() if isinstance(fact, kinds)]


def gaps(times: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(times)]


class Stale(Cloud):
    """It closes each connection that was used just as the next request for a task comes on it."""

    def __init__(self, **answers) -> None:
        super().__init__(**answers)
        self.used: WeakSet = WeakSet()

    async def _post(self, request):
        if request.transport in self.used:
            request.transport.abort()
        self.used.add(request.transport)
        return await super()._post(request)

    async def _look(self, request):
        self.used.add(request.transport)
        return await super()._look(request)


@pytest.mark.fault(25)
async def test_no_job_meets_a_connection_that_has_gone_stale(tmp_path):
    """Neither POSTs nor polls leave one for it: no doubt, each is sent once, all are done."""
    output = {"task_id": "TASK", "task_status": "SUCCEEDED", "results": [{"url": "HOST/1.png"}]}
    cloud = Stale(
        posts=[MADE],
        looks=[{"request_id": "r", "output": output, "usage": {"image_count": 1}}],
    )
    path = tmp_path / "film.yaml"
    path.write_text(manifest(8, head="limits: {max_in_flight: 2}"))
    run = Run(load(path), connect=cloud.serving, wall=lambda: START)
    summary = await run.run()
    assert summary.exit_code is ExitCode.DONE, words(summary)
    assert len(cloud.posted) == 8
    with Journal.peek(run.folder) as journal:
        assert not [fact for fact in journal.replay() if isinstance(fact, f.SubmitLost)]


# -- refused, and to be sent again -----------------------------------------------------------------


@pytest.mark.fault(30)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_5xx_that_names_throttling_is_waited_out(rehearsal, status):
    """It surely took nothing: sent again, each time later, at the price of no attempt."""
    busy = Answer(status, "Throttling.RateQuota", "Requests rate limit exceeded.")
    rehearsal.faults = Watch(Rule(Point.SUBMIT, busy, calls=range(1, 7)))
    summary = await rehearsal.run(manifest(2))
    assert summary.exit_code is ExitCode.DONE
    assert [len(rehearsal.sidecar(job)["attempts"]) for job in ("j0", "j1")] == [1, 1]
    assert not facts_of(rehearsal, f.SubmitLost)
    waits = gaps(rehearsal.faults.at_point(Point.SUBMIT))[:6]
    assert all(wait >= 2.0**n for n, wait in enumerate(waits)), "the pause does not grow"
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(31)
@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("30", 30, 31),
        ("1.5", 1.5, 3),
        ("0", 1, 3),
        ("-30", 1, 3),
        ("in a while", 1, 3),
        ("100000000000", 600, 601),
        (formatdate(START + 90, usegmt=True), 85, 91),
        (formatdate(START - 90, usegmt=True), 1, 3),
        ("Sun, 99 Nov 9999 99:99:99 GMT", 1, 3),
    ],
)
async def test_what_retry_after_asks_for_is_waited(rehearsal, value, least, most):
    """Whatever is readable is a lower bound up to ten minutes; all else is our own back-off."""
    busy = Answer(429, "Throttling.RateQuota", retry_after=value)
    rehearsal.faults = Watch(Rule(Point.SUBMIT, busy, calls={1}))
    summary = await rehearsal.run(manifest(3))
    assert summary.exit_code is ExitCode.DONE
    first, *_ = gaps(rehearsal.faults.at_point(Point.SUBMIT))
    assert least <= first <= most, "no other job of the model may slip in before"
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(32)
async def test_a_long_throttling_is_no_storm_and_costs_only_time(rehearsal):
    """An hour of 429: ever fewer POSTs, one at a time; then all is done at the usual pace."""
    busy = Answer(429, "Throttling", "Requests throttling triggered.")
    rehearsal.faults = Watch(Rule(Point.SUBMIT, busy, during=3_600))
    summary = await rehearsal.run(manifest(8))
    assert summary.exit_code is ExitCode.DONE
    posts = [at - START for at in rehearsal.faults.at_point(Point.SUBMIT)]
    in_minutes = [sum(a <= at < b for at in posts) for a, b in ((0, 300), (300, 3_300))]
    assert in_minutes[0] <= 10
    assert in_minutes[1] <= 14, "fifty minutes more, at most ten minutes apart"
    first_through = min(at for at in posts if at >= 3_600)
    assert first_through <= 3_600 + 601
    after = [at for at in posts if at >= first_through]
    assert len(after) == 8, "one that got through opens the way; nothing is sent twice"
    assert most_in(after, 1.0) <= 2
    assert {len(rehearsal.sidecar(f"j{n}")["attempts"]) for n in range(8)} == {1}
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(43)
@pytest.mark.parametrize(("point", "seconds"), [(Point.SUBMIT, 60), (Point.TASK_CREATED, 179)])
async def test_slow_answers_are_waited_for(rehearsal, point, seconds):
    """Each POST takes minutes, four models wait side by side: no doubt, and each in its order."""
    others = [
        f"  - {{id: m{n}, prompt: {PROMPTS[n]}, model: {model}}}"
        for n, model in enumerate(["wan2.2-t2i-plus", "wan2.5-t2i-preview", "wan2.1-t2i-turbo"] * 2)
    ]
    rehearsal.faults = Watch(Rule(point, Delay(seconds)))
    text = manifest(2, *others).replace("512*512", "1280*1280")
    summary = await rehearsal.run(text)
    assert summary.exit_code is ExitCode.DONE
    assert not facts_of(rehearsal, f.SubmitLost)
    started = [fact.job for fact in facts_of(rehearsal, f.SubmitStarted)]
    assert started == ["j0", "m0", "m1", "m2", "j1", "m3", "m4", "m5"]
    assert summary.seconds < 4 * seconds + 120, "the models do not wait for each other"
    await keep_promises(rehearsal, summary)


# -- refused for good, or until a person has acted ------------------------------------------------

ACCOUNT = [
    (400, "Arrearage", "Access denied, please make sure your account is in good standing."),
    (429, "PrepaidBillOverdue", "The prepaid bill is overdue."),
    (429, "PostpaidBillOverdue", "The postpaid bill is overdue."),
    (403, "AllocationQuota.FreeTierOnly", "The free tier of the model has been exhausted."),
    (429, "Throttling.AllocationQuota", "Your weekly token plan allocation is used up."),
    (401, "InvalidApiKey", "Invalid API-key provided."),
]
MODEL_ONLY = [
    (429, "CommodityNotPurchased", "Commodity has not purchased yet."),
    (403, "AccessDenied.Unpurchased", "Access to model denied."),
    (403, "Model.AccessDenied", "Model access denied."),
]


@pytest.mark.fault(33, 34)
@pytest.mark.parametrize(("status", "code", "message"), ACCOUNT, ids=[one[1] for one in ACCOUNT])
async def test_what_stops_the_account_stops_it_at_once(rehearsal, status, code, message):
    """The first refusal ends the submits; what was bought is collected; exit 5 in its words."""
    rehearsal.faults = Watch(Rule(Point.SUBMIT, Answer(status, code, message), calls=range(3, 99)))
    summary = await rehearsal.run(manifest(12))
    assert summary.exit_code is ExitCode.ACCOUNT
    assert (summary.count("done"), summary.count("pending")) == (2, 10)
    assert len(rehearsal.faults.at_point(Point.SUBMIT)) == 3
    assert code in words(summary)
    assert message in words(summary)
    await keep_promises(rehearsal, summary)
    rehearsal.faults.rules.clear()
    assert (await rehearsal.run()).exit_code is ExitCode.DONE
    assert len(tasks(rehearsal.folder / "service")) == 12


@pytest.mark.fault(33)
@pytest.mark.parametrize(
    ("status", "code", "message"), MODEL_ONLY, ids=[one[1] for one in MODEL_ONLY]
)
async def test_what_stops_a_model_stops_that_model_alone(rehearsal, status, code, message):
    """The other model's jobs are done; exit 5 names the one that is missing."""
    no = Answer(status, code, message)
    rehearsal.faults = Watch(Rule(Point.SUBMIT, no, model=MODEL))
    other = "  - {id: plus, prompt: a heron., model: wan2.2-t2i-plus}"
    summary = await rehearsal.run(manifest(5, other))
    assert summary.exit_code is ExitCode.ACCOUNT
    assert (summary.count("done"), summary.count("pending")) == (1, 5)
    assert len(rehearsal.faults.at_point(Point.SUBMIT)) == 2
    assert f"{MODEL}: {code}: {message}" in words(summary)
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(33)
async def test_a_quota_by_the_minute_only_cools_the_model_down(rehearsal):
    """The same code as a weekly quota's, other words: it is waited out, beside the others."""
    full = Answer(429, "Throttling.AllocationQuota", "Allocated quota exceeded, per minute.", "60")
    rehearsal.faults = Watch(Rule(Point.SUBMIT, full, calls={1}, model=MODEL))
    other = "  - {id: plus, prompt: a heron., model: wan2.2-t2i-plus}"
    summary = await rehearsal.run(manifest(2, other))
    assert summary.exit_code is ExitCode.DONE
    posts = {model: at - START for at, model, _ in reversed(rehearsal.faults.posted)}
    assert posts["wan2.2-t2i-plus"] < 5
    assert summary.seconds > 60
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(34)
async def test_a_refused_key_burns_nothing_of_a_huge_batch(rehearsal):
    """Of 2,000 jobs one POST is sent; all of them wait for the right key."""
    rehearsal.key = "sk-of-another-region-0123456789"
    summary = await rehearsal.run(manifest(2_000))
    assert summary.exit_code is ExitCode.ACCOUNT
    assert len(facts_of(rehearsal, f.SubmitStarted)) == 1
    assert summary.count("pending") == 2_000
    assert "a key is known in one region only" in words(summary)
    assert tasks(rehearsal.folder / "service") == []


REFUSALS = [
    (400, "InvalidParameter", "The size is not match xxxxxx"),
    (400, "DataInspectionFailed", "Input data may contain inappropriate content."),
    (404, "ModelNotFound", "Model can not be found."),
    (400, "IPInfringementSuspect", "Input data is suspected of IP infringement."),
]


@pytest.mark.fault(35)
@pytest.mark.parametrize(("status", "code", "message"), REFUSALS, ids=[one[1] for one in REFUSALS])
async def test_a_refused_job_fails_alone_and_for_good(rehearsal, status, code, message):
    """One POST for it, ever; its words are the service's; the others are done."""
    rehearsal.faults = Watch(Rule(Point.SUBMIT, Answer(status, code, message), prompt="owl"))
    summary = await rehearsal.run(manifest(4))
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert [(job.id, job.code, job.message) for job in summary.failed] == [("j1", code, message)]
    assert summary.count("done") == 3
    assert f"j1: {code}: {message}" in words(summary)
    await keep_promises(rehearsal, summary)
    assert sum("owl" in prompt for _, _, prompt in rehearsal.faults.posted) == 1


# -- nobody knows whether it was taken ---------------------------------------------------------

CLIPS = """
defaults: {model: wan2.2-t2v-plus, size: 832*480}
jobs:
  - {id: owl, prompt: An owl turns its head in the rain.}
  - {id: fox, prompt: A fox crosses a frozen river.}
  - {id: tram, prompt: The last tram of the night., model: wan2.5-t2v-preview}
"""

LOSSES = {
    "reset": Reset(),
    "silence": Stall(),
    "half a head": CutShort(0, Ending.CLOSE),
    "half a body": CutShort(20, Ending.RESET),
    "half a body, politely": CutShort(20, Ending.CLOSE),
    "half a chunk": CutShort(20, Ending.CHUNK),
    "half a whole": CutShort(20, Ending.WHOLE),
    "a page": Page(Content.HTML),
    "XML": Page(Content.XML),
    "nothing": Page(Content.EMPTY),
    "garbage": Page(Content.GARBAGE),
    "NaN": Page(Content.NAN),
    "500": Answer(500, "InternalError", "An internal error has occured."),
    "500 of a gateway": Page(Content.HTML, 500),
    "502": Page(Content.HTML, 502),
    "502 without a word": Page(Content.EMPTY, 502),
    "503": Answer(503, "ModelUnavailable", "Model is unavailable, please try again later."),
    "504": Answer(504, "RequestTimeOut", "Request timed out, please try again later."),
    "504 of a gateway": Page(Content.HTML, 504),
}
EVIDENCE = {
    "a page": "The upstream server did not answer.",
    "XML": "We encountered an internal error.",
    "NaN": '{"output": {"task_id": NaN',
    "half a whole": '{"output":',
    "500": "InternalError",
    "502": "The upstream server did not answer.",
    "504": "RequestTimeOut",
}


@pytest.mark.fault(23, 24, 26, 29)
@pytest.mark.parametrize("loss", LOSSES)
async def test_a_task_whose_answer_was_lost_is_found_and_adopted(rehearsal, loss):
    """However it was lost: the task is found on the service's list; no POST is sent twice."""
    rehearsal.faults = Watch(Rule(Point.TASK_CREATED, LOSSES[loss], calls={1}))
    summary = await rehearsal.run(CLIPS)
    assert summary.exit_code is ExitCode.DONE, words(summary)
    assert len(rehearsal.faults.at_point(Point.SUBMIT)) == 3
    assert [rehearsal.sidecar(job)["adopted"] for job in ("owl", "fox", "tram")] == [
        *(True, False, False)
    ]
    assert summary.adopted == 1
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(24)
async def test_an_answer_that_comes_too_late_is_no_second_task(rehearsal):
    """Seven minutes for an answer: the task is on the list long before, and is adopted."""
    rehearsal.faults = Watch(Rule(Point.TASK_CREATED, Delay(420), calls={1}))
    summary = await rehearsal.run(CLIPS)
    assert summary.exit_code is ExitCode.DONE, words(summary)
    assert rehearsal.sidecar("owl")["adopted"]
    assert len(rehearsal.faults.at_point(Point.SUBMIT)) == 3
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(23, 26, 29)
@pytest.mark.parametrize(
    "loss", ["reset", "silence", "nothing", "NaN", "500", "502", "504 of a gateway"]
)
async def test_a_request_that_was_never_taken_is_sent_again_when_that_is_sure(rehearsal, loss):
    """The list is whole and without it, twice over the settling time: only then a second POST."""
    rehearsal.faults = Watch(Rule(Point.SUBMIT, LOSSES[loss], calls={1}))
    summary = await rehearsal.run(CLIPS)
    assert summary.exit_code is ExitCode.DONE, words(summary)
    again = [at for at, _, prompt in rehearsal.faults.posted if "owl" in prompt]
    assert len(again) == 2
    assert again[1] - again[0] >= 30
    assert len(rehearsal.faults.at_point(Point.LIST)) >= 2
    assert summary.adopted == 0
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(26, 29)
@pytest.mark.parametrize("loss", EVIDENCE)
async def test_a_doubt_that_nobody_can_settle_is_held_with_what_there_is_to_see(rehearsal, loss):
    """No list: exit 3, the job is named with what was answered; the others are done."""
    rehearsal.faults = Watch(
        Rule(Point.TASK_CREATED, LOSSES[loss], calls={1}),
        Rule(Point.LIST, Answer(400, "InvalidParameter", "no list today")),
    )
    summary = await rehearsal.run(CLIPS)
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [(job.id, job.state) for job in summary.need_a_person] == [("owl", "in doubt")]
    assert summary.count("done") == 2
    (lost,) = facts_of(rehearsal, f.SubmitLost)
    assert EVIDENCE[loss] in lost.reason
    assert summary.reserved.micro == 100_000
    await keep_promises(rehearsal, summary)
    rehearsal.faults.rules.clear()
    settled = await rehearsal.run()
    assert (settled.exit_code, settled.submitted) == (ExitCode.DONE, 0)
    assert rehearsal.sidecar("owl")["adopted"]
    await keep_promises(rehearsal, settled)


@pytest.mark.fault(23)
async def test_no_request_that_looks_alike_leaves_while_one_is_in_doubt(rehearsal):
    """Two jobs of one prompt and other seeds: the second waits until the first is found."""
    text = CLIPS + (
        "  - {id: twin, prompt: An owl turns its head in the rain., seed: 7}\n"
        "  - {id: late, prompt: An owl turns its head in the rain., seed: 8}\n"
    )
    rehearsal.faults = Watch(Rule(Point.TASK_CREATED, Reset(), calls={1}))
    summary = await rehearsal.run(text)
    assert summary.exit_code is ExitCode.DONE, words(summary)
    (adopted,) = facts_of(rehearsal, f.Adopted)
    alike = [at for at, _, prompt in rehearsal.faults.posted if "owl" in prompt]
    assert len(alike) == 3
    assert alike[1] >= adopted.at
    await keep_promises(rehearsal, summary)


@pytest.mark.fault(35)
async def test_a_run_in_which_everything_fails_can_be_stopped(rehearsal):
    """``stop_after_failures: 3``: three POSTs, exit 1, the rest waits for a mended manifest."""
    no = Answer(400, "InvalidParameter", "The size is not match")
    rehearsal.faults = Watch(Rule(Point.SUBMIT, no))
    head = "limits: {stop_after_failures: 3}"
    summary = await rehearsal.run(manifest(20, head=head))
    assert len(rehearsal.faults.at_point(Point.SUBMIT)) == 3
    assert (len(summary.failed), summary.count("pending")) == (3, 17)
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert "InvalidParameter: The size is not match" in words(summary)
    assert summary.failing


# -- never made, or never taken --------------------------------------------------------------------


@pytest.mark.fault(37)
@pytest.mark.parametrize("status", [302, 307, 308])
async def test_a_redirected_post_is_not_followed(rehearsal, status):
    """Neither key nor request reach the other host, which is named; nothing is bought twice."""
    reached = []

    async def stranger(reader, writer):
        reached.append(await reader.read(100))
        writer.close()

    async with await asyncio.start_server(stranger, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        elsewhere = Redirect(f"http://localhost:{port}/p?token=Signature=x", status)
        rehearsal.faults = Watch(
            Rule(Point.SUBMIT, elsewhere, calls={1}),
            Rule(Point.LIST, Answer(400, "InvalidParameter", "no list today")),
        )
        summary = await rehearsal.run(manifest(3))
    assert reached == []
    assert summary.exit_code is ExitCode.NEEDS_A_PERSON
    assert [job.id for job in summary.need_a_person] == ["j0"]
    (lost,) = facts_of(rehearsal, f.SubmitLost)
    assert "points to localhost and was not followed" in lost.reason
    await keep_promises(rehearsal, summary)


class Network:
    """Connections of this process that fail in a chosen way for a while."""

    def __init__(self, monkeypatch, kind: str, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self.tries = 0
        self._connect, self._resolve = loop.sock_connect, loop.getaddrinfo
        self._loop, self._kind, self._until = loop, kind, loop.time() + seconds
        monkeypatch.setattr(loop, "sock_connect", self.connect)
        monkeypatch.setattr(loop, "getaddrinfo", self.resolve)

    @property
    def down(self) -> bool:
        return self._loop.time() < self._until

    async def resolve(self, host, *args, **options):
        if self.down and self._kind == "no name":
            self.tries += 1
            raise OSError(-3, "Temporary failure in name resolution")
        return await self._resolve(host, *args, **options)

    async def connect(self, sock, address):
        if self.down and self._kind != "no name":
            self.tries += 1
            if self._kind == "black hole":
                await asyncio.Event().wait()
            number, text = (111, "refused") if self._kind == "refused" else (101, "unreachable")
            raise OSError(number, text)
        return await self._connect(sock, address)


KINDS = ["no name", "refused", "black hole", "unreachable"]


@pytest.mark.fault(38)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_network_that_comes_back_costs_only_time(rehearsal, monkeypatch, kind):
    """Nothing has left, so it is sent when it can be: no doubt, each job bought once."""
    network = Network(monkeypatch, kind, 1_800)
    summary = await through_a_name(rehearsal, manifest(6))
    assert summary.exit_code is ExitCode.DONE
    assert not facts_of(rehearsal, f.SubmitLost)
    assert 3 < network.tries < 20, "the account waits, not each job for itself"
    assert {len(rehearsal.sidecar(f"j{n}")["attempts"]) for n in range(6)} == {1}
    assert len(tasks(rehearsal.folder / "service")) == 6


@pytest.mark.fault(38)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_network_that_stays_away_is_told_once(rehearsal, monkeypatch, kind):
    """Exit 8 after an hour, one message for all the jobs, which wait; nothing is in doubt."""
    Network(monkeypatch, kind, 1e9)
    summary = await through_a_name(rehearsal, manifest(300))
    assert summary.exit_code is ExitCode.UNREACHABLE
    assert 3_600 <= summary.seconds < 3_700
    assert summary.count("pending") == 300
    told = words(summary).partition("{")[0] + summary.error.message
    assert len(re.findall("localhost", told)) == 1
    assert tasks(rehearsal.folder / "service") == []


async def through_a_name(rehearsal, text: str):
    """The rehearsal, its service found by a name instead of an address."""
    run = rehearsal.start(text)
    connect = run._connect

    @asynccontextmanager
    async def by_name():
        async with connect() as way:
            url = way.base_url.replace("127.0.0.1", "localhost")
            yield Endpoint(base_url=url, key=way.key)

    run._connect = by_name
    return await run.run()


class Silent(BaseHTTPRequestHandler):
    """Refuses every key, if anybody gets as far as to ask."""

    def do_POST(self):
        self.server.asked.append(self.headers["Authorization"])
        body = (
            b'{"code": "InvalidApiKey", "message": "Invalid API-key provided.", "request_id": "r"}'
        )
        self.send_response(401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Hidden(ThreadingHTTPServer):
    """Behind a certificate, or behind nothing that a client of TLS would understand."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Silent)
        self.asked: list[str] = []
        self.context = context

    def get_request(self):
        connection, address = super().get_request()
        if self.context is None:
            connection.recv(1)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            connection.close()
            raise OSError("no TLS here")
        return self.context.wrap_socket(connection, server_side=True), address

    def handle_error(self, *_):
        pass  # a client that leaves in the handshake is what these tests are about


@pytest.fixture
def certified(tmp_path):
    """Makes certificates that an authority of ours has signed; its own is in ``ca.crt``."""
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl program")

    def openssl(command: str) -> None:
        subprocess.run(["openssl", *command.split()], cwd=tmp_path, check=True, capture_output=True)

    openssl(
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt"
    )

    def make(name: str = "localhost", days: int = 2) -> ssl.SSLContext:
        openssl(f"req -new -newkey rsa:2048 -nodes -subj /CN={name} -keyout key -out csr")
        (tmp_path / "names").write_text(f"subjectAltName=DNS:{name}")
        openssl(f"x509 -req -in csr -CA ca.crt -CAkey ca.key -days {days} -extfile names -out crt")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
        return context

    return make


@pytest.fixture
def over_tls(tmp_path, monkeypatch, start):
    """Runs the program against a server on this machine; how it ended, and what it said."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.yaml").write_text(manifest(5))

    def run(context: ssl.SSLContext | None, *more: str) -> tuple[int, str, list[str]]:
        with Hidden(context) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"https://localhost:{server.server_port}/api/v1"
            process = start("run", "--base-url", url, "film.yaml", *more)
            said = "".join(process.communicate())
            server.shutdown()
        return process.returncode, said, server.asked

    return run


@pytest.mark.fault(39)
@pytest.mark.parametrize(
    ("trusted", "name", "days", "why"),
    [
        (False, "localhost", 2, "self-signed certificate in certificate chain|unable to get"),
        (True, "other.example", 2, "Hostname mismatch|it is for another host"),
        (True, "localhost", -1, "certificate has expired"),
    ],
    ids=["unknown authority", "wrong name", "expired"],
)
def test_a_certificate_that_proves_nothing_ends_the_run(  # noqa: PLR0917 - fixtures and cases
    tmp_path, monkeypatch, certified, over_tls, trusted, name, days, why
):
    """At once, exit 8: why, and which setting names authorities; the key was shown to nobody."""
    context = certified(name, days)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    code, said, asked = over_tls(context)
    assert (code, asked) == (8, [])
    assert re.search(why, said)
    assert said.count("SSL_CERT_FILE") == 1
    assert "5 jobs to go on with" in said
    assert KEY not in said


@pytest.mark.fault(39)
def test_the_setting_that_the_message_names_is_the_right_one(
    tmp_path, monkeypatch, certified, over_tls
):
    """With the authority in SSL_CERT_FILE the same server is asked: it refuses the key, exit 5."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    code, said, asked = over_tls(certified())
    assert (code, asked) == (5, [f"Bearer {KEY}"])
    assert "InvalidApiKey" in said


@pytest.mark.fault(39)
def test_a_server_without_tls_is_never_asked_without(over_tls):
    """A failed handshake is no reason to speak openly: exit 8, the key was shown to nobody."""
    code, said, asked = over_tls(None, "--give-up", "1s")
    assert (code, asked) == (8, [])
    assert "the TLS handshake with localhost failed" in said


# -- the budget -----------------------------------------------------------------------------------


@pytest.mark.fault(41)
async def test_the_budget_counts_what_is_in_flight(rehearsal):
    """Money for three of eight: three are bought, though none is billed while they are sent."""
    rehearsal.faults = Watch()
    rehearsal.settings = {"budget": Money(80_000, "USD"), "max_in_flight": 8}
    summary = await rehearsal.run(manifest(8))
    assert summary.exit_code is ExitCode.ACCOUNT
    assert (summary.count("done"), summary.count("pending")) == (3, 5)
    assert len(rehearsal.faults.at_point(Point.SUBMIT)) == 3
    assert rehearsal.bill.amount == summary.spent.micro == 75_000
    assert "5 unfinished" in words(summary)
    assert "more than the budget of" in words(summary)
    await keep_promises(rehearsal, summary)
    rehearsal.settings = {"budget": Money(200_000, "USD")}
    assert (await rehearsal.run()).exit_code is ExitCode.DONE
    assert len(tasks(rehearsal.folder / "service")) == 8
