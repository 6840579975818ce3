from __future__ import annotations

import asyncio
import re

import pytest

pytestmark = pytest.mark.looptime

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ASYNC = {"X-DashScope-Async": "enable"}
VIDEO = "/services/aigc/video-generation/video-synthesis"
IMAGES = "/services/aigc/image-generation/generation"
TEXT_TO_IMAGE = "/services/aigc/text2image/image-synthesis"
IMAGE_TO_IMAGE = "/services/aigc/image2image/image-synthesis"
KEYFRAMES = "/services/aigc/image2video/video-synthesis"
ELSEWHERE = "https://example.com/a.png"


async def test_a_submit_answers_exactly_as_documented(client):
    """The body has two keys, and the header carries the body's request id."""
    answer = await client.submit("wan2.6-t2v", given={"prompt": "fox"})
    assert answer.keys() == {"output", "request_id"}
    assert answer["output"].keys() == {"task_status", "task_id"}
    assert answer["output"]["task_status"] == "PENDING"
    assert UUID.fullmatch(answer["output"]["task_id"])
    assert client.answer.headers["x-request-id"] == answer["request_id"]


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Authorization": ""}, "No API-key provided."),
        ({"Authorization": "Bearer sk-other"}, "Invalid API-key provided."),
    ],
)
async def test_a_wrong_key_is_refused_before_anything_else(client, headers, message):
    """Even a path that does not exist answers 401 without a key."""
    client.headers = headers
    answer = await client.get("/nothing")
    assert client.answer.status == 401
    assert (answer["code"], answer["message"]) == ("InvalidApiKey", message)
    assert answer.keys() == {"code", "message", "request_id"}


async def test_a_submit_without_the_async_header_is_refused(client):
    """Video models have no synchronous call."""
    answer = await client.post(VIDEO, {"model": "wan2.6-t2v", "input": {"prompt": "fox"}})
    assert client.answer.status == 403
    assert answer["code"] == "AccessDenied"
    assert answer["message"] == "current user api does not support synchronous calls."


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (VIDEO, {"model": "wan9"}, "Model not exist."),
        (KEYFRAMES, {"model": "wan2.6-t2v"}, "url error, please check url!"),
        (
            "/services/aigc/a/b",
            {"model": "wan2.6-t2v", "input": {"prompt": "fox"}},
            "url error, please check url!",
        ),
        (VIDEO, {"model": "wan2.6-t2v"}, "Field required: input.prompt"),
        (VIDEO, {"model": "wan2.6-i2v", "input": {"prompt": "x"}}, "Field required: input.img_url"),
        (VIDEO, [], "Required body invalid, please check the request body format."),
        (
            VIDEO,
            {"model": "wan2.6-t2v", "input": {"prompt": "\ud800"}},
            "Required body invalid, please check the request body format.",
        ),
    ],
)
async def test_cheap_mistakes_are_refused_at_submit(client, path, body, message):
    """They answer 400 InvalidParameter, and make no task."""
    answer = await client.post(path, body, **ASYNC)
    assert client.answer.status == 400
    assert (answer["code"], answer["message"]) == ("InvalidParameter", message)
    assert client.sandbox.bill().tasks_created == 0


@pytest.mark.parametrize(
    ("model", "given", "parameters", "part"),
    [
        ("wan2.6-t2v", {"prompt": "x"}, {"size": "832*480"}, "size"),
        ("wan2.7-i2v", {"img_url": ELSEWHERE}, {}, "Field required: input.media"),
        ("wan2.6-i2v", {"img_url": "data:image/png;base64,AAAA"}, {}, "damaged"),
        ("wan2.6-i2v", {"img_url": "iVBORw0K"}, {}, "Unable to download"),
    ],
)
async def test_closer_looks_fail_the_task_seconds_later(client, model, given, parameters, part):
    """The submit is accepted; the failure comes in 1 to 3 seconds, as HTTP 200, and free."""
    answer = await client.submit(model, given=given, **parameters)
    task_id = answer["output"]["task_id"]
    await asyncio.sleep(0.9)
    assert await client.status(task_id) == "PENDING"
    await asyncio.sleep(2.2)
    output = await client.output(task_id)
    assert (client.answer.status, output["task_status"]) == (200, "FAILED")
    assert part in output["message"]
    assert output["code"].startswith("InvalidParameter")
    assert client.sandbox.bill().amount == 0


async def test_a_trailing_slash_is_tolerated(client):
    """An official sample posts with one, and the docs write the list with one."""
    body = {"model": "wan2.6-t2v", "input": {"prompt": "fox"}}
    answer = await client.post(VIDEO + "/", body, **ASYNC)
    assert (await client.get("/tasks/"))["total"] == 1
    assert (await client.output(answer["output"]["task_id"] + "/"))["task_status"] == "PENDING"


async def test_an_unknown_path_answers_flat_json(client):
    """Never an HTML page."""
    answer = await client.get("/nothing")
    assert client.answer.status == 404
    assert answer["code"] == "NotFound"


def message(*images):
    content = [{"text": "a fox"}, *({"image": image} for image in images)]
    return {"messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize(
    ("model", "path", "given", "result"),
    [
        ("wan2.6-t2v", VIDEO, {"prompt": "fox"}, "video_url"),
        ("wan2.7-i2v", VIDEO, {"media": [{"type": "first_frame", "url": ELSEWHERE}]}, "video_url"),
        ("wanx2.1-kf2v-plus", KEYFRAMES, {"first_frame_url": ELSEWHERE}, "video_url"),
        (
            "wan2.2-s2v",
            KEYFRAMES,
            {"image_url": ELSEWHERE, "audio_url": "https://example.com/a.wav"},
            "results",
        ),
        ("wan2.2-t2i-flash", TEXT_TO_IMAGE, {"prompt": "fox"}, "results"),
        ("wan2.5-i2i-preview", IMAGE_TO_IMAGE, {"prompt": "fox", "images": [ELSEWHERE]}, "results"),
        ("wan2.6-t2i", IMAGES, message(), "choices"),
    ],
)
async def test_every_path_makes_tasks_of_its_models(client, model, path, given, result):
    """From the submit to a result whose files are on this machine."""
    answer = await client.submit(model, path, given=given)
    await asyncio.sleep(1000)
    answer = await client.get(f"/tasks/{answer['output']['task_id']}")
    assert answer["output"]["task_status"] == "SUCCEEDED"
    assert "http://127.0.0.1:" in str(answer["output"][result])
    assert answer["usage"]


async def test_every_query_has_a_request_id_of_its_own(client):
    """It differs on each poll, and is in the body alone."""
    task_id = await client.task()
    ids = {(await client.get(f"/tasks/{task_id}"))["request_id"] for _ in range(3)}
    assert len(ids) == 3
    assert "x-request-id" not in client.answer.headers


async def test_times_are_beijing_time_without_an_offset(client):
    """The start of the test's clock, 2026-09-21 14:13:20 UTC, is 22:13:20 there."""
    output = await client.output(await client.task())
    assert re.fullmatch(r"2026-09-21 22:13:20\.\d{3}", output["submit_time"])


async def test_the_list_has_rows_as_documented(client):
    """Status, milliseconds and the submit's request id, but no result."""
    submit = await client.submit("wan2.6-t2v", given={"prompt": "fox"})
    answer = await client.get("/tasks")
    assert {key: answer[key] for key in ("total", "total_page", "page_no", "page_size")} == {
        "total": 1,
        "total_page": 1,
        "page_no": 1,
        "page_size": 10,
    }
    (row,) = answer["data"]
    assert row["task_id"] == submit["output"]["task_id"]
    assert row["request_id"] == submit["request_id"]
    assert row["user_api_unique_key"] == (
        "apikey:v1:aigc:video-generation:video-synthesis:wan2.6-t2v"
    )
    assert isinstance(row["gmt_create"], int)
    assert row["gmt_create"] // 1000 == 1_790_000_000
    assert row.keys().isdisjoint({"start_time", "end_time"})


async def test_the_list_filters_and_pages(client):
    """By model, status, id and time; newest first."""
    ids = []
    for model in ("wan2.6-t2v", "wan2.6-t2v", "wan2.5-t2v-preview"):
        ids.append(await client.task(model))
        await asyncio.sleep(2)
    every = await client.get("/tasks", page_size=2)
    assert [row["task_id"] for row in every["data"]] == [ids[2], ids[1]]
    rest = await client.get("/tasks", page_size=2, page_no=2)
    assert [row["task_id"] for row in rest["data"]] == [ids[0]]
    assert rest["total_page"] == 2
    assert (await client.get("/tasks", model_name="wan2.6-t2v"))["total"] == 2
    assert (await client.get("/tasks", status="SUCCEEDED"))["total"] == 0
    assert (await client.get("/tasks", task_id=ids[1]))["total"] == 1
    window = {"start_time": "20260921221321", "end_time": "20260921221323"}
    inside = await client.get("/tasks", **window)
    assert [row["task_id"] for row in inside["data"]] == [ids[1]]


async def test_the_lists_window_is_a_day(client):
    """Without one it is the last 24 hours; a longer one is refused."""
    await client.task()
    await asyncio.sleep(86_390)
    assert (await client.get("/tasks"))["total"] == 1
    await asyncio.sleep(20)
    assert (await client.get("/tasks"))["total"] == 0
    await client.get("/tasks", start_time="20260921000000", end_time="20260923000000")
    assert client.answer.status == 400


async def test_one_end_of_the_window_gives_the_other(client):
    """The start alone means the day after it, the end alone the day before it."""
    task_id = await client.task()
    await asyncio.sleep(20 * 3600)
    for window in ({"start_time": "20260921221319"}, {"end_time": "20260922100000"}):
        (row,) = (await client.get("/tasks", **window))["data"]
        assert row["task_id"] == task_id
    assert (await client.get("/tasks", start_time="20260922221320"))["total"] == 0


@pytest.mark.parametrize(
    "query",
    [
        {"page_no": "0"},
        {"page_size": "x"},
        {"page_size": "1001"},
        {"page_no": "\u0662"},
        {"status": "DONE"},
        {"start_time": "2026-09-21"},
    ],
)
async def test_a_list_that_is_asked_for_wrongly(client, query):
    """400 InvalidParameter, in words."""
    answer = await client.get("/tasks", **query)
    assert (client.answer.status, answer["code"]) == (400, "InvalidParameter")


async def test_pages_beyond_the_last_are_empty(client):
    """With the same totals."""
    await client.task()
    answer = await client.get("/tasks", page_no=7)
    assert (answer["total"], answer["total_page"], answer["data"]) == (1, 1, [])


async def test_other_accounts_do_not_exist(serving):
    """Their tasks are UNKNOWN with HTTP 200, and are in no list; keys of one account share all."""
    keys = {"sk-a": "one", "sk-b": "one", "sk-c": "two"}
    async with serving(keys=keys, key="sk-a") as client:
        task_id = await client.task()
        client.headers = {"Authorization": "Bearer sk-b"}
        assert await client.status(task_id) == "PENDING"
        client.headers = {"Authorization": "Bearer sk-c"}
        assert await client.output(task_id) == {"task_id": task_id, "task_status": "UNKNOWN"}
        assert client.answer.status == 200
        assert (await client.get("/tasks"))["total"] == 0


async def test_only_a_pending_task_can_be_cancelled(client):
    """Success answers nothing but a request id; later the service refuses."""
    ids = [await client.task(), await client.task()]
    answer = await client.post(f"/tasks/{ids[0]}/cancel")
    assert (client.answer.status, answer.keys()) == (200, {"request_id"})
    await asyncio.sleep(60)
    assert [await client.status(task_id) for task_id in ids] == ["CANCELED", "RUNNING"]
    answer = await client.post(f"/tasks/{ids[1]}/cancel")
    assert (client.answer.status, answer["code"]) == (400, "UnsupportedOperation")
    assert client.sandbox.bill().canceled == 1
