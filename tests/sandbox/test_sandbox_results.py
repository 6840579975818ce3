from __future__ import annotations

import asyncio
import base64
import hashlib
import lzma
from urllib.parse import parse_qs, urlsplit

import pytest

from batchgen.sandbox.storage.checksums import crc64

pytestmark = pytest.mark.looptime


async def finished(client, **parameters):
    """The URL of a small finished clip."""
    task_id = await client.task("wan2.5-t2v-preview", size="624*624", **parameters)
    await asyncio.sleep(400)
    return (await client.output(task_id))["video_url"]


async def test_the_url_is_signed_and_lives_a_day_from_the_end(client):
    """The shape is that of published answers; every query gives the same."""
    url = await finished(client)
    parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
    (row,) = (await client.get("/tasks"))["data"]
    assert parts.path.endswith(f"/{row['task_id']}.mp4")
    assert parts.path.startswith("/1d/")
    assert query.keys() == {"Expires", "OSSAccessKeyId", "Signature"}
    assert 86_395 <= int(query["Expires"][0]) - row["end_time"] / 1000 <= 86_399
    assert (await client.output(row["task_id"]))["video_url"] == url


async def test_a_download_needs_no_key_and_can_be_checked(client):
    """Length, MD5, CRC-64 and ETag are those of the bytes, the whole object's with a part of it."""
    url = await finished(client)
    await client.download(url, Range="bytes=9-")
    checksum = int(client.answer.headers["x-oss-hash-crc64ecma"])
    content = await client.download(url)
    headers = client.answer.headers
    assert int(headers["x-oss-hash-crc64ecma"]) == checksum == crc64(content)
    md5 = hashlib.md5(content)
    assert client.answer.status == 200
    assert headers["Content-Type"] == "video/mp4"
    assert int(headers["Content-Length"]) == len(content)
    assert headers["Content-MD5"] == base64.b64encode(md5.digest()).decode()
    assert headers["ETag"] == f'"{md5.hexdigest().upper()}"'


@pytest.mark.parametrize("size", [0, 1, 2, 999, 1000])
def test_the_checksum_is_that_of_object_storage(size):
    """It is the one that an .xz file carries of the same bytes, behind its block."""
    content = bytes(range(256)) * 4
    packed = lzma.compress(content[:size], lzma.FORMAT_XZ, lzma.CHECK_CRC64)
    end = len(packed) - 12 - 4 * (int.from_bytes(packed[-8:-4], "little") + 1)
    checksum = int.from_bytes(packed[end - 8 : end], "little") if size else 0
    assert crc64(content[:size]) == checksum
    assert crc64(b"123456789") == 0x995DC9BBDF1939FA


async def test_a_broken_download_can_be_continued(client):
    """Ranges from the start, to the end and of the end add up to the file."""
    url = await finished(client)
    whole = await client.download(url)
    etag = client.answer.headers["ETag"]
    assert await client.download(url, Range="bytes=0-99") == whole[:100]
    assert client.answer.status == 206
    assert client.answer.headers["Content-Range"] == f"bytes 0-99/{len(whole)}"
    assert await client.download(url, Range="bytes=100-") == whole[100:]
    assert await client.download(url, Range="bytes=-7") == whole[-7:]
    assert await client.download(url, **{"Range": "bytes=5-", "If-Range": etag}) == whole[5:]


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=999999999-"},
        {"Range": "chapters=1-2"},
        {"Range": "bytes=5-", "If-Range": '"OTHER"'},
    ],
)
async def test_a_range_the_file_does_not_have_gives_the_whole_file(client, headers):
    """OSS answers 200 then, not 416; so it does when the file is another one."""
    url = await finished(client)
    whole = await client.download(url)
    assert await client.download(url, **headers) == whole
    assert client.answer.status == 200


EARLIER, LATER = "Sun, 20 Sep 2026 00:00:00 GMT", "Sun, 27 Sep 2026 00:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": "{etag}"}, 304),
        ({"If-None-Match": '"OTHER", W/{etag}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"OTHER"'}, 200),
        ({"If-None-Match": '"OTHER"', "If-Modified-Since": LATER}, 200),
        ({"If-Modified-Since": "{modified}"}, 304),
        ({"If-Modified-Since": EARLIER}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-Match": "{etag}"}, 200),
        ({"If-Match": '"OTHER"'}, 412),
        ({"If-Match": '"OTHER"', "If-None-Match": "{etag}"}, 412),
        ({"If-Unmodified-Since": "{modified}"}, 200),
        ({"If-Unmodified-Since": EARLIER}, 412),
    ],
)
async def test_a_download_on_a_condition(client, headers, status):
    """Who has the file gets 304 and no byte, who wants another one 412 in XML."""
    url = await finished(client)
    whole = await client.download(url)
    given = client.answer.headers
    etag, modified = given["ETag"], given["Last-Modified"]
    headers = {k: v.format(etag=etag, modified=modified) for k, v in headers.items()}
    body = await client.download(url, **headers)
    assert client.answer.status == status
    if status == 412:
        assert b"<Code>PreconditionFailed</Code>" in body
    else:
        assert body == (whole if status == 200 else b"")
        assert client.answer.headers["ETag"] == etag


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("Signature=", "Signature=A", "SignatureDoesNotMatch"),
        ("Expires=", "Expires=9", "SignatureDoesNotMatch"),
        (".mp4?", "-1.png?", "SignatureDoesNotMatch"),
        ("OSSAccessKeyId", "Other", "AccessDenied"),
        ("OSSAccessKeyId=", "OSSAccessKeyId=Other", "InvalidAccessKeyId"),
    ],
)
async def test_a_changed_url_is_refused_in_xml(client, old, new, code):
    """403 with OSS's code, not a video."""
    url = await finished(client)
    body = (await client.download(url.replace(old, new))).decode()
    assert (client.answer.status, client.answer.content_type) == (403, "application/xml")
    assert f"<Code>{code}</Code>" in body


async def test_an_expired_url_is_refused_in_xml(client):
    """A day after the task's end, with the words that people have found in their video files."""
    url = await finished(client)
    await asyncio.sleep(86_400)
    body = (await client.download(url)).decode()
    assert client.answer.status == 403
    assert "<Code>AccessDenied</Code>" in body
    assert "<Message>Request has expired.</Message>" in body
    assert "<ServerTime>2026-09-22T" in body


async def test_a_url_to_get_is_none_to_ask_about(client):
    """The method is part of what is signed: HEAD is refused, and has no body."""
    url = await finished(client)
    async with client.session.head(url) as answer:
        assert (answer.status, await answer.read()) == (403, b"")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 403, "AccessDenied"),
        ("GET", "/1d/nothing.mp4", 403, "AccessDenied"),
        ("PUT", "/x", 405, "MethodNotAllowed"),
        ("POST", "/elsewhere", 405, "MethodNotAllowed"),
    ],
)
async def test_the_object_store_refuses_in_xml(client, method, path, status, code):
    """Whatever is asked of it; nobody may look around."""
    origin = "/".join((await finished(client)).split("/")[:3])
    async with client.session.request(method, origin + path) as answer:
        body = await answer.text()
        assert (answer.status, answer.content_type) == (status, "application/xml")
        assert f"<Code>{code}</Code>" in body
        assert f"<RequestId>{answer.headers['x-oss-request-id']}</RequestId>" in body
        assert answer.headers["Server"] == "AliyunOSS"


async def test_every_answer_carries_the_sandboxs_date(client):
    """The API and the object store tell the same, virtual time."""
    url = await finished(client)
    assert client.answer.headers["Date"] == "Mon, 21 Sep 2026 14:20:00 GMT"
    await asyncio.sleep(3600)
    await client.download(url, Range="bytes=0-0")
    assert client.answer.headers["Date"] == "Mon, 21 Sep 2026 15:20:00 GMT"


async def test_many_that_finish_together_are_all_served(client):
    """Nothing is rendered before it is fetched; then each download gets its own file."""
    model, size = "wan2.5-t2v-preview", "480*832"
    ids = [await client.task(model, f"fox {n}", size=size) for n in range(5)]
    await asyncio.sleep(400)
    urls = [(await client.output(task_id))["video_url"] for task_id in ids]

    async def fetched(url):
        async with client.session.get(url) as response:
            return hashlib.sha256(await response.read()).hexdigest()

    digests = await asyncio.gather(*map(fetched, [urls[0], urls[0], *urls]))
    assert len(set(digests)) == 5
    assert digests[0] == digests[1] == digests[2]
