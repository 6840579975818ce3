"""Every way an answer can go wrong, as bytes on a socket."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import web

from batchgen.sandbox import (
    Answer,
    Content,
    Corrupt,
    CutShort,
    Delay,
    Drip,
    Ending,
    Endless,
    Faults,
    Gzip,
    Page,
    Point,
    Redirect,
    Reset,
    Rule,
    Stall,
    WrongLength,
)
from batchgen.sandbox.faults import middleware

pytestmark = pytest.mark.looptime

FILE = bytes(range(256)) * 40
RESULT = "/1d/aa/20260101/0f0f0f0f/3d7f0d8e-0000-4000-8000-000000000001.mp4"
GENERATE = "/api/v1/services/aigc/multimodal-generation/generation"


@dataclass
class Known:
    """A task, as the rules know it."""

    id: str
    model: str = "wan2.6-t2v"
    prompt: str = "fox"
    account: str = "own"
    status: str = "SUCCEEDED"


class Service:
    """A file, a stream and a JSON answer behind the middleware; it counts what it has made."""

    def __init__(self, *rules: Rule) -> None:
        self.faults = Faults(*rules)
        self.body = FILE
        self.made = 0
        self.port = 0

    async def file(self, request: web.Request) -> web.Response:
        if "expired" in request.query:
            return web.Response(status=403)
        return web.Response(body=self.body, content_type="video/mp4", headers={"ETag": '"E"'})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        self.made += 1
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(3):
            await response.write(f"data: {number}\n\n".encode())
        return response

    @asynccontextmanager
    async def serving(self):
        application = web.Application(
            middlewares=[
                middleware(
                    self.faults,
                    find=Known,
                    refuse=lambda _, status, code, message: web.json_response(
                        {"code": code, "message": message}, status=status
                    ),
                    account=lambda _: "",
                )
            ]
        )
        application.add_routes([web.get(RESULT, self.file), web.post(GENERATE, self.stream)])
        runner = web.AppRunner(application, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()

    async def ask(self, method: str = "GET", path: str = RESULT):
        """Send one request on a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: sandbox\r\n".encode())
        writer.write(b"Content-Length: 2\r\n\r\n{}" if method == "POST" else b"\r\n")
        return reader, writer

    async def told(self, method: str = "GET", path: str = RESULT):
        """Everything that comes over the connection until it is closed."""
        reader, writer = await self.ask(method, path)
        try:
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
        lines = head.decode().split("\r\n")
        return lines[0], dict(line.split(": ", 1) for line in lines[1:]), body


async def result(action) -> tuple[str, dict[str, str], bytes]:
    """What a download gets when this happens to it."""
    async with Service(Rule(Point.RESULT, action)).serving() as service:
        return await service.told()


async def test_half_a_file_is_announced_whole_and_the_connection_reset():
    """The length is the file's; the bytes stop, and not politely."""
    async with Service(Rule(Point.RESULT, CutShort())).serving() as service:
        reader, writer = await service.ask()
        head = await reader.readuntil(b"\r\n\r\n")
        assert f"Content-Length: {len(FILE)}\r\n".encode() in head
        assert await reader.readexactly(len(FILE) // 2) == FILE[: len(FILE) // 2]
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        writer.close()


async def test_all_that_was_to_come_comes_before_the_reset():
    """However large the half is, and however late it is read."""
    service = Service(Rule(Point.RESULT, CutShort()))
    service.body = FILE * 2000
    async with service.serving():
        reader, writer = await service.ask()
        await asyncio.sleep(10)
        await reader.readuntil(b"\r\n\r\n")
        half = len(service.body) // 2
        assert await reader.readexactly(half) == service.body[:half]
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        writer.close()


async def test_a_cut_that_nothing_tells():
    """No length, no chunks: the end of the connection looks like the end of the file."""
    status, headers, body = await result(CutShort(100, Ending.CLOSE))
    assert status == "HTTP/1.1 200 OK"
    assert not headers.keys() & {"Content-Length", "Transfer-Encoding"}
    assert body == FILE[:100]


async def test_a_cut_before_the_last_chunk():
    """One chunk comes, the closing one does not."""
    _, headers, body = await result(CutShort(100, Ending.CHUNK))
    assert headers["Transfer-Encoding"] == "chunked"
    assert body == b"64\r\n" + FILE[:100] + b"\r\n"


async def test_not_even_a_chunk_is_still_no_end():
    """A cut after no byte at all does not look like an empty file."""
    assert (await result(CutShort(0, Ending.CHUNK)))[2] == b""


async def test_half_a_body_in_a_proper_answer():
    """Length and bytes agree, and yet it is half of it: JSON that ends in the middle."""
    _, headers, body = await result(CutShort(ending=Ending.WHOLE))
    assert int(headers["Content-Length"]) == len(body) == len(FILE) // 2


async def test_flipped_bytes_have_the_right_length_and_the_true_etag():
    """Only somebody who compares checksums can know."""
    _, headers, body = await result(Corrupt(10))
    assert headers["ETag"] == '"E"'
    assert len(body) == len(FILE)
    wrong = [place for place in range(len(FILE)) if body[place] != FILE[place]]
    assert wrong == list(range(wrong[0], wrong[0] + 10))
    assert abs(wrong[5] - len(FILE) // 2) < 10


@pytest.mark.parametrize("by", [-100, 100])
async def test_a_wrong_length_is_announced(by):
    """The file is whole all the same."""
    _, headers, body = await result(WrongLength(by))
    assert int(headers["Content-Length"]) == len(FILE) + by
    assert body == FILE


async def test_a_file_comes_compressed_though_nobody_asked():
    """The header says so, and the length is that of what is sent."""
    _, headers, body = await result(Gzip())
    assert headers["Content-Encoding"] == "gzip"
    assert int(headers["Content-Length"]) == len(body)
    assert gzip.decompress(body) == FILE


async def test_an_endless_file_is_bounded_all_the_same():
    """Without a length it repeats itself, up to the bound, and is reset."""
    async with Service(Rule(Point.RESULT, Endless(3 * len(FILE) + 5))).serving() as service:
        reader, writer = await service.ask()
        assert b"Content-Length" not in await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(3 * len(FILE) + 5) == FILE * 3 + FILE[:5]
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        writer.close()


@pytest.mark.parametrize("rate", [1000, 155])
async def test_a_file_drips(rate):
    """The file is whole, after as many seconds as its length and the rate say."""
    before = asyncio.get_running_loop().time()
    _, headers, body = await result(Drip(rate))
    assert body == FILE
    assert int(headers["Content-Length"]) == len(FILE)
    assert asyncio.get_running_loop().time() - before == pytest.approx(len(FILE) / rate, rel=0.02)


async def test_less_than_a_byte_a_tick_is_a_byte_now_and_then():
    """A rate below one byte a second is kept too."""
    before = asyncio.get_running_loop().time()
    async with Service(Rule(Point.RESULT, Drip(0.5))).serving() as service:
        reader, writer = await service.ask()
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(3) == FILE[:3]
        writer.close()
    assert asyncio.get_running_loop().time() - before == pytest.approx(6, abs=2.5)


async def test_the_first_byte_is_late():
    """The answer is the right one, after its time."""
    before = asyncio.get_running_loop().time()
    status, _, body = await result(Delay(90))
    assert asyncio.get_running_loop().time() - before >= 90
    assert (status, body) == ("HTTP/1.1 200 OK", FILE)


async def test_a_file_stops_in_the_middle_and_the_connection_stays():
    """An hour later there is still neither a byte nor an end."""
    async with Service(Rule(Point.RESULT, Stall(100))).serving() as service:
        reader, writer = await service.ask()
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(100) == FILE[:100]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 3600)
        writer.close()


async def test_silence_ends_with_the_client():
    """Nothing waits any longer once whoever asked has gone."""
    async with Service(Rule(Point.RESULT, Stall())).serving() as service:
        others = asyncio.all_tasks()
        _, writer = await service.ask()
        await asyncio.sleep(60)
        assert asyncio.all_tasks() - others
        writer.close()
        await asyncio.sleep(2)
        assert not asyncio.all_tasks() - others


async def test_silence_ends_with_the_sandbox():
    """A sandbox closes in seconds, whoever still waits for an answer."""
    loop = asyncio.get_running_loop()
    async with Service(Rule(Point.RESULT, Stall())).serving() as service:
        reader, writer = await service.ask()
        await asyncio.sleep(60)
        before = loop.time()
    assert loop.time() - before < 5
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        (Content.HTML, "text/html", b"<html>"),
        (Content.XML, "application/xml", b"<?xml"),
        (Content.EMPTY, "application/json", b""),
        (Content.GARBAGE, "application/json", b"\xff\xfe"),
        (Content.NAN, "application/json", b'{"output": {"task_id": NaN'),
    ],
)
async def test_a_page_that_is_not_of_the_service(content, kind, says):
    """With the status of choice, in the place of the file."""
    status, headers, body = await result(Page(content, 502))
    assert status == "HTTP/1.1 502 Bad Gateway"
    assert headers["Content-Type"].startswith(kind)
    assert int(headers["Content-Length"]) == len(body)
    assert body.startswith(says)
    assert body or not says


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (200, b"502 Bad Gateway"),
        (502, b"502 Bad Gateway"),
        (503, b"503 Service Temporarily Unavailable"),
        (504, b"504 Gateway Time-out"),
    ],
)
async def test_a_gateways_page_has_its_title(status, title):
    """As the gateways of the world name them; with 200 it is a bad one all the same."""
    _, _, body = await result(Page(Content.HTML, status))
    assert b"<title>" + title + b"</title>" in body


async def test_a_refusal_with_retry_after():
    """The header is what was asked for, sensible or not."""
    status, headers, body = await result(Answer(429, "Throttling", "busy", retry_after="soon"))
    assert status == "HTTP/1.1 429 Too Many Requests"
    assert headers["Retry-After"] == "soon"
    assert json.loads(body) == {"code": "Throttling", "message": "busy"}


async def test_a_success_that_holds_an_error():
    """Status 200 with a `code`, as some gateways answer."""
    status, headers, body = await result(Answer(200, "InternalError"))
    assert status == "HTTP/1.1 200 OK"
    assert "Retry-After" not in headers
    assert json.loads(body)["code"] == "InternalError"


@pytest.mark.parametrize(("to", "location"), [("", RESULT), ("http://b.test/", "http://b.test/")])
async def test_a_redirect(to, location):
    """To a URL, or to where one already is."""
    status, headers, _ = await result(Redirect(to, 307))
    assert status == "HTTP/1.1 307 Temporary Redirect"
    assert headers["Location"] == location


@pytest.mark.parametrize(("point", "made"), [(Point.GENERATE, 0), (Point.GENERATED, 1)])
async def test_a_stream_is_lost_before_or_after_it_was_made(point, made):
    """No byte of it comes, in both cases."""
    async with Service(Rule(point, Reset())).serving() as service:
        with pytest.raises(ConnectionResetError):
            await service.told("POST", GENERATE)
        assert service.made == made


async def test_a_stream_is_cut():
    """The first event comes, the others do not, and no end either."""
    async with Service(Rule(Point.GENERATED, CutShort(9, Ending.CHUNK))).serving() as service:
        _, headers, body = await service.told("POST", GENERATE)
    assert headers["Content-Type"] == "text/event-stream"
    assert body == b"9\r\ndata: 0\n\n\r\n"


async def test_an_answer_stands_in_the_place_of_a_stream():
    """An answer with a length, in one piece, and nothing of the stream."""
    async with Service(Rule(Point.GENERATED, Answer(500, "InternalError"))).serving() as service:
        status, headers, body = await service.told("POST", GENERATE)
    assert status == "HTTP/1.1 500 Internal Server Error"
    assert "Transfer-Encoding" not in headers
    assert json.loads(body)["code"] == "InternalError"


async def test_an_untouched_stream_arrives_whole():
    """A rule that spares this call changes nothing of it."""
    async with Service(Rule(Point.GENERATED, Reset(), calls={2})).serving() as service:
        reader, writer = await service.ask("POST", GENERATE)
        await reader.readuntil(b"\r\n\r\n")
        events = b"9\r\ndata: 0\n\n\r\n9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n"
        assert await reader.readexactly(len(events)) == events
        writer.close()


async def test_a_request_held_up_before_the_work_is_dropped_with_its_client():
    """Who leaves while the gateway holds the request has ordered nothing."""
    async with Service(Rule(Point.GENERATE, Delay(60))).serving() as service:
        _, writer = await service.ask("POST", GENERATE)
        await asyncio.sleep(30)
        writer.close()
        await asyncio.sleep(60)
        assert service.made == 0


async def test_a_download_is_whose_its_task_is():
    """A result needs no key, and yet has an account, a model and a prompt."""
    rules = [
        Rule(Point.RESULT, Answer(404, "NoSuchKey"), account="other"),
        Rule(Point.RESULT, Answer(410, "Gone"), account="own", model="wan2.6-*", prompt="fox"),
    ]
    async with Service(*rules).serving() as service:
        assert (await service.told())[0] == "HTTP/1.1 410 Gone"


@pytest.mark.parametrize(
    ("path", "status"),
    [(RESULT.replace("mp4", "png"), "404 Not Found"), (f"{RESULT}?expired", "403 Forbidden")],
)
async def test_a_refused_request_passes_no_point_after_the_work(path, status):
    """The rule for answers does not count what the service refused by itself."""
    async with Service(Rule(Point.RESULT, Reset(), calls={1})).serving() as service:
        reader, writer = await service.ask(path=path)
        assert await reader.readline() == f"HTTP/1.1 {status}\r\n".encode()
        writer.close()
        assert not service.faults.fired
