"""Who may ask, and what every answer looks like."""

from __future__ import annotations

import asyncio
import io

import pytest

from batchgen.sandbox import Faults, Point, Reset, Rule
from batchgen.sandbox.clock import Clock
from batchgen.sandbox.service.access import Access

pytestmark = pytest.mark.looptime

VIDEO = "/services/aigc/video-generation/video-synthesis"
ASYNC = {"X-DashScope-Async": "enable"}
BODY = {"model": "wan2.6-t2v", "input": {"prompt": "fox"}}


async def temporary(client, **query):
    url = client.sandbox.base_url + "/tokens"
    async with client.session.post(url, params=query, headers=client.headers) as client.answer:
        return await client.answer.json()


async def test_a_temporary_key_is_good_for_a_minute(client):
    """It sees what the account sees, and is refused when its time is over."""
    task_id = await client.task()
    answer = await temporary(client)
    assert answer.keys() == {"token", "expires_at"}
    assert answer["token"].startswith("st-")
    assert answer["expires_at"] == 1_790_000_060
    client.headers = {"Authorization": f"Bearer {answer['token']}"}
    assert await client.status(task_id) == "PENDING"
    await asyncio.sleep(61)
    answer = await client.get(f"/tasks/{task_id}")
    assert (client.answer.status, answer["code"]) == (401, "InvalidApiKey")


async def test_a_temporary_key_is_good_for_a_minute_of_its_client(serving):
    """At a hundred times the speed a client is as slow as ever."""
    async with serving(speed=100) as client:
        answer = await temporary(client)
        assert answer["expires_at"] == 1_790_006_000
        client.headers = {"Authorization": f"Bearer {answer['token']}"}
        await asyncio.sleep(59)
        await client.get("/tasks")
        assert client.answer.status == 200
        await asyncio.sleep(2)
        await client.get("/tasks")
        assert client.answer.status == 401


@pytest.mark.parametrize(
    ("asked", "status"), [("1", 200), ("1800", 200), ("0", 400), ("1801", 400)]
)
async def test_a_temporary_key_lives_up_to_half_an_hour(client, asked, status):
    """Between 1 and 1,800 seconds."""
    await client.get("/tasks")
    await temporary(client, expire_in_seconds=asked)
    assert client.answer.status == status


async def test_rows_of_the_list_name_the_key_and_filter_by_it(serving):
    """Keys of one account see each other's tasks, and can tell them apart."""
    async with serving(keys={"sk-a": "one", "sk-b": "one"}, key="sk-a") as client:
        first = await client.task()
        client.headers = {"Authorization": "Bearer sk-b"}
        second = await client.task()
        rows = {row["task_id"]: row["api_key_id"] for row in (await client.get("/tasks"))["data"]}
        assert rows.keys() == {first, second}
        (row,) = (await client.get("/tasks", api_key_id=rows[first]))["data"]
        assert row["task_id"] == first


async def test_posts_carry_the_gateways_headers_and_gets_fewer(client):
    """As published answers have them: no `x-request-id` on a GET, and another content type."""
    submit = await client.post(VIDEO, BODY, **ASYNC)
    headers = client.answer.headers
    assert headers["x-request-id"] == submit["request_id"]
    assert headers["x-dashscope-call-gateway"] == "true"
    assert headers["x-dashscope-timeout"] == "180"
    assert headers["Content-Type"] == "application/json"
    assert headers["Server"] == "istio-envoy"
    await client.get("/tasks")
    headers = client.answer.headers
    assert headers["Content-Type"] == "application/json;charset=UTF-8"
    assert headers.keys().isdisjoint({"x-request-id", "x-dashscope-timeout", "Retry-After"})
    assert int(headers["resp-start-time"]) // 1000 == 1_790_000_000
    assert {"req-cost-time", "req-arrive-time", "x-envoy-upstream-service-time"} <= headers.keys()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", VIDEO, 405),
        ("POST", "/tasks", 405),
        ("HEAD", "/tasks", 405),
        ("DELETE", "/tasks/x", 405),
        ("POST", "/services/nlp/x", 404),
    ],
)
async def test_wrong_addresses_and_methods_are_flat_json(client, method, path, status):
    """Never a page."""
    await client.get("/tasks")
    url = client.sandbox.base_url + path
    async with client.session.request(method, url, headers=client.headers) as answer:
        assert answer.status == status
        assert answer.content_type == "application/json"
        if method != "HEAD":
            assert (await answer.json()).keys() == {"code", "message", "request_id"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b'{"model": "wan2.6-t2v", "input": {"prompt": "fox"}, "parameters": {"seed": NaN}}',
        b'{"model": "wan2.6-t2v", "input": {"prompt": "fox"}, "parameters": {"seed": 1e999}}',
        b'{"input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
async def test_a_body_that_is_no_json_object(client, content):
    """400 InvalidParameter, whatever it is."""
    await client.get("/tasks")
    url, headers = client.sandbox.base_url + VIDEO, client.headers | ASYNC
    async with client.session.post(url, data=content, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] == "InvalidParameter"


async def test_a_deep_body_meets_the_rules_of_faults_first(serving):
    """Who looks for a rule's word in the prompt is not led into the depth either."""
    async with serving(faults=Faults(Rule(Point.SUBMIT, Reset(), prompt="storm"))) as client:
        content = b"[" * 100_000 + b"]" * 100_000
        url, headers = client.sandbox.base_url + VIDEO, client.headers | ASYNC
        async with client.session.post(url, data=content, headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, "InvalidParameter")


async def test_a_body_that_is_not_compressed_as_it_says(client, caplog):
    """Broken gzip is a body that cannot be read: 400, and the sandbox goes on."""
    await client.get("/tasks")
    url, headers = client.sandbox.base_url + VIDEO, client.headers | ASYNC
    headers |= {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    content = io.BytesIO(b"\x1f\x8b no gzip at all")
    async with client.session.post(url, data=content, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "InvalidParameter")
    assert await client.task()
    assert not caplog.records


async def test_a_bug_is_told_as_the_service_tells_its_own(client, caplog, monkeypatch):
    """500 InternalError, flat, and the log knows what went wrong."""
    await client.get("/tasks")
    monkeypatch.delattr(client.sandbox._scheduler, "_store")
    answer = await client.get("/tasks")
    assert (client.answer.status, answer["code"]) == (500, "InternalError")
    assert answer.keys() == {"code", "message", "request_id"}
    assert answer["request_id"] in caplog.text
    assert "AttributeError" in caplog.text
    monkeypatch.undo()
    assert (await client.get("/tasks"))["total"] == 0


async def test_a_body_that_is_too_large(client):
    """413, and no task."""
    await client.get("/tasks")
    await client.get("/tasks")
    url, headers = client.sandbox.base_url + VIDEO, client.headers | ASYNC
    content = io.BytesIO(b" " * (65 << 20))
    async with client.session.post(url, data=content, headers=headers) as answer:
        assert answer.status == 413
        assert (await answer.json())["code"] == "BadRequest.TooLarge"
    assert client.sandbox.bill().tasks_created == 0


async def test_a_strict_sandbox_refuses_what_would_fail_later(serving):
    """The flaw's own code and message with 400, and no task."""
    async with serving(strict=True) as client:
        answer = await client.submit("wan2.6-t2v", given={"prompt": "fox"}, size="1*1")
        assert (client.answer.status, answer["code"]) == (400, "InvalidParameter")
        assert "size" in answer["message"]
        assert client.sandbox.bill().tasks_created == 0


@pytest.mark.parametrize(("strict", "status"), [(True, 403), (False, 200)])
async def test_the_header_of_submits_on_a_query(serving, strict, status):
    """Two clients were refused for it; no page says so. Only a strict sandbox does."""
    async with serving(strict=strict) as client:
        client.headers |= ASYNC
        await client.get("/tasks/x")
        assert client.answer.status == status


async def test_a_temporary_key_makes_no_other(client):
    """403: it could be prolonged for ever."""
    answer = await client.post("/tokens")
    client.headers = {"Authorization": f"Bearer {answer['token']}"}
    answer = await client.post("/tokens")
    assert (client.answer.status, answer["code"]) == (403, "AccessDenied")


async def test_expired_keys_are_forgotten():
    """A client that takes a new one every minute does not fill the memory."""
    access = Access({"sk-a": "one"}, Clock(0.0, speed=1, loop=asyncio.get_running_loop()))
    caller = access.caller("Bearer sk-a")
    for _ in range(10):
        access.temporary(caller, 60)
        await asyncio.sleep(61)
    access.temporary(caller, 60)
    assert len(access._temporary) == 1


@pytest.mark.parametrize("path", ["/api/v1/tasks", "/", "/sandbox/state", "/sandbox/bill"])
async def test_nothing_answers_to_a_foreign_name(client, path):
    """A web page whose name was made to lead here reads nothing, though it knows the usual key."""
    await client.get("/tasks")
    url = client.sandbox.face_url.rstrip("/") + path
    async with client.session.get(url, headers=client.headers | {"Host": "evil.example"}) as got:
        assert got.status == 403
        assert (await got.json())["code"] == "Forbidden"


async def test_no_result_answers_to_a_foreign_name(client):
    """The object store refuses in its own way."""
    host = (await client.get("/uploads", action="getPolicy", model="wan2.6-i2v"))["data"]
    async with client.session.get(host["upload_host"], headers={"Host": "evil.example"}) as got:
        assert got.status == 403
        assert "<Code>AccessDenied</Code>" in await got.text()


async def test_what_an_answer_took_counts_the_clients_time(serving):
    """Not the clock's, of which sixty thousand milliseconds pass in each."""
    async with serving(speed=60_000) as client:
        content = [{"role": "user", "content": [{"text": "fox"}]}]
        body = {"model": "wan2.6-t2i", "input": {"messages": content}, "parameters": {"n": 1}}
        await client.post("/services/aigc/multimodal-generation/generation", body)
        assert int(client.answer.headers["req-cost-time"]) < 1000
