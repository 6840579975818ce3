"""Forms that are none, and what becomes of their files."""

from __future__ import annotations

import io

import aiohttp
import pytest

pytestmark = pytest.mark.looptime

MODEL = "wan2.6-i2v"
HEAD = b'--abc\r\nContent-Disposition: form-data; name="key"\r\n'
MULTIPART = "multipart/form-data; boundary=abc"


async def policy(client):
    return (await client.get("/uploads", action="getPolicy", model=MODEL))["data"]


def fields(policy, name="cat.png"):
    return {
        "OSSAccessKeyId": policy["oss_access_key_id"],
        "Signature": policy["signature"],
        "policy": policy["policy"],
        "key": f"{policy['upload_dir']}/{name}",
        "x-oss-object-acl": policy["x_oss_object_acl"],
        "x-oss-forbid-overwrite": policy["x_oss_forbid_overwrite"],
    }


async def send(client, given, content=b"content", **more):
    """Status and body of a form."""
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in (fields(given) | more).items():
        form.add_field(name, value)
    form.add_field("file", io.BytesIO(content), filename="cat.png")
    async with client.session.post(given["upload_host"], data=form) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/form-data", b"x"),
        (MULTIPART, b"--xyz\r\n\r\n"),
        (MULTIPART, b"--abc\r\nContent-Disposition form-data\r\n\r\nfoo\r\n--abc--\r\n"),
        (MULTIPART, b"--abc\r\nX: " + b"a" * 200_000 + b"\r\n\r\nfoo\r\n--abc--\r\n"),
        (MULTIPART, HEAD + b"\r\n\xff\xfe\r\n--abc--\r\n"),
    ],
    ids=["no boundary", "other boundary", "bad header", "long header", "text"],
)
async def test_a_form_that_is_not_well_formed(client, kind, content):
    """400 and XML, whatever part of it is broken."""
    given = await policy(client)
    headers = {"Content-Type": kind}
    async with client.session.post(given["upload_host"], data=content, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (400, "application/xml")
        assert "<Code>MalformedPOSTRequest</Code>" in await answer.text()


async def test_a_form_whose_body_is_no_gzip(client):
    """400 and XML too."""
    given = await policy(client)
    headers = {"Content-Type": MULTIPART, "Content-Encoding": "gzip"}
    async with client.session.post(given["upload_host"], data=b"nothing", headers=headers) as got:
        assert (got.status, got.content_type) == (400, "application/xml")


async def test_a_bug_of_the_object_store_is_answered_in_xml(serving, monkeypatch, caplog):
    """500 InternalError, and the log says what it was."""
    async with serving() as client:
        given = await policy(client)
        monkeypatch.setattr("batchgen.sandbox.storage.forms._form", None)
        status, body = await send(client, given)
        assert (status, "<Code>InternalError</Code>" in body) == (500, True)
        assert "TypeError" in caplog.text


async def test_a_key_and_a_field_have_their_longest(client):
    """A byte more is refused by name."""
    given = await policy(client)
    room = 1023 - len(given["upload_dir"]) - 1
    longest = fields(given, "a" * room)["key"]
    status, body = await send(client, given, key=longest + "a")
    assert (status, "<Code>InvalidObjectName</Code>" in body) == (400, True)
    assert (await send(client, given, key=longest))[0] == 204
    status, body = await send(client, given, other="x" * ((8 << 10) + 1))
    assert (status, "<Code>FieldItemTooLong</Code>" in body) == (400, True)


async def test_nothing_stays_of_a_file_that_was_refused(serving, tmp_path):
    """Neither of one that is too large nor of one whose key is taken."""
    async with serving(tmp_path) as client:
        given = await policy(client)
        assert (await send(client, given, bytes((20 << 20) + 1)))[0] == 400
        assert list((tmp_path / "uploads").iterdir()) == []
        assert [(await send(client, given))[0] for _ in range(2)] == [204, 409]
        assert len(list((tmp_path / "uploads").iterdir())) == 1
