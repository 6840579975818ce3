from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import subprocess

import pytest

from batchgen.catalog import ResultShape
from batchgen.dashscope.answers import (
    Accepted,
    Ambiguous,
    Checked,
    NoAnswer,
    Refused,
    Task,
    TaskStatus,
    UploadPolicy,
)
from batchgen.dashscope.client import Service, Timeouts
from batchgen.dashscope.connection import STREAM_LIMIT, Unsent
from batchgen.dashscope.endpoint import Secret
from batchgen.dashscope.refusals import RefusalKind

CANARY = "sk-canary-0123456789"
PATH = "services/aigc/video-generation/video-synthesis"
BODY = {
    "model": "wan2.6-t2v",
    "input": {"prompt": "月光下的小猫 \u2014 caf\u00e9"},
    "parameters": {},
}
ASYNC = {"X-DashScope-Async": "enable"}
VIDEO = ResultShape.VIDEO_URL


def service(url, **options):
    return Service(f"{url}/api/v1", Secret(CANARY), **options)


async def submit(url, **options):
    async with service(url, **options) as talking:
        return await talking.submit(PATH, BODY, ASYNC)


async def poll(url, task_id="t-1"):
    async with service(url) as talking:
        return await talking.task(task_id, VIDEO)


@pytest.fixture
def accepting(says, http, answer):
    return says(http(answer("submit_accepted").body))


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


async def test_a_submit_is_what_the_documentation_shows(serve, accepting):
    """Path, headers and body arrive as documented, the prompt as plain UTF-8."""
    server = await serve(accepting)

    accepted = await submit(server.url, workspace="ws-1")

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert isinstance(accepted, Accepted)
    assert head.startswith(f"POST /api/v1/{PATH} HTTP/1.1\r\n".encode())
    for line in (
        f"Authorization: Bearer {CANARY}",
        "Content-Type: application/json",
        "X-DashScope-Async: enable",
        "X-DashScope-WorkSpace: ws-1",
    ):
        assert line.encode() in head
    assert json.loads(body) == BODY
    assert "月光下的小猫".encode() in body


@pytest.mark.fault(25)
async def test_each_post_has_a_connection_of_its_own(serve, accepting):
    """A POST never goes over a connection that the service may just have closed."""
    server = await serve(accepting)

    async with service(server.url) as talking:
        for _ in range(3):
            await talking.submit(PATH, BODY, ASYNC)

    assert (len(server.requests), server.connections) == (3, 3)


async def test_polls_share_a_connection_and_send_no_async_header(serve, says, http, answer):
    """Many polls are cheap, and none carries the header for which the service refuses them."""
    server = await serve(says(http(answer("task_running").body)))
    task_id = json.loads(answer("task_running").body)["output"]["task_id"]

    async with service(server.url) as talking:
        tasks = [await talking.task(task_id, VIDEO) for _ in range(3)]

    assert [task.status for task in tasks] == [TaskStatus.RUNNING] * 3
    assert server.connections == 1
    assert server.requests[0].startswith(f"GET /api/v1/tasks/{task_id} HTTP/1.1\r\n".encode())
    assert b"X-DashScope-Async" not in server.requests[0]


async def test_a_task_id_that_arrived_counts_though_the_connection_broke(serve, answer):
    """The whole JSON came, then a reset instead of the end: the task is known, so it is kept."""
    body = answer("submit_accepted").body

    async def script(writer, _number):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + b"%x\r\n%s\r\n" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await serve(script)
    made = await submit(server.url)
    assert isinstance(made, Accepted)
    async with service(server.url) as talking:
        for streamed in (False, True):
            asked = await talking.ask(PATH, BODY, {}, ResultShape.CHOICES, streamed=streamed)
            assert isinstance(asked, Accepted)


async def test_a_stream_beyond_all_measure_is_not_taken_for_whole(serve):
    """What came first counts, and the result says that there may have been more."""
    part = {"image": "https://h.example/1.png"}
    event = {"output": {"choices": [{"message": {"content": [part]}}]}}

    async def script(writer, _number):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        writer.write(b"data:" + json.dumps(event).encode() + b"\n\n")
        for _ in range(STREAM_LIMIT // 2**16 + 1):
            writer.write(b":" + b"." * 2**16 + b"\n")
            await writer.drain()

    server = await serve(script)
    async with service(server.url) as talking:
        asked = await talking.ask(PATH, BODY, {}, ResultShape.CHOICES, streamed=True)
    assert isinstance(asked, Task)
    assert [type(result).__name__ for result in asked.results] == ["ResultUrl", "ResultError"]


async def test_half_an_answer_is_ambiguous(serve, answer):
    """What says nothing is no answer, whatever its status."""
    body = answer("submit_accepted").body[:-20]

    async def script(writer, _number):
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 9999\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    server = await serve(script)
    assert isinstance(await submit(server.url), Ambiguous)


async def test_a_refusal_reaches_the_caller_as_a_value(serve, says, http, answer):
    """A 429 with Retry-After is a refusal to wait out."""
    body = answer("error_rate_quota").body
    server = await serve(says(http(body, "429 Too Many Requests", Retry_After="3")))

    refused = await submit(server.url)

    assert isinstance(refused, Refused)
    assert (refused.kind, refused.retry_after) == (RefusalKind.LATER, 3.0)


async def test_a_reset_after_the_request_was_read_is_ambiguous_and_not_repeated(serve):
    """The service has read the POST and vanished: nobody knows, and nothing is sent again."""

    async def reset(writer, _number):
        writer.transport.abort()

    server = await serve(reset)

    assert isinstance(await submit(server.url), Ambiguous)
    assert len(server.requests) == 1


GARBAGE = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "a huge header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked"
    b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a cut body": b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"output":{"task_id":"a',
    "a cut chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}",
    "an unfinished header": b"HTTP/1.1 200 OK\r\nContent-",
    "a cut refusal": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 90\r\n\r\n{",
    "a page": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    "an unexplained 502": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("what", GARBAGE)
async def test_garbage_is_ambiguous_for_a_submit_and_no_answer_for_a_poll(serve, says, what):
    """No broken answer is taken for a refusal, although the parser calls some of them a 400."""
    server = await serve(says(GARBAGE[what], close=True))

    assert isinstance(await submit(server.url), Ambiguous)
    assert len(server.requests) == 1
    no_answer = await poll(server.url)
    assert isinstance(no_answer, NoAnswer)
    assert what == "a cut refusal" or no_answer.kind is None


async def test_an_endless_answer_is_left_after_its_first_mebibyte(serve, http):
    """A body without an end neither fills the memory nor holds the submit."""
    written = 0

    async def pour(writer, _number):
        nonlocal written
        writer.write(http(status="200 OK", length=False, Transfer_Encoding="chunked"))
        while True:
            writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
            written += 65536
            await writer.drain()

    server = await serve(pour)

    assert isinstance(await submit(server.url), Ambiguous)
    assert written < 32 * 2**20


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect", "308 Permanent"])
async def test_a_redirection_is_not_followed(serve, says, http, accepting, status):
    """Key and body stay with the service; the words name the host that was pointed to."""
    other = await serve(accepting)
    location = f"http://localhost:{other.port}/p?token=canary"
    server = await serve(says(http(status=status, Location=location)))

    ambiguous = await submit(server.url)
    no_answer = await poll(server.url)

    assert isinstance(ambiguous, Ambiguous)
    assert isinstance(no_answer, NoAnswer)
    assert "localhost" in ambiguous.reason
    assert "canary" not in ambiguous.reason + no_answer.reason
    assert other.requests == []


async def test_a_refused_connection_is_unsent(free_port):
    """Nothing listens: the same request may be sent again."""
    assert await submit(f"http://127.0.0.1:{free_port}") == Unsent(
        "cannot connect to 127.0.0.1: Connect call failed ('127.0.0.1', " + f"{free_port})"
    )


async def test_an_unknown_name_is_unsent(monkeypatch):
    """The name cannot be resolved: nothing has left."""

    async def unknown(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)

    assert await submit("http://sandbox.localhost") == Unsent(
        "the name sandbox.localhost was not found"
    )
    assert await poll("http://sandbox.localhost") == NoAnswer(
        "the name sandbox.localhost was not found"
    )


@pytest.mark.looptime
async def test_a_black_hole_is_unsent_after_the_connect_timeout(looptime, monkeypatch):
    """Packets that vanish cost the connect time-out, and the request has not left."""

    async def never(*_args):
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)

    assert await submit("http://127.0.0.1:9") == Unsent("no connection to 127.0.0.1 in time")
    assert 15 <= looptime < 17


@pytest.mark.looptime
async def test_a_total_timeout_while_connecting_is_unsent_too(looptime, monkeypatch):
    """The exception's class alone would not tell; the observed boundary does."""

    async def never(*_args):
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    hasty = Timeouts(connect=600, submit=20)

    assert isinstance(await submit("http://127.0.0.1:9", timeouts=hasty), Unsent)
    assert 20 <= looptime < 22


@pytest.mark.looptime
async def test_a_silent_service_is_ambiguous_only_after_its_worst_case(looptime, serve):
    """A submit waits at least the 300 s of the official SDK, then its fate is unknown."""

    async def silent(_writer, _number):
        await asyncio.Event().wait()

    server = await serve(silent)

    assert await submit(server.url) == Ambiguous("127.0.0.1 fell silent", "")
    assert 300 <= looptime < 302


@pytest.mark.looptime
async def test_a_slow_answer_is_still_an_answer(looptime, serve, http, answer):
    """A submit that takes a minute is accepted like any other."""

    async def slow(writer, _number):
        body = http(answer("submit_accepted").body)
        asyncio.get_running_loop().call_later(60, writer.write, body)

    server = await serve(slow)

    assert isinstance(await submit(server.url), Accepted)
    assert 60 <= looptime < 62


@pytest.mark.looptime
async def test_a_silent_poll_gives_up_soon(looptime, serve):
    """A poll is cheap to repeat, so it does not wait long."""

    async def silent(_writer, _number):
        await asyncio.Event().wait()

    server = await serve(silent)

    assert await poll(server.url) == NoAnswer("127.0.0.1 fell silent")
    assert 30 <= looptime < 32


async def test_a_cancelled_submit_is_cancelled(serve):
    """Cancellation is never swallowed, whatever has been sent."""
    arrived = asyncio.Event()

    async def silent(_writer, _number):
        arrived.set()
        await asyncio.Event().wait()

    server = await serve(silent)
    task = asyncio.get_running_loop().create_task(submit(server.url))
    await arrived.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cookies_are_not_kept(serve, says, http, answer):
    """The gateway's affinity cookie is not sent back: requests do not depend on each other."""
    body = http(answer("task_unknown").body, Set_Cookie="acw_tc=1; Path=/")
    server = await serve(says(body))

    async with service(server.url.replace("127.0.0.1", "localhost")) as talking:
        await talking.task("t-1", VIDEO)
        await talking.task("t-1", VIDEO)

    assert b"cookie" not in server.requests[1].lower()


async def test_proxies_of_the_environment_are_not_used(serve, accepting, free_port, monkeypatch):
    """A variable left in a shell does not get the key."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port}")
    server = await serve(accepting)

    assert isinstance(await submit(server.url), Accepted)


@pytest.mark.parametrize("task_id", ["../models/limits", "a b?c#d", "任务"])
async def test_an_odd_task_id_stays_one_part_of_the_path(serve, says, http, task_id):
    """Whatever the service calls a task, the poll asks for that task and nothing else."""
    body = json.dumps({"output": {"task_id": task_id, "task_status": "PENDING"}}).encode()
    server = await serve(says(http(body)))

    assert isinstance(await poll(server.url, task_id), Task)
    target = server.requests[0].split(b" ")[1]
    assert target.count(b"/") == 4
    assert not set(b"?# ") & set(target)


async def test_an_answer_about_another_task_is_no_answer(serve, says, http, answer):
    """A cache in between cannot mix up two results."""
    server = await serve(says(http(answer("wan2.6-t2v").body)))

    assert await poll(server.url) == NoAnswer("the answer is about another task", heard=True)


@pytest.mark.fault(122)
@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "502 Bad Gateway"])
async def test_an_echoed_key_is_taken_out(serve, says, http, status):
    """A proxy that prints the request into its page does not get the key into a journal."""
    server = await serve(says(http(f"<p>Authorization: Bearer {CANARY}</p>".encode(), status)))

    answers = [await submit(server.url), await poll(server.url)]

    assert CANARY not in repr(answers)


@pytest.mark.fault(122)
async def test_no_failure_shows_the_key(serve, says, free_port):
    """Neither the service object nor what it says of failures holds the key."""
    server = await serve(says(*GARBAGE.values(), close=True))
    talking = service(server.url)

    shown = [talking, await submit(server.url), await submit(f"http://127.0.0.1:{free_port}")]

    assert CANARY not in repr(shown) + str(shown)
    assert repr(talking) == "Service(127.0.0.1)"


@pytest.fixture
def untrusted(tmp_path):
    """TLS with a certificate that nobody vouches for."""
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl program")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other -keyout key -out cert"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    return context


async def test_an_untrusted_certificate_is_unsent_for_good(serve, accepting, untrusted):
    """The key is not shown to a host that cannot prove its name, and waiting will not help."""
    server = await serve(accepting, ssl=untrusted)

    unsent = await submit(server.url.replace("http:", "https:"))

    assert isinstance(unsent, Unsent)
    assert unsent.lasting
    assert "self-signed certificate" in unsent.reason
    assert "SSL_CERT_FILE" in unsent.reason
    assert server.requests == []


async def test_a_host_that_does_not_speak_tls_is_unsent():
    """A failed handshake has sent nothing of the request."""

    def plain(_reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        assert await submit(f"https://127.0.0.1:{port}") == Unsent(
            "the TLS handshake with 127.0.0.1 failed"
        )


async def test_a_body_that_json_cannot_hold_is_our_own_mistake(serve, accepting):
    """A programming error is an error, and nothing is sent."""
    server = await serve(accepting)

    async with service(server.url) as talking:
        with pytest.raises(ValueError, match="not JSON compliant"):
            await talking.submit(PATH, {"parameters": {"seed": float("nan")}}, ASYNC)
    assert server.requests == []


# -- requests that are answered with the result --------------------------------------------------

CHOICES = ResultShape.CHOICES


async def ask(url, *, streamed, body=BODY, **options):
    async with service(url, **options) as talking:
        return await talking.ask(PATH, body, {}, CHOICES, streamed=streamed)


@pytest.mark.looptime
async def test_an_answer_may_take_minutes(serve, http, answer):
    """Twenty minutes of silence are waited out, where a submit would have given up."""
    body = answer("wan2.6-t2i-sync").body

    async def slowly(writer, _number):
        await asyncio.sleep(1200)
        writer.write(http(body))

    server = await serve(slowly)
    task = await ask(server.url, streamed=False)
    assert isinstance(task, Task)
    assert len(task.results) == 2


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_broken_answer_is_ambiguous_and_a_broken_stream_is_what_came(
    serve, says, http, answer, streamed
):
    """Half a document says nothing; whole events of a stream are results in hand."""
    case = "wan2.6-image-stream" if streamed else "wan2.6-t2i-sync"
    body = answer(case).body
    head = http(b"", length=False, Content_Length=str(len(body)))
    server = await serve(says(head + body[: len(body) * 3 // 4], close=True))

    found = await ask(server.url, streamed=streamed)

    if streamed:
        assert isinstance(found, Task)
        assert found.results[-1].code == "Incomplete"
    else:
        assert isinstance(found, Ambiguous)


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_that_never_came_is_ambiguous_and_one_never_asked_for_is_unsent(
    serve, says, free_port, streamed
):
    """The difference is observed, as for a submit."""
    server = await serve(says(b"", close=True))

    assert isinstance(await ask(server.url, streamed=streamed), Ambiguous)
    dead = f"http://127.0.0.1:{free_port}"
    assert isinstance(await ask(dead, streamed=streamed), Unsent)


@pytest.mark.parametrize(
    ("address", "resolved"),
    [("oss://dashscope-instant/a.png", True), ("https://h.example/a.png", False)],
)
async def test_an_address_in_the_storage_is_told_to_be_resolved(
    serve, accepting, address, resolved
):
    """Wherever in the body it stands, and only then."""
    server = await serve(accepting)
    body = {"model": "m", "input": {"media": [{"type": "first_frame", "url": address}]}}

    async with service(server.url) as talking:
        await talking.submit(PATH, body, ASYNC)

    assert (b"X-DashScope-OssResourceResolve: enable" in server.requests[0]) is resolved


async def test_a_policy_is_asked_for_by_model(serve, says, http, answer):
    """A GET with the documented query and the key."""
    server = await serve(says(http(answer("upload_policy").body)))

    async with service(server.url) as talking:
        policy = await talking.upload_policy("wan2.6-i2v")

    assert isinstance(policy, UploadPolicy)
    line = b"GET /api/v1/uploads?action=getPolicy&model=wan2.6-i2v HTTP/1.1\r\n"
    assert server.requests[0].startswith(line)


async def test_a_policy_that_cannot_be_had_is_no_answer(free_port):
    """The next try may have more luck."""
    async with service(f"http://127.0.0.1:{free_port}") as talking:
        assert isinstance(await talking.upload_policy("m"), NoAnswer)


async def test_a_check_is_a_post_without_a_task(serve, says, http, answer):
    """It is answered at once."""
    server = await serve(says(http(answer("wan2.2-s2v-detect").body)))

    async with service(server.url) as talking:
        found = await talking.check("services/x", {"model": "m"}, {})

    assert isinstance(found, Checked)
    assert found.passed
    assert b"X-DashScope-Async" not in server.requests[0]
