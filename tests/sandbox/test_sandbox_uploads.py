"""Local files: leave to upload, the form, and what becomes of the `oss://` address."""

from __future__ import annotations

import asyncio
import base64
import io
import json

import aiohttp
import pytest
from PIL import Image

pytestmark = pytest.mark.looptime

MODEL = "wan2.6-i2v"
RESOLVE = {"X-DashScope-Async": "enable", "X-DashScope-OssResourceResolve": "enable"}
VIDEO = "/services/aigc/video-generation/video-synthesis"
KEYS = {"sk-a": "one", "sk-b": "one", "sk-c": "two"}


def picture(width=400):
    content = io.BytesIO()
    Image.new("RGB", (width, 400), (200, 80, 40)).save(content, "PNG")
    return content.getvalue()


async def policy(client, model=MODEL):
    answer = await client.get("/uploads", action="getPolicy", model=model)
    assert answer.keys() == {"request_id", "data"}
    return answer["data"]


def fields(policy, name="cat.png"):
    return {
        "OSSAccessKeyId": policy["oss_access_key_id"],
        "Signature": policy["signature"],
        "policy": policy["policy"],
        "key": f"{policy['upload_dir']}/{name}",
        "x-oss-object-acl": policy["x_oss_object_acl"],
        "x-oss-forbid-overwrite": policy["x_oss_forbid_overwrite"],
        "success_action_status": "200",
    }


async def send(client, host, given, content=None):
    """Status and body of a form, the file as its last field."""
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in given.items():
        form.add_field(name, value)
    if content is not None:
        form.add_field("file", io.BytesIO(content), filename="cat.png")
    async with client.session.post(host, data=form) as client.answer:
        return client.answer.status, (await client.answer.read()).decode()


async def uploaded(client, model=MODEL, content=None):
    given = await policy(client, model)
    status, _ = await send(client, given["upload_host"], fields(given), content or picture())
    assert status == 200
    return f"oss://{fields(given)['key']}"


async def submitted(client, url, model=MODEL, headers=RESOLVE):
    body = {"model": model, "input": {"img_url": url}, "parameters": {"resolution": "720P"}}
    return await client.post(VIDEO, body, **headers)


async def outcome(client, url, model=MODEL):
    """The task's output, when all is said that an inspection could say."""
    task_id = (await submitted(client, url, model))["output"]["task_id"]
    await asyncio.sleep(5)
    return await client.output(task_id)


async def test_leave_to_upload_has_all_documented_fields(client):
    """The object store's own host, 300 seconds, and the model's largest file."""
    given = await policy(client)
    assert given.keys() == {
        "policy",
        "signature",
        "upload_dir",
        "upload_host",
        "expire_in_seconds",
        "max_file_size_mb",
        "capacity_limit_mb",
        "oss_access_key_id",
        "x_oss_object_acl",
        "x_oss_forbid_overwrite",
    }
    assert given["upload_dir"].startswith("dashscope-instant/")
    assert not given["upload_host"].startswith(client.sandbox.base_url[:25])
    assert (given["expire_in_seconds"], given["max_file_size_mb"]) == (300, 20)
    assert (given["x_oss_object_acl"], given["x_oss_forbid_overwrite"]) == ("private", "true")
    assert "expiration" in json.loads(base64.b64decode(given["policy"]))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"model": MODEL}, "action must be getPolicy"),
        ({"action": "getPolicy", "model": "wan9"}, "Model not exist."),
    ],
)
async def test_leave_to_upload_is_asked_for_properly(client, query, message):
    """With the action and a model that there is."""
    answer = await client.get("/uploads", **query)
    assert (client.answer.status, answer["message"]) == (400, message)


async def test_an_uploaded_picture_is_the_first_frame(client):
    """The form answers 200 without a body; the task takes the file under its address."""
    url = await uploaded(client)
    assert (await outcome(client, url))["task_status"] == "RUNNING"
    (task,) = client.sandbox._scheduler.latest(99, 1, status="", text="")[0]
    (given,) = task.work.inputs
    assert (given.role, given.source, given.shape) == ("first_frame", "cat.png", (400, 400))


async def test_without_the_header_an_address_is_not_resolved(client):
    """400 at once, as the page on uploads says, and no task."""
    url = await uploaded(client)
    answer = await submitted(client, url, headers={"X-DashScope-Async": "enable"})
    assert (client.answer.status, answer["code"]) == (400, "InvalidParameter.DataInspection")
    assert client.sandbox.bill().tasks_created == 0


async def test_a_file_is_its_accounts_and_its_models(serving):
    """Another key of the account may use it; another account or model finds nothing."""
    async with serving(keys=KEYS, key="sk-a") as client:
        url = await uploaded(client)
        client.headers = {"Authorization": "Bearer sk-b"}
        assert (await outcome(client, url))["task_status"] == "RUNNING"
        other = await outcome(client, url, "wan2.6-i2v-flash")
        client.headers = {"Authorization": "Bearer sk-c"}
        foreign = await outcome(client, url)
        for output in (other, foreign):
            assert (output["task_status"], output["code"]) == (
                "FAILED",
                "InvalidParameter.DataInspection",
            )


async def test_a_file_lives_for_two_days_and_over_a_restart(serving, tmp_path):
    """48 hours of the clock; then the address leads to nothing, and the file is gone."""
    async with serving(tmp_path) as client:
        url = await uploaded(client)
    async with serving(tmp_path) as client:
        await asyncio.sleep(47 * 3600)
        assert (await outcome(client, url))["task_status"] == "RUNNING"
        await asyncio.sleep(3600)
        output = await outcome(client, url)
        assert (output["task_status"], output["code"]) == (
            "FAILED",
            "InvalidParameter.DataInspection",
        )
        await uploaded(client)
        assert len(list((tmp_path / "uploads").iterdir())) == 1


async def test_a_policy_is_good_for_five_minutes(client):
    """Then the object store says so in XML, with 403."""
    given = await policy(client)
    await asyncio.sleep(301)
    status, body = await send(client, given["upload_host"], fields(given), picture())
    assert status == 403
    assert "<Code>AccessDenied</Code>" in body
    assert "<Message>Invalid according to Policy: Policy expired.</Message>" in body


async def test_the_five_minutes_are_the_clients_own(serving):
    """At a hundred times the speed, which speeds up no client."""
    async with serving(speed=100) as client:
        given = await policy(client)
        assert given["expire_in_seconds"] == 300
        await asyncio.sleep(299)
        status, _ = await send(client, given["upload_host"], fields(given), picture())
        assert status == 200
        await asyncio.sleep(2)
        late = fields(given, "late.png")
        assert (await send(client, given["upload_host"], late, picture()))[0] == 403


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"Signature": "AAAA"}, 403, "SignatureDoesNotMatch"),
        ({"OSSAccessKeyId": "LTAI-other"}, 403, "InvalidAccessKeyId"),
        ({"policy": base64.b64encode(b"{}").decode()}, 403, "SignatureDoesNotMatch"),
        ({"key": "dashscope-instant/elsewhere/cat.png"}, 403, "AccessDenied"),
        ({"x-oss-object-acl": "public-read"}, 403, "AccessDenied"),
        ({"x-oss-forbid-overwrite": "false"}, 403, "AccessDenied"),
        ({"key": None}, 400, "InvalidArgument"),
        ({"policy": None}, 400, "InvalidArgument"),
    ],
)
async def test_a_form_is_what_the_policy_allows(client, change, status, code):
    """Everything that was signed is checked before a byte is stored."""
    given = await policy(client)
    changed = {k: v for k, v in (fields(given) | change).items() if v is not None}
    answered, body = await send(client, given["upload_host"], changed, picture())
    assert answered == status
    assert f"<Code>{code}</Code>" in body


async def test_the_file_is_the_last_field(client):
    """What comes after it is not read, so that a policy behind it is no policy."""
    given = await policy(client)
    form = aiohttp.FormData()
    form.add_field("key", fields(given)["key"])
    form.add_field("file", picture(), filename="cat.png")
    for name in ("OSSAccessKeyId", "Signature", "policy"):
        form.add_field(name, fields(given)[name])
    async with client.session.post(given["upload_host"], data=form) as answer:
        assert answer.status == 400
        assert "must contain a field named" in await answer.text()


async def test_a_form_without_a_file_or_that_is_none(client):
    """Both are the client's mistakes, in words."""
    given = await policy(client)
    status, body = await send(client, given["upload_host"], fields(given))
    assert (status, "exactly one file" in body) == (400, True)
    async with client.session.post(given["upload_host"], data=b"hello") as answer:
        assert answer.status == 400
        assert "<Code>MalformedPOSTRequest</Code>" in await answer.text()


async def test_a_key_is_used_once(client):
    """The second file of a name is refused with 409, and the first one stays."""
    given = await policy(client)
    assert (await send(client, given["upload_host"], fields(given), picture()))[0] == 200
    status, body = await send(client, given["upload_host"], fields(given), picture(500))
    assert (status, "<Code>FileAlreadyExists</Code>" in body) == (409, True)
    await outcome(client, f"oss://{fields(given)['key']}")
    (task,) = client.sandbox._scheduler.latest(99, 1, status="", text="")[0]
    assert task.work.inputs[0].width == 400


async def test_a_file_beyond_the_models_limit_is_refused(client, tmp_path):
    """400 EntityTooLarge; nothing of it stays."""
    given = await policy(client)
    status, body = await send(client, given["upload_host"], fields(given), bytes((20 << 20) + 1))
    assert (status, "<Code>EntityTooLarge</Code>" in body) == (400, True)
    output = await outcome(client, f"oss://{fields(given)['key']}")
    assert output["task_status"] == "FAILED"


@pytest.mark.parametrize(("asked", "status"), [("200", 200), ("201", 201), ("", 204), ("999", 204)])
async def test_the_form_says_how_success_is_answered(client, asked, status):
    """204 where nothing, or nothing sensible, was asked for."""
    given = await policy(client)
    changed = fields(given) | {"success_action_status": asked}
    assert (await send(client, given["upload_host"], changed, picture()))[0] == status
    assert client.answer.headers["ETag"]


async def test_a_hundred_policies_a_second(client):
    """For each account and model."""
    for _ in range(100):
        await policy(client)
    answer = await client.get("/uploads", action="getPolicy", model=MODEL)
    assert (client.answer.status, answer["code"]) == (429, "Throttling.RateQuota")
    await policy(client, "wan2.7-i2v")


async def test_a_file_uploaded_twice_is_one_request(client):
    """Equal requests are told by what is in the files, not by where they lie."""
    for content in (picture(400), picture(400), picture(420)):
        await submitted(client, await uploaded(client, content=content))
    assert client.sandbox.bill().equal_requests == 1


async def test_an_upload_cannot_be_downloaded(client):
    """Its only use is in a request."""
    url = await uploaded(client)
    given = await policy(client)
    host = given["upload_host"].rpartition("/")[0]
    body = await client.download(f"{host}/{url.removeprefix('oss://')}")
    assert client.answer.status == 403
    assert b"<Code>AccessDenied</Code>" in body


async def test_a_full_disk_stores_no_half_file(serving, tmp_path):
    """An upload that the disk refuses is answered with 503, and the key is still free."""
    async with serving(tmp_path) as client:
        given = await policy(client)
        uploads = tmp_path / "uploads"
        uploads.rmdir()
        status, body = await send(client, given["upload_host"], fields(given), picture())
        assert (status, "ServiceUnavailable" in body) == (503, True)
        uploads.mkdir()
        assert (await send(client, given["upload_host"], fields(given), picture()))[0] == 200
