from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import socket

import pytest

from batchgen.dashscope.downloads import Downloaded, Downloader, DownloadFailed, FailureKind, Pace
from batchgen.dashscope.objects import Version

RETRY, STALE, REFUSED = FailureKind.RETRY, FailureKind.STALE, FailureKind.REFUSED

VIDEO = bytes(range(256)) * 400
ETAG = '"5B3C1A2E053D763E1B002CC607C5A0FE"'
QUERY = "?Expires=1769497758&OSSAccessKeyId=id&Signature=ca%2Bnary%3D"
MD5 = base64.b64encode(hashlib.md5(VIDEO).digest()).decode()
MD5_HEX = hashlib.md5(VIDEO).hexdigest()
PLENTY = 10 * len(VIDEO)


class Part:
    """What the caller keeps of a download: its bytes, their version, how often it was emptied."""

    def __init__(self, begun: bytes = b"", version: Version | None = None) -> None:
        self.bytes = bytearray(begun)
        self.version = version
        self.begun = 0

    async def sink(self, chunk: bytes) -> None:
        self.bytes += chunk

    async def begin(self, version: Version | None) -> None:
        self.bytes.clear()
        self.version = version
        self.begun += 1


async def fetch(url, part, *, private_ok=True, max_bytes=PLENTY, pace=None):
    async with Downloader(private_ok=private_ok, pace=pace) as downloader:
        return await downloader.download(
            url,
            offset=len(part.bytes),
            version=part.version,
            sink=part.sink,
            begin=part.begin,
            max_bytes=max_bytes,
        )


@pytest.fixture
def part():
    return Part()


async def test_a_result_is_fetched_whole(serve, says, http, part):
    """All bytes arrive, and whose they are is told before the first of them."""
    server = await serve(says(http(VIDEO, ETag=ETAG, Content_Type="video/mp4")))

    done = await fetch(f"{server.url}/a.mp4{QUERY}", part)

    assert done == Downloaded(Version(ETAG, len(VIDEO)))
    assert (part.version, part.bytes) == (done.version, VIDEO)


@pytest.mark.fault(125)
async def test_a_request_shows_nothing_but_the_signed_address(serve, says, http, part):
    """No key, no cookie, no compression; the signature goes out exactly as it came."""
    server = await serve(says(http(VIDEO, Set_Cookie="a=b; Path=/")))

    async with Downloader(private_ok=True) as downloader:
        for _ in range(2):
            await downloader.download(
                f"{server.url}/a%2Fb.mp4{QUERY}&t=%7E",
                offset=0,
                version=None,
                sink=part.sink,
                begin=part.begin,
                max_bytes=PLENTY,
            )

    for request in server.requests:
        assert request.startswith(f"GET /a%2Fb.mp4{QUERY}&t=%7E HTTP/1.1\r\n".encode())
        assert b"Accept-Encoding: identity\r\n" in request
        names = {line.split(b":")[0].lower() for line in request.split(b"\r\n")[1:]}
        assert not names & {b"authorization", b"cookie", b"range", b"x-dashscope-async"}
    assert server.connections == 2


CHECKSUMS = {
    "md5": ({"Content_MD5": MD5}, MD5_HEX, None),
    "crc64": ({"x_oss_hash_crc64ecma": "16979124213498653345"}, None, 16979124213498653345),
    "both": ({"Content_MD5": MD5, "x_oss_hash_crc64ecma": "7"}, None, 7),
    "etag": ({"ETag": f'"{MD5_HEX.upper()}"', "x_oss_object_type": "Normal"}, MD5_HEX, None),
    "etag of parts": ({"ETag": f'"{MD5_HEX}-3"', "x_oss_object_type": "Normal"}, None, None),
    "etag of another kind": (
        {"ETag": f'"{MD5_HEX}"', "x_oss_object_type": "Multipart"},
        None,
        None,
    ),
    "etag beside a better one": (
        {"ETag": f'"{32 * "A"}"', "x_oss_object_type": "Normal", "x_oss_hash_crc64ecma": "0"},
        None,
        0,
    ),
    "rubbish": ({"Content_MD5": "!!", "x_oss_hash_crc64ecma": "0x12"}, None, None),
    "too large": ({"Content_MD5": "YQ==", "x_oss_hash_crc64ecma": str(2**64)}, None, None),
}


@pytest.mark.fault(73)
@pytest.mark.parametrize("case", CHECKSUMS)
async def test_the_checksums_of_the_store_are_handed_on(serve, says, http, part, case):
    """All that the store knows of the bytes goes with them; a header that is none is no proof."""
    headers, md5, crc64 = CHECKSUMS[case]
    server = await serve(says(http(VIDEO, **headers)))

    version = (await fetch(server.url, part)).version

    assert (version.md5, version.crc64) == (md5, crc64)
    assert part.version == version


async def test_a_chunked_result_is_whole_with_its_last_chunk(serve, says, http, part):
    """Chunks prove their own end."""
    head = http(length=False, Transfer_Encoding="chunked")
    server = await serve(says(head + b"5\r\nhello\r\n0\r\n\r\n"))

    assert await fetch(server.url, part) == Downloaded(Version(bytes=5))


CUT = {
    "by length": b"HTTP/1.1 200 OK\r\nETag: "
    + ETAG.encode()
    + b"\r\nContent-Length: 900\r\n\r\nabc",
    "before the last chunk": b"HTTP/1.1 200 OK\r\nETag: "
    + ETAG.encode()
    + b"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
}


@pytest.mark.fault(60, 63)
@pytest.mark.parametrize("cut", CUT)
async def test_a_cut_download_can_be_continued(serve, says, part, cut):
    """What has arrived is kept, and the version it belongs to is known."""
    server = await serve(says(CUT[cut], close=True))

    failed = await fetch(server.url, part)

    assert failed == DownloadFailed(RETRY, "the answer of 127.0.0.1 was cut short")
    assert (part.version.etag, part.bytes) == (ETAG, b"abc")


@pytest.mark.fault(61)
async def test_a_body_without_a_length_is_not_trusted(serve, says, http, part):
    """An end of the connection proves nothing; the broken result is not published."""
    server = await serve(says(http(length=False, Connection="close") + b"abc", close=True))

    assert await fetch(server.url, part) == DownloadFailed(
        RETRY, "the answer does not say how long it is"
    )


async def test_a_weak_validator_does_not_allow_to_continue(serve, says, part):
    """Only a strong ETag promises the same bytes."""
    server = await serve(says(CUT["by length"].replace(b'"5B', b'W/"5B'), close=True))

    await fetch(server.url, part)

    assert part.version.etag is None


async def test_a_download_continues_where_it_stopped(serve, says, http):
    """Only the missing bytes are asked for, on the condition that the object is the same."""
    total = len(VIDEO)
    part = Part(VIDEO[:1000], Version(ETAG, total, MD5_HEX))
    server = await serve(
        says(
            http(
                VIDEO[1000:],
                "206 Partial Content",
                Content_Range=f"bytes 1000-{total - 1}/{total}",
                ETag=ETAG,
                # Object storage gives the whole object's MD5 with a part of it.
                Content_MD5=MD5,
            )
        )
    )

    assert await fetch(server.url, part) == Downloaded(Version(ETAG, total, MD5_HEX))
    assert (part.bytes, part.begun) == (VIDEO, 0)
    assert b"Range: bytes=1000-\r\n" in server.requests[0]
    assert f"If-Range: {ETAG}\r\n".encode() in server.requests[0]


async def test_a_changed_object_is_fetched_from_the_start(serve, says, http):
    """A 200 to a range means another object: the old bytes go before the new ones come."""
    part = Part(b"old bytes", Version(ETAG, len(VIDEO)))
    server = await serve(says(http(VIDEO, ETag='"new"')))

    done = await fetch(server.url, part)

    assert done.version == part.version == Version('"new"', len(VIDEO))
    assert (part.bytes, part.begun) == (VIDEO, 1)


async def test_bytes_without_a_strong_validator_are_fetched_again(serve, says, http):
    """Bytes that may be another version's are no beginning of anything."""
    for version in (None, Version(None, len(VIDEO))):
        part = Part(b"old bytes", version)
        server = await serve(says(http(VIDEO)))

        await fetch(server.url, part)

        assert part.bytes == VIDEO
        assert b"Range" not in server.requests[0]


@pytest.mark.parametrize(
    ("begun", "headers"),
    [
        (b"abc", {"Content_Range": "bytes 0-2/9", "ETag": ETAG}),
        (b"abc", {"Content_Range": "bytes 33-35/99", "ETag": ETAG}),
        (b"abc", {"ETag": ETAG}),
        (b"abc", {"Content_Range": "bytes 3-5/8", "ETag": ETAG}),
        (b"abc", {"Content_Range": "bytes 3-5/9", "ETag": '"other"'}),
        (b"", {"Content_Range": "bytes 0-2/9", "ETag": ETAG}),
    ],
)
async def test_a_wrong_part_is_not_glued_on(serve, says, http, begun, headers):
    """A 206 that is not the part asked for starts the download over."""
    part = Part(begun, Version(ETAG, 9))
    server = await serve(says(http(b"xyz", "206 Partial Content", **headers)))

    assert await fetch(server.url, part) == DownloadFailed(
        RETRY, "HTTP 206 with another part than asked for"
    )
    assert part.bytes == b""


async def test_a_range_beyond_the_end_starts_over(serve, says, http):
    """A 416 means that the part on disk is wrong."""
    part = Part(b"too much", Version(ETAG, 9))
    server = await serve(says(http(status="416 Range Not Satisfiable")))

    failed = await fetch(server.url, part)

    assert (failed.kind, part.version, part.bytes) == (RETRY, None, b"")


async def test_less_than_the_missing_part_is_not_the_whole(serve, says, http):
    """A store may give less than it was asked for; what has come is kept and continued."""
    part = Part(b"abc", Version(ETAG, 9))
    shorter = http(b"def", "206 Partial Content", Content_Range="bytes 3-5/9", ETag=ETAG)
    server = await serve(says(shorter))

    assert await fetch(server.url, part) == DownloadFailed(RETRY, "6 of 9 bytes have come")
    assert part.bytes == b"abcdef"


EXPIRED = (
    b'<?xml version="1.0"?><Error><Code>AccessDenied</Code>'
    b"<Message>Request has expired.</Message></Error>"
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("401 Unauthorized", STALE),
        ("403 Forbidden", STALE),
        ("404 Not Found", STALE),
        ("410 Gone", STALE),
        ("400 Bad Request", RETRY),
        ("429 Too Many Requests", RETRY),
        ("500 Internal Server Error", RETRY),
        ("503 Service Unavailable", RETRY),
        ("304 Not Modified", RETRY),
    ],
)
async def test_errors_say_whether_the_address_or_the_moment_is_wrong(
    serve, says, http, status, kind
):
    """An address that no longer works is asked for anew; everything else is tried again."""
    part, body = Part(), b"" if status.startswith("304") else EXPIRED
    server = await serve(says(http(body, status, Content_Type="application/xml")))

    failed = await fetch(server.url + QUERY, part)

    assert failed.kind is kind
    assert failed.reason.startswith(f"HTTP {status[:3]}: ")
    assert part.bytes == b""


async def test_an_expired_address_says_so(serve, says, http, part):
    """Object storage's own words reach the person."""
    server = await serve(says(http(EXPIRED, "403 Forbidden", Content_Type="application/xml")))

    assert await fetch(server.url + QUERY, part) == DownloadFailed(
        STALE, "HTTP 403: AccessDenied: Request has expired."
    )


@pytest.mark.parametrize("media_type", ["text/html", "application/xml", "text/xml; charset=utf-8"])
async def test_a_page_with_200_is_not_a_result(serve, says, http, part, media_type):
    """A 330-byte error page is never saved as a video; its first words are kept."""
    server = await serve(says(http(b"<h1>Service busy</h1>", Content_Type=media_type)))

    failed = await fetch(server.url, part)

    assert failed.kind is RETRY
    assert failed.reason.endswith("Service busy")
    assert part.bytes == b""


async def test_an_error_page_that_breaks_off_is_still_an_error(serve, says, part):
    """The status tells enough."""
    server = await serve(says(b"HTTP/1.1 403 F\r\nContent-Length: 99\r\n\r\n", close=True))

    assert await fetch(server.url, part) == DownloadFailed(STALE, "HTTP 403: no explanation")


async def test_a_result_without_bytes_is_none(serve, says, http, part):
    """Zero bytes are not a picture."""
    server = await serve(says(http(b"")))

    assert await fetch(server.url, part) == DownloadFailed(RETRY, "the result has no bytes")


@pytest.mark.fault(64)
async def test_an_encoded_result_is_refused_unopened(serve, says, http, part):
    """A decompression bomb is not inflated, and a compressed video is not a video."""
    bomb = gzip.compress(bytes(2_000_000))
    server = await serve(says(http(bomb, Content_Encoding="gzip")))

    failed = await fetch(server.url, part)

    assert failed.kind is REFUSED
    assert part.bytes == b""


@pytest.mark.fault(72)
async def test_a_result_beyond_the_cap_is_refused_before_it_is_read(serve, says, http, part):
    """An announced excess costs no transfer."""
    server = await serve(says(http(VIDEO)))

    assert await fetch(server.url, part, max_bytes=len(VIDEO) - 1) == DownloadFailed(
        REFUSED, f"{len(VIDEO)} bytes are more than the {len(VIDEO) - 1} expected at most"
    )
    assert part.bytes == b""
    assert isinstance(await fetch(server.url, part, max_bytes=len(VIDEO)), Downloaded)


@pytest.mark.fault(72)
async def test_an_endless_result_is_refused_at_the_cap(serve, http, part):
    """A body that never says its length stops at the cap, and the sink holds no more."""

    async def pour(writer, _number):
        writer.write(http(length=False, Transfer_Encoding="chunked"))
        while True:
            writer.write(b"1000\r\n" + bytes(4096) + b"\r\n")
            await writer.drain()

    server = await serve(pour)

    failed = await fetch(server.url, part, max_bytes=50_000)

    assert (failed.kind, failed.reason) == (REFUSED, "more than 50000 bytes")
    assert len(part.bytes) <= 50_000


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
    ],
)
async def test_garbage_is_tried_again(serve, says, part, garbage):
    """What is not HTTP is the network's trouble, not the result's."""
    server = await serve(says(garbage, close=True))

    assert (await fetch(server.url, part)).kind is RETRY


@pytest.mark.fault(58)
@pytest.mark.looptime
async def test_a_stall_ends_by_itself(looptime, serve, http, part):
    """Silence in the middle is noticed after a minute, and what has come is kept."""

    async def stall(writer, _number):
        writer.write(http(VIDEO, ETag=ETAG)[:-1000])
        await asyncio.Event().wait()

    server = await serve(stall)

    failed = await fetch(server.url, part)

    assert failed == DownloadFailed(RETRY, "127.0.0.1 fell silent")
    assert len(part.bytes) == len(VIDEO) - 1000
    assert 60 <= looptime < 62


def dripping(http, interval, size, count):
    """A script that sends ``count`` pieces of ``size`` bytes, one each ``interval`` seconds."""

    async def drip(writer, _number):
        loop = asyncio.get_running_loop()
        writer.write(http(length=False, Content_Length=str(size * count), ETag=ETAG))
        for number in range(count):
            loop.call_later(interval * number, writer.write, bytes(size))

    return drip


@pytest.mark.fault(59)
@pytest.mark.looptime
async def test_a_drip_is_ended(looptime, serve, http, part):
    """A byte now and then never trips a read time-out, but it is not a download either."""
    server = await serve(dripping(http, 5, 1, 30))

    failed = await fetch(server.url, part)

    assert failed == DownloadFailed(RETRY, "only 13 bytes in 60 s")
    assert 60 <= looptime < 62


@pytest.mark.looptime
async def test_a_slow_but_steady_download_goes_on(looptime, serve, http, part):
    """Slow is not stuck: a download above the minimum may take as long as it takes."""
    server = await serve(dripping(http, 5, 10_000, 50))

    assert isinstance(await fetch(server.url, part), Downloaded)
    assert 245 <= looptime < 250


@pytest.mark.looptime
async def test_a_slow_disk_is_not_taken_for_a_slow_network(looptime, serve, says, http):
    """The sink's own time does not count against the download."""

    class SlowDisk(Part):
        async def sink(self, chunk):
            flushed = asyncio.Event()
            asyncio.get_running_loop().call_later(100, flushed.set)
            await flushed.wait()
            await super().sink(chunk)

    slow = SlowDisk()
    server = await serve(says(http(VIDEO)))

    done = await fetch(server.url, slow, pace=Pace(window_bytes=10 * len(VIDEO)))

    assert isinstance(done, Downloaded)
    assert looptime >= 100


async def test_an_error_of_the_sink_is_not_the_networks(serve, says, http):
    """A full disk reaches the caller as it is, even where it looks like a network error."""

    class FullDisk(Part):
        async def sink(self, chunk):
            raise TimeoutError("the disk does not answer")

    server = await serve(says(http(VIDEO)))

    with pytest.raises(TimeoutError, match="the disk does not answer"):
        await fetch(server.url, FullDisk())


async def test_a_cancelled_download_is_cancelled(serve, http, part):
    """Cancellation is never swallowed."""
    arrived = asyncio.Event()

    async def silent(writer, _number):
        writer.write(http(VIDEO)[:-1])
        arrived.set()
        await asyncio.Event().wait()

    server = await serve(silent)
    task = asyncio.get_running_loop().create_task(fetch(server.url, part))
    await arrived.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


def hopping(http, *targets):
    """A script that answers each request with the next redirection, then with the video."""

    async def hop(writer, number):
        if number < len(targets):
            writer.write(http(status="307 Temporary Redirect", Location=targets[number]))
        else:
            writer.write(http(VIDEO))

    return hop


async def test_three_redirections_are_followed(serve, http, part):
    """Relative and absolute targets lead on, and the signature of the last one is kept."""
    server = await serve(hopping(http, "/b", "c?S=a%2Bb", "/d?S=a%2Bb"))

    assert isinstance(await fetch(f"{server.url}/a", part), Downloaded)
    assert [request.split(b" ")[1] for request in server.requests] == [
        b"/a",
        b"/b",
        b"/c?S=a%2Bb",
        b"/d?S=a%2Bb",
    ]


async def test_a_redirection_loop_ends(serve, http, part):
    """The fourth redirection is not followed."""
    server = await serve(hopping(http, *["/a"] * 9))

    assert await fetch(f"{server.url}/a", part) == DownloadFailed(
        REFUSED, "more than 3 redirections"
    )
    assert len(server.requests) == 4


@pytest.mark.fault(69, 70)
@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://user:pw@127.0.0.1/a", "http://[", ""],
)
async def test_a_redirection_off_limits_is_refused(serve, http, part, target):
    """Each target passes the same checks as the first address."""
    server = await serve(hopping(http, target))

    failed = await fetch(server.url, part)

    assert failed.kind is REFUSED
    assert "pw" not in failed.reason
    assert len(server.requests) == 1


@pytest.mark.fault(70, 71)
@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/a", "https://[::1]/a", "http://elsewhere.example/a", "https://[", ""],
)
async def test_addresses_off_limits_are_refused_without_a_connection(part, url):
    """A public service's results do not come from inside."""
    assert (await fetch(url, part, private_ok=False)).kind is REFUSED


@pytest.mark.fault(71)
@pytest.mark.parametrize("numbers", [["127.0.0.1"], ["127.0.0.1", "169.254.169.254", "10.0.0.1"]])
async def test_a_public_name_that_leads_inside_is_refused(monkeypatch, part, numbers):
    """The address that would be connected to is what counts, however many there are."""

    async def resolve(*_args, **_options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 443)) for number in numbers]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)

    failed = await fetch(f"https://rebound.example/a.mp4{QUERY}", part, private_ok=False)

    assert failed == DownloadFailed(REFUSED, "the result's host name leads to an internal address")


async def test_a_host_that_cannot_be_reached_asks_for_a_new_address(part):
    """The task may have a better address by now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        failed = await fetch(f"http://127.0.0.1:{probe.getsockname()[1]}/a{QUERY}", part)

    assert failed.kind is FailureKind.UNREACHABLE
    assert "Signature" not in failed.reason


@pytest.mark.fault(75)
async def test_running_out_of_file_handles_is_waited_out(monkeypatch, part):
    """This machine's limits are no reason to doubt the address."""
    real = socket.socket

    def exhausted(family=-1, *args, **options):
        if family == socket.AF_INET and "fileno" not in options:
            raise OSError(24, "Too many open files")
        return real(family, *args, **options)

    monkeypatch.setattr("batchgen.dashscope.addresses.socket.socket", exhausted)

    failed = await fetch("http://127.0.0.1:9/a", part)

    assert failed == DownloadFailed(RETRY, "cannot connect to 127.0.0.1: Too many open files")


async def test_no_reason_shows_the_signature(serve, says, http, part):
    """Whatever goes wrong, the words hold no part of the query."""
    echo = f"bad request: /a.mp4{QUERY} signature ca+nary=".encode()
    shown = []
    for script in (
        says(http(echo, "403 Forbidden", Content_Type="text/html")),
        says(http(echo, Content_Type="text/html")),
        says(b"rubbish\r\n\r\n", close=True),
        says(CUT["by length"], close=True),
    ):
        server = await serve(script)
        shown.append(await fetch(f"{server.url}/a.mp4{QUERY}", Part()))

    assert "nary" not in repr(shown)
    assert "1769497758" not in repr(shown)
