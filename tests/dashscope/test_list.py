"""The task list, and the wish to cancel: what is read of them, and what never is."""

from __future__ import annotations

import json

import pytest
from multidict import CIMultiDict

from batchgen.dashscope.answers import (
    Canceled,
    Limits,
    ListedTask,
    NoAnswer,
    Refused,
    TaskPage,
    TaskStatus,
)
from batchgen.dashscope.client import Service
from batchgen.dashscope.endpoint import Secret, fingerprint
from batchgen.dashscope.lists import read_limits, read_page
from batchgen.dashscope.refusals import RefusalKind
from batchgen.dashscope.wire import read_cancel

NONE = CIMultiDict()
MODEL = "wan2.6-t2v"
KEY = "sk-canary-0123456789"


def page_of(body: bytes | dict, *, status: int = 200, page: int = 1) -> TaskPage | NoAnswer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_page(status, NONE, content, MODEL, page)


@pytest.fixture
def listed(answer) -> dict:
    return json.loads(answer("task_page").body)


def test_a_page_is_read_as_documented(answer):
    """Rows with their model and moment, how many pages there are, and the service's time."""
    date = CIMultiDict({"Date": "Mon, 26 Jan 2026 07:04:09 GMT"})
    found = read_page(200, date, answer("task_page").body, MODEL, 1)
    assert isinstance(found, TaskPage)
    assert (found.total, found.pages, found.service_time) == (12, 6, 1769411049.0)
    first = "000000000062"
    assert found.rows[0] == ListedTask(
        f"a8532587-fa8c-4ef8-82be-{first}",
        MODEL,
        1769411041.019,
        f"35137489-2862-96cf-b6d7-{first}",
        TaskStatus.RUNNING,
    )


def test_an_empty_list_is_one_that_says_so(answer):
    """No rows, and a total of none."""
    assert page_of(answer("task_page_empty").body) == TaskPage((), 0, 0, None)


@pytest.mark.parametrize(
    "damage",
    [
        {"data": None},
        {"data": {}},
        {"data": "[]"},
        {"data": [None]},
        {"data": [{"task_id": "t-1"}]},
        {"data": [{"task_id": "", "gmt_create": 1769411041019}]},
        {"data": [{"task_id": "a b", "gmt_create": 1769411041019}]},
        {"data": [{"task_id": "t-1", "gmt_create": "2026-01-26 15:04:01"}]},
        {"data": [{"task_id": "t-1", "gmt_create": 1769411041}]},
        {"data": [{"task_id": "t-1", "gmt_create": True}]},
        {"total": None},
        {"total": "12"},
        {"total": -1},
        {"total": 1},
        {"total": 1.5},
        {"page_size": 0},
        {"page_size": None},
        {"page_no": 2},
        {"code": "SystemError"},
    ],
    ids=str,
)
def test_whatever_is_odd_about_a_page_makes_it_none(listed, damage):
    """Nothing wrong in a page is read as "no such task": that would buy the job twice."""
    assert isinstance(page_of({**listed, **damage}), NoAnswer)


@pytest.mark.parametrize("key", ["data", "total", "page_size"])
def test_a_page_that_leaves_out_what_it_must_say_is_none(listed, key):
    """A list under another name is no empty list."""
    del listed[key]
    assert isinstance(page_of(listed), NoAnswer)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"[]"),
        (200, b"{}"),
        (200, b"<html>nothing here</html>"),
        (200, b'{"total": 0, "data": ['),
        (204, b""),
        (302, b""),
        (404, b'{"code": "NotFound", "message": "no such path", "request_id": "r"}'),
        (500, b'{"code": "InternalError", "message": "oops", "request_id": "r"}'),
    ],
)
def test_what_is_no_page_tells_nothing(status, body):
    """Not even that it could be empty."""
    assert isinstance(page_of(body, status=status), NoAnswer)


def test_a_page_is_of_the_model_that_was_asked_for(listed):
    """A row that does not name its model, and one that names another."""
    del listed["data"][0]["model_name"]
    listed["data"][1]["model_name"] = "wan2.5-t2v-preview"
    found = page_of(listed)
    assert [row.model for row in found.rows] == [MODEL, "wan2.5-t2v-preview"]


def test_numbers_may_be_written_with_a_point(listed):
    """As in other answers of the service."""
    found = page_of({**listed, "total": 12.0, "page_no": 1.0, "page_size": 2.0})
    assert isinstance(found, TaskPage)
    assert isinstance(found.total, int)


def test_the_last_page_is_told_by_the_rows_as_well(listed):
    """Where the number of pages is left out, or too small for the total, the rows still count."""
    assert page_of({**listed, "total_page": None}).pages == 6
    assert page_of({**listed, "total_page": 1}).pages == 6
    assert page_of({**listed, "total_page": 7}).pages == 7


def test_a_full_page_is_never_the_last(listed):
    """However few it counts: it may have counted itself alone. A page that is not full may be."""
    del listed["total_page"]
    full = {**listed, "data": listed["data"][:2], "page_size": 2, "total": 2}
    assert page_of(full).pages == 2
    assert page_of({**full, "page_no": 7}, page=7).pages == 8
    assert page_of({**full, "data": listed["data"][:1], "total": 1}).pages == 1
    assert page_of({**full, "data": [], "total": 2, "page_no": 2}, page=2).pages == 1


@pytest.mark.parametrize(("hours", "is_read"), [(0, True), (8, False), (-8, True)])
def test_a_page_from_the_future_is_none(answer, listed, hours, is_read):
    """A task that is younger than the page itself: its times are no times of the service's clock,
    so nobody can say which task is whose.
    """
    date = CIMultiDict({"Date": "Mon, 26 Jan 2026 07:04:09 GMT"})
    for row in listed["data"]:
        row["gmt_create"] += hours * 3_600_000
    found = read_page(200, date, json.dumps(listed).encode(), MODEL, 1)
    assert isinstance(found, TaskPage) is is_read


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, RefusalKind.ACCOUNT), (403, RefusalKind.MODEL), (429, RefusalKind.LATER)],
)
def test_a_refused_list_says_why(status, kind):
    """Who asks must know whether the key is refused, or only the list."""
    codes = {401: "InvalidApiKey", 403: "AccessDenied", 429: "Throttling.RateQuota"}
    body = json.dumps({"code": codes[status], "message": "no", "request_id": "r"}).encode()
    found = page_of(body, status=status)
    assert isinstance(found, NoAnswer)
    assert found.kind is kind


def test_a_cancelled_task_is_told_by_an_answer_without_an_error(answer):
    """The service says no more than its request id."""
    found = read_cancel(200, NONE, answer("task_cancel").body)
    assert found == Canceled("35137489-2862-96cf-b6d7-000000000065")


def test_a_task_that_renders_cannot_be_cancelled(answer):
    """The refusal keeps the service's words."""
    refusal = answer("error_not_pending")
    found = read_cancel(refusal.status, refusal.headers, refusal.body)
    assert isinstance(found, Refused)
    assert (found.kind, found.code) == (RefusalKind.FINAL, "UnsupportedOperation")
    wrapped = read_cancel(200, NONE, refusal.body)
    assert isinstance(wrapped, Refused)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>"),
        (502, b"<html>bad gateway</html>"),
        (404, b"<html>nginx</html>"),
    ],
)
def test_a_page_from_the_way_cancels_nothing(status, body):
    """Only the service can say that a task will not be billed."""
    assert isinstance(read_cancel(status, NONE, body), NoAnswer)


async def test_the_list_is_asked_for_by_model_and_page(serve, says, http, answer):
    """Without a window, whose zone nobody documents; the last 24 hours are the default."""
    body = answer("task_page").body.replace(b'"page_no": 1', b'"page_no": 3')
    server = await serve(says(http(body)))
    async with Service(f"{server.url}/api/v1", Secret(KEY)) as service:
        assert isinstance(await service.tasks("wan2.6 t2v", 3), TaskPage)
    line = b"GET /api/v1/tasks?model_name=wan2.6%20t2v&page_no=3&page_size=100 HTTP/1.1\r\n"
    assert server.requests[0].startswith(line)


async def test_the_list_may_be_asked_for_by_status(serve, says, http, answer):
    """What renders is a short list, whatever has ended during the day."""
    server = await serve(says(http(answer("task_page_empty").body)))
    async with Service(f"{server.url}/api/v1", Secret(KEY)) as service:
        assert isinstance(await service.tasks(MODEL, 1, TaskStatus.RUNNING), TaskPage)
    assert b"&page_no=1&page_size=100&status=RUNNING HTTP/1.1\r\n" in server.requests[0]


def test_a_row_whose_status_nobody_knows_says_nothing_of_it(listed):
    """A state that the service adds one day is neither alive nor ended."""
    listed["data"][0]["status"] = "DREAMING"
    del listed["data"][1]["status"]
    assert [row.status for row in page_of(listed).rows] == [None, None]


def limits_of(quotas: object, *, status: int = 200) -> Limits | NoAnswer:
    body = json.dumps({"output": {"quotas": quotas}, "success": True, "request_id": "r"}).encode()
    return read_limits(status, NONE, body, MODEL)


FIVE = {"request_limit": 5, "request_limit_period": 1}
TASKS = {"async_user_queue_limit": 500, "async_user_concurrency_limit": 5}


@pytest.mark.parametrize(
    ("own", "workspace", "told"),
    [
        ({**FIVE, **TASKS}, None, Limits(5.0, 5, 500)),
        ({"request_limit": 120, "request_limit_period": 60}, None, Limits(2.0, None, None)),
        ({**FIVE, **TASKS}, {"request_limit": 60, "request_limit_period": 60}, Limits(1, 5, 500)),
        ({**FIVE, **TASKS}, {"request_limit": 0, "request_limit_period": 60}, Limits(5, 5, 500)),
        ({"request_limit": None, "request_limit_period": 0, **TASKS}, {}, Limits(None, 5, 500)),
    ],
)
def test_limits_are_read_as_the_rate_and_the_tasks_that_are_allowed(own, workspace, told):
    """The lower rate of model and workspace counts; what is not told is not guessed."""
    other = {"model": "wan2.6-i2v", "model_limit": {**FIVE, **TASKS}}
    mine = {"model": MODEL, "model_limit": own, "workspace_limit": workspace}
    assert limits_of([other, mine]) == told


@pytest.mark.parametrize("quotas", [None, [], [{"model": MODEL}], [{"model_limit": FIVE}], "x"])
def test_limits_of_another_model_or_none_are_no_answer(quotas):
    """Then the catalog's hold."""
    assert isinstance(limits_of(quotas), NoAnswer)
    assert isinstance(limits_of([{"model": MODEL, "model_limit": FIVE}], status=404), NoAnswer)


async def test_limits_are_asked_for_by_model(serve, says, http):
    """As documented, with the key."""
    quota = {"model": "wan 9", "model_limit": {**FIVE, **TASKS}}
    body = json.dumps({"output": {"quotas": [quota]}}).encode()
    server = await serve(says(http(body)))
    async with Service(f"{server.url}/api/v1", Secret(KEY)) as service:
        assert await service.limits("wan 9") == Limits(5.0, 5, 500)
    assert server.requests[0].startswith(b"GET /api/v1/models/limits?model=wan%209 HTTP/1.1\r\n")


async def test_the_wish_to_cancel_is_a_post_of_nothing(serve, says, http, answer):
    """As documented, with the id as one part of the path."""
    server = await serve(says(http(answer("task_cancel").body)))
    async with Service(f"{server.url}/api/v1", Secret(KEY)) as service:
        assert isinstance(await service.cancel("t/1"), Canceled)
    assert server.requests[0].startswith(b"POST /api/v1/tasks/t%2F1/cancel HTTP/1.1\r\n")
    assert server.requests[0].endswith(b"\r\n\r\n")


async def test_the_services_clock_is_that_of_its_newest_answer(serve, http, answer):
    """Also of a refusal; but a page of something on the way has a clock of its own."""
    own = {"Content_Type": "application/json"}
    dates = [
        http(answer("task_unknown").body, Date="Mon, 26 Jan 2026 07:04:00 GMT", **own),
        http(answer("submit_accepted").body, Date="Mon, 26 Jan 2026 07:04:09 GMT", **own),
        http(b'{"code": "X"}', "400 Bad", Date="Mon, 26 Jan 2026 07:04:10 GMT", **own),
        http(b"<html>", "502 Bad", Date="Mon, 26 Jan 2099 07:04:00 GMT", Content_Type="text/html"),
    ]

    async def script(writer, number):
        writer.write(dates[number])

    server = await serve(script)
    async with Service(f"{server.url}/api/v1", Secret(KEY)) as service:
        seen = [service.service_time]
        await service.tasks(MODEL, 1)
        seen.append(service.service_time)
        await service.submit("services/x", {"model": MODEL}, {})
        seen.append(service.service_time)
        for _ in range(2):
            await service.submit("services/x", {"model": MODEL}, {})
            seen.append(service.service_time)
    start = 1769411040.0
    assert seen == [None, start, start + 9, start + 10, start + 10]


async def test_the_clock_is_looked_at_with_the_smallest_question(serve, says, http, answer):
    """One row of the list, whatever the answer is: only its date counts."""
    date = {"Date": "Mon, 26 Jan 2026 07:04:00 GMT", "Content_Type": "application/json"}
    server = await serve(says(http(b'{"code": "AccessDenied"}', "403 Forbidden", **date)))
    async with Service(f"{server.url}/api/v1", Secret(KEY)) as service:
        await service.look_at_clock()
        assert service.service_time == 1769411040.0
    (request,) = server.requests
    assert request.startswith(b"GET /api/v1/tasks?page_no=1&page_size=1 HTTP/1.1\r\n")


async def test_a_clock_that_nobody_shows_is_no_obstacle():
    """Nobody there: that is for the first request to say."""
    async with Service("http://127.0.0.1:1/api/v1", Secret(KEY)) as service:
        await service.look_at_clock()
        assert service.service_time is None


REFUSED = b'{"code": "InvalidApiKey", "message": "Invalid API-key provided.", "request_id": "r"}'


class Rotation:
    """A service that takes a new key from now on, and a file that holds one."""

    def __init__(self, http, good: bytes, *keys: str | None) -> None:
        self.http, self.good = http, good
        self.keys = list(keys)
        self.readings = 0

    def renew(self) -> Secret | None:
        self.readings += 1
        key = self.keys.pop(0) if len(self.keys) > 1 else self.keys[0]
        return Secret(key) if key else None

    def script(self, server):
        async def write(writer, number):
            ours = b"Bearer sk-new-0123456789abcdef\r\n" in server().requests[number]
            answer = self.http(self.good) if ours else self.http(REFUSED, "401 Unauthorized")
            writer.write(answer)

        return write


@pytest.mark.fault(126)
@pytest.mark.parametrize("asks", ["submit", "tasks"])
async def test_a_rotated_key_is_read_anew_and_the_request_made_again(serve, http, answer, asks):
    """What was refused with 401 was surely not done, so a POST may be sent again as well."""
    good = answer("submit_accepted" if asks == "submit" else "task_page_empty").body
    rotation = Rotation(http, good, "sk-new-0123456789abcdef")
    servers = []
    servers.append(await serve(rotation.script(lambda: servers[0])))
    old = Secret("sk-old-0123456789abcdef")
    async with Service(f"{servers[0].url}/api/v1", old, renew=rotation.renew) as service:
        for _ in range(2):
            if asks == "submit":
                found = await service.submit("services/x", {"model": MODEL}, {})
            else:
                found = await service.tasks(MODEL, 1)
            assert not isinstance(found, Refused | NoAnswer)
        assert service.endpoint == fingerprint(servers[0].url, Secret("sk-new-0123456789abcdef"))
    assert rotation.readings == 1, "a key that works is kept"
    assert len(servers[0].requests) == 3


@pytest.mark.fault(126)
@pytest.mark.parametrize("found", ["sk-old-0123456789abcdef", "sk-bad-0123456789abcdef", None])
async def test_a_key_that_stays_refused_is_told_at_once(serve, http, answer, found):
    """The same key is not sent again, another bad one only once."""
    rotation = Rotation(http, answer("submit_accepted").body, found)
    servers = []
    servers.append(await serve(rotation.script(lambda: servers[0])))
    old = Secret("sk-old-0123456789abcdef")
    async with Service(f"{servers[0].url}/api/v1", old, renew=rotation.renew) as service:
        refused = await service.submit("services/x", {"model": MODEL}, {})
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.ACCOUNT
    assert len(servers[0].requests) == (2 if found and "bad" in found else 1)
