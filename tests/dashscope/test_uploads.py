"""A file into the storage: the form, the time-outs, the refusals, and the memory it takes."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from batchgen.dashscope.answers import UploadPolicy
from batchgen.dashscope.uploads import NotStored, Storage, Stored, UploadTrouble

SECRET = "c2VjcmV0"
CONTENT = b"RIFF\r\n--boundary\r\n\0\xff" * 100


def policy(host: str) -> UploadPolicy:
    fields = {"OSSAccessKeyId": "id", "Signature": SECRET, "policy": "cG9s"}
    return UploadPolicy(f"{host}/store", "dashscope-instant/a1", fields, None)


def says_once(page: str, status: str):
    async def script(writer, _number):
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(page)}\r\n\r\n"
        writer.write((head + page).encode())

    return script


async def pieces(*contents: bytes) -> AsyncIterator[bytes]:
    for content in contents:
        yield content


async def put(host: str, *contents: bytes, private_ok: bool = True, **options):
    async with Storage(private_ok=private_ok, **options) as storage:
        size = sum(map(len, contents))
        return await storage.put(policy(host), "a.wav", pieces(*contents), size)


async def test_a_file_goes_last_in_a_form_of_known_length(serve, says, http):
    """Each field as the policy has it, then the file untouched, under the key of its name."""
    server = await serve(says(http(b"")))
    assert await put(server.url, CONTENT[:100], CONTENT[100:]) == Stored(
        "oss://dashscope-instant/a1/a.wav"
    )
    (request,) = server.requests
    head, _, form = request.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(form)}".encode() in head
    assert b"Authorization" not in head
    assert b"Cookie" not in head
    boundary = form.partition(b"\r\n")[0]
    *parts, end = form.split(boundary)
    assert end == b"--\r\n"
    assert b'name="key"\r\n\r\ndashscope-instant/a1/a.wav\r\n' in parts[1]
    assert parts[-1].endswith(b"\r\n\r\n" + CONTENT + b"\r\n")
    assert b'name="file"; filename="a.wav"' in parts[-1]


def error(code: str, message: str) -> str:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"


LATE = error("AccessDenied", "Invalid according to Policy: Policy expired.")


@pytest.mark.parametrize(
    ("status", "page", "expected"),
    [
        ("403 Forbidden", LATE, (UploadTrouble.LATE, "AccessDenied")),
        ("400 No", error("EntityTooLarge", "It is."), (UploadTrouble.REFUSED, "EntityTooLarge")),
        ("503 Slow Down", error("SlowDown", "Wait."), (UploadTrouble.RETRY, "SlowDown")),
        ("400 No", error("RequestTimeout", "Slow."), (UploadTrouble.RETRY, "RequestTimeout")),
        ("403 Forbidden", "<html>a firewall</html>", (UploadTrouble.RETRY, "HTTP 403")),
        ("413 Too Large", "<html>a proxy</html>", (UploadTrouble.REFUSED, "HTTP 413")),
        ("204 No Content", "", (UploadTrouble.RETRY, "HTTP 204")),
        ("307 Elsewhere", "", (UploadTrouble.RETRY, "HTTP 307")),
    ],
)
async def test_what_the_storage_says_decides_what_to_do(serve, status, page, expected):
    """Only codes that name the file, and 413, end an upload; a stranger's page never does."""
    server = await serve(says_once(page, status))
    answer = await put(server.url, CONTENT)
    assert isinstance(answer, NotStored)
    assert (answer.trouble, answer.code) == expected


async def test_no_page_repeats_the_fields_of_the_form(serve):
    """Whoever answers may echo the signature: it goes no further."""
    page = f"<html>you sent: Signature={SECRET} policy=cG9s OSSAccessKeyId=id</html>"
    server = await serve(says_once(page, "502 Bad Gateway"))
    answer = await put(server.url, CONTENT)
    assert isinstance(answer, NotStored)
    assert answer.reason == "HTTP 502: you sent: Signature=*** policy=*** OSSAccessKeyId=***"


async def test_nothing_is_redirected(serve, says, http):
    """A form with a signature goes to the host that the service named, or nowhere."""
    other = await serve(says(http(b"")))
    server = await serve(says(http(b"", "303 Elsewhere", Location=f"{other.url}/store")))
    await put(server.url, CONTENT)
    assert other.requests == []


@pytest.mark.parametrize(
    "host", ["http://storage.example", "https://127.0.0.1", "https://u:p@h.example", "ftp://h.ex"]
)
async def test_an_upload_does_not_leave_for_a_place_no_result_would_come_from(host):
    """Public and https, unless the service itself is private."""
    answer = await put(host, CONTENT, private_ok=False)
    assert isinstance(answer, NotStored)
    assert answer.trouble is UploadTrouble.REFUSED
    assert "the upload address" in answer.reason


async def test_a_dead_host_is_tried_again_later(unused_port):
    """No connection is no refusal."""
    answer = await put(f"http://127.0.0.1:{unused_port}", CONTENT)
    assert isinstance(answer, NotStored)
    assert answer.trouble is UploadTrouble.RETRY


@pytest.fixture
def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


@pytest.mark.looptime
async def test_silence_ends_an_upload_and_a_slow_disk_does_not(serve, says, http):
    """Each piece puts the end off; a storage that never answers is left after a minute."""

    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(5):
            await asyncio.sleep(50)
            yield b"x"

    async def never(_writer, _number):
        await asyncio.sleep(1e6)

    good, dead = await serve(says(http(b""))), await serve(never)
    async with Storage(private_ok=True) as storage:
        assert isinstance(await storage.put(policy(good.url), "a.wav", slowly(), 5), Stored)
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await storage.put(policy(dead.url), "a.wav", pieces(CONTENT), len(CONTENT))
    assert isinstance(answer, NotStored)
    assert loop.time() - began == pytest.approx(60, abs=1)


async def test_whoever_gives_the_pieces_may_break_the_upload_off(serve, says, http):
    """The storage never gets the end of the form, so it keeps nothing."""

    async def changed() -> AsyncIterator[bytes]:
        yield b"half"
        raise ValueError("the file is another one")

    server = await serve(says(http(b"")))
    async with Storage(private_ok=True) as storage:
        answer = await storage.put(policy(server.url), "a.wav", changed(), 8)
    assert isinstance(answer, NotStored)
    assert server.requests == []


async def test_a_large_file_takes_no_more_memory_than_a_small_one():
    """64 MB pass through in pieces."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
        left = int(line.split(b":")[1])
        while left:
            left -= len(await reader.read(min(left, 2**18)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def many() -> AsyncIterator[bytes]:
        for _ in range(256):
            yield bytes(2**18)

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as server:
        host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        tracemalloc.start()
        try:
            async with Storage(private_ok=True) as storage:
                answer = await storage.put(policy(host), "a.mp4", many(), 2**26)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert isinstance(answer, Stored)
    assert peak < 2**23


def test_a_policy_hides_itself():
    """Its signature is a key to the storage."""
    assert SECRET not in repr(policy("https://h.example"))
