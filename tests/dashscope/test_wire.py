from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from batchgen.catalog import ResultShape
from batchgen.dashscope.answers import (
    Accepted,
    Ambiguous,
    Checked,
    NoAnswer,
    Refused,
    ResultError,
    ResultUrl,
    Task,
    TaskStatus,
    UploadPolicy,
)
from batchgen.dashscope.documents import BODY_LIMIT
from batchgen.dashscope.endpoint import Secret
from batchgen.dashscope.refusals import RefusalKind
from batchgen.dashscope.times import read_retry_after
from batchgen.dashscope.wire import (
    headers,
    read_answer,
    read_check,
    read_policy,
    read_stream,
    read_submit,
    read_task,
)

NONE = CIMultiDict()
VIDEO, LIST, CHOICES = ResultShape.VIDEO_URL, ResultShape.RESULTS, ResultShape.CHOICES
OBJECT = ResultShape.RESULTS_VIDEO_URL

FAMILIES = [
    ("wan3.0-video", VIDEO, 1),
    ("wan2.7-t2v", VIDEO, 1),
    ("wan2.7-i2v", VIDEO, 1),
    ("wan2.7-videoedit", VIDEO, 1),
    ("wan2.6-t2v", VIDEO, 1),
    ("wan2.6-i2v", VIDEO, 1),
    ("wan2.6-i2v-flash", VIDEO, 1),
    ("wan2.6-r2v", VIDEO, 1),
    ("wan2.5-t2v-preview", VIDEO, 1),
    ("wan2.2-i2v-plus", VIDEO, 1),
    ("wan2.1-t2v-turbo", VIDEO, 1),
    ("wan2.2-kf2v-flash", VIDEO, 1),
    ("wan2.2-s2v", OBJECT, 1),
    ("wan2.2-animate-mix", OBJECT, 1),
    ("wan2.6-t2i", CHOICES, 2),
    ("wan2.7-image-sequential", CHOICES, 3),
    ("wan2.6-image-interleave", CHOICES, 2),
    ("wan2.5-t2i-preview", LIST, 2),
    ("wanx2.1-imageedit", LIST, 1),
    ("wan2.7-r2v", VIDEO, 1),
    ("wan2.1-kf2v-plus", VIDEO, 1),
    ("wan2.1-vace-plus", VIDEO, 1),
    ("wan2.2-animate-move", OBJECT, 1),
    ("wan2.6-image", CHOICES, 1),
    ("wan2.7-image", CHOICES, 2),
    ("wan2.5-i2i-preview", LIST, 1),
    ("wan2.2-t2i-flash", LIST, 1),
]


def polled(answer, case, shape=VIDEO):
    sample = answer(case)
    return read_task(sample.status, sample.headers, sample.body, shape)


def test_headers_of_a_post_carry_key_workspace_and_the_models_own():
    """A submit is authorised, names its workspace, and asks for a task."""
    built = headers(
        Secret("sk-canary"), workspace="ws-1", model_headers={"X-DashScope-Async": "enable"}
    )

    assert built["Authorization"] == "Bearer sk-canary"
    assert built["X-DashScope-WorkSpace"] == "ws-1"
    assert built["X-DashScope-Async"] == "enable"


def test_headers_of_a_poll_have_no_async_header():
    """A poll does not carry the header for which the service refuses polls."""
    assert set(headers(Secret("sk-canary"))) == {"Accept", "Accept-Encoding", "Authorization"}


def test_a_models_headers_cannot_replace_the_key():
    """Catalog data has no say in who we are."""
    built = headers(Secret("sk-canary"), model_headers={"Authorization": "Bearer other"})

    assert built["Authorization"] == "Bearer sk-canary"


def test_an_accepted_submit_gives_its_task(answer):
    """The task id and the request id are read from a good answer."""
    sample = answer("submit_accepted")

    assert read_submit(sample.status, sample.headers, sample.body) == Accepted(
        "a8532587-fa8c-4ef8-82be-000000000001",
        "35137489-2862-96cf-b6d7-000000000001",
    )


def test_a_task_id_beats_an_error_code():
    """An answer that names a task is taken as one, whatever else it says: it may be billed."""
    body = b'{"code":"InternalError","output":{"task_id":"t-1","task_status":"PENDING"}}'

    assert read_submit(500, NONE, body) == Accepted("t-1", None)


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("error_invalid_parameter", RefusalKind.FINAL),
        ("error_data_inspection_failed", RefusalKind.FINAL),
        ("error_input_timed_out", RefusalKind.INPUT),
        ("error_arrearage", RefusalKind.ACCOUNT),
        ("error_invalid_api_key", RefusalKind.ACCOUNT),
        ("error_synchronous", RefusalKind.MODEL),
        ("error_unpurchased", RefusalKind.MODEL),
        ("error_free_tier_only", RefusalKind.ACCOUNT),
        ("error_model_not_found", RefusalKind.FINAL),
        ("error_rate_quota", RefusalKind.LATER),
        ("error_allocation_quota", RefusalKind.LATER),
        ("error_bill_overdue", RefusalKind.ACCOUNT),
        ("error_throttled_503", RefusalKind.LATER),
        ("error_code_in_200", RefusalKind.FINAL),
    ],
)
def test_documented_errors_are_refusals_with_the_services_words(answer, case, kind):
    """Each documented error is a sure refusal that says whom it stops, in the service's words."""
    sample = answer(case)
    refused = read_submit(sample.status, sample.headers, sample.body)
    words = json.loads(sample.body)

    assert refused == Refused(
        kind, sample.status, words["code"], words["message"], words["request_id"], None
    )


def test_an_html_page_with_4xx_is_a_refusal_that_quotes_the_page():
    """A firewall's page is no task either; its words are all a person gets to see."""
    refused = read_submit(404, NONE, b"<h1>No such\x1b[2J application</h1>")

    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.ACCOUNT
    assert refused.message == "HTTP 404: <h1>No such [2J application</h1>"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b"", "HTTP 200 with an answer that is not the service's JSON"),
        (200, b"<html>", "HTTP 200 with an answer that is not the service's JSON"),
        (200, b'{"output":{"task_id":"a', "HTTP 200 with an answer that is not the service's JSON"),
        (200, b'{"output":{"task_id":NaN}}', "HTTP 200 with an answer that is not the"),
        (200, b'["t-1"]', "HTTP 200 with an answer that is not the service's JSON"),
        (200, b"[" * 1000, "HTTP 200 with an answer that is not the service's JSON"),
        (200, b"\xff\xfe", "HTTP 200 with an answer that is not the service's JSON"),
        (200, b"{}", "HTTP 200 without a task id"),
        (200, b'{"output":{"task_id":""}}', "HTTP 200 without a task id"),
        (200, b'{"output":{"task_id":7}}', "HTTP 200 without a task id"),
        (200, b'{"code":"SomethingNew","message":"?"}', "HTTP 200 with the code SomethingNew"),
        (200, b'{"code":"InternalError"}', "HTTP 200 with the code InternalError"),
        (500, b'{"code":"InternalError"}', "HTTP 500 with the code InternalError"),
        (500, b'{"code":"InvalidParameter"}', "HTTP 500 with the code InvalidParameter"),
        (502, b"<html>Bad Gateway</html>", "HTTP 502 with an answer that is not the service's"),
        (503, b'{"code":"ModelUnavailable"}', "HTTP 503 with the code ModelUnavailable"),
        (504, b"", "HTTP 504 with an answer that is not the service's JSON"),
    ],
)
def test_what_may_hide_a_task_is_ambiguous(status, body, reason):
    """Nothing that leaves room for a billed task is taken as a refusal."""
    answer = read_submit(status, NONE, body)

    assert isinstance(answer, Ambiguous)
    assert answer.reason.startswith(reason)


def test_an_endless_answer_is_ambiguous():
    """An answer beyond the limit is not read as whole even if its start would parse."""
    body = b'{"output":{"task_id":"t-1"}}' + b" " * BODY_LIMIT

    assert isinstance(read_submit(200, NONE, body), Ambiguous)


def test_a_redirected_submit_is_ambiguous_and_names_the_host_alone():
    """A redirection is not followed, and its target's path and query stay out of the words."""
    location = CIMultiDict(Location="https://user:pw@elsewhere.example/p?token=canary")

    assert read_submit(307, location, b"") == Ambiguous(
        "HTTP 307 points to elsewhere.example and was not followed", ""
    )


@pytest.mark.parametrize("location", ["", "https://[", "/elsewhere"])
def test_an_unreadable_redirection_is_ambiguous_too(location):
    """A Location that names no host does not break the reading."""
    answer = read_submit(302, CIMultiDict(Location=location), b"")

    assert answer == Ambiguous("HTTP 302 points to another place and was not followed", "")


def test_evidence_is_short_and_has_no_controls():
    """What is kept of a garbled answer is at most 500 characters that are safe to show."""
    answer = read_submit(200, NONE, b"\x1b]0;owned\x07" + b"x" * 9000)

    assert isinstance(answer, Ambiguous)
    assert len(answer.evidence) == 500
    assert answer.evidence.startswith("]0;owned xxx")


@given(status=st.integers(100, 599), body=st.binary(max_size=200))
def test_no_bytes_can_break_the_reading(status, body):
    """Whatever arrives, the result is one of the three ends, and garbage never makes a task."""
    assert not isinstance(read_submit(status, NONE, body), Accepted)
    assert isinstance(read_task(status, NONE, body, VIDEO), NoAnswer)


ODD = [None, True, 0, 1.5, "", "x", [], {}]


@pytest.mark.parametrize("shape", ResultShape)
@pytest.mark.parametrize("odd", [*ODD, *([value] for value in ODD)], ids=repr)
def test_values_of_the_wrong_type_are_passed_over(shape, odd):
    """Whatever stands in any documented place, reading it does not break, and gives no URL."""
    nested = {"image": odd, "text": odd, "url": odd, "video_url": odd}
    for output in (
        dict.fromkeys(("results", "choices", "video_url", "submit_time", "task_id"), odd),
        {"results": nested, "choices": [{"message": odd}, {"message": {"content": odd}}]},
        {"results": [odd, {"code": odd}], "choices": [{"message": {"content": [odd, {}]}}]},
    ):
        document = {"output": {"task_status": "SUCCEEDED", **output}, "usage": odd}
        task = read_task(200, NONE, json.dumps(document).encode(), shape)

        assert isinstance(task, Task)
        assert all(result.url == "x" for result in task.results if isinstance(result, ResultUrl))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("100000000000", 1e11),
        ("Mon, 26 Jan 2026 07:05:00 GMT", 60.0),
        ("Mon, 26 Jan 2026 07:00:00 GMT", 0.0),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("inf", None),
        ("nan", None),
        ("1_0", None),
        ("9" * 400, None),
        ("Mon, 99 Jan 2026 07:05:00 GMT", None),
    ],
)
def test_retry_after_in_every_spelling(value, seconds):
    """Seconds and dates are understood, the past is now, rubbish is left to our own back-off."""
    sent = CIMultiDict({"Retry-After": value, "Date": "Mon, 26 Jan 2026 07:04:00 GMT"})

    assert read_retry_after(sent) == seconds


def test_a_retry_date_without_the_services_clock_is_not_guessed():
    """A date alone says nothing where our clock may be wrong."""
    assert read_retry_after(CIMultiDict({"Retry-After": "Mon, 26 Jan 2026 07:05:00 GMT"})) is None


def test_a_throttled_submit_says_when_to_come_back():
    """The service's own wait reaches whoever paces the submits."""
    refused = read_submit(429, CIMultiDict({"retry-after": "12"}), b'{"code":"Throttling"}')

    assert isinstance(refused, Refused)
    assert (refused.kind, refused.retry_after) == (RefusalKind.LATER, 12.0)


@pytest.mark.parametrize(
    ("case", "status"),
    [
        ("task_pending", TaskStatus.PENDING),
        ("task_running", TaskStatus.RUNNING),
        ("task_running_images", TaskStatus.RUNNING),
        ("task_failed", TaskStatus.FAILED),
        ("task_failed_without_times", TaskStatus.FAILED),
        ("task_failed_images", TaskStatus.FAILED),
        ("task_canceled", TaskStatus.CANCELED),
        ("task_unknown", TaskStatus.UNKNOWN),
        ("task_suspended", TaskStatus.SUSPENDED),
    ],
)
def test_every_documented_state_is_read(answer, case, status):
    """Each state has its name, and no results before there are any."""
    task = polled(answer, case)

    assert isinstance(task, Task)
    assert (task.status, task.results, task.usage) == (status, (), None)


def test_the_times_of_a_task_are_read_as_utc_plus_8(answer):
    """Times without a zone are the service's, not this machine's."""
    task = polled(answer, "task_failed")

    assert task.submit_time == pytest.approx(
        datetime(2026, 1, 26, 7, 4, 1, 19000, tzinfo=UTC).timestamp()
    )
    assert task.end_time == pytest.approx(
        datetime(2026, 1, 26, 7, 9, 21, 410000, tzinfo=UTC).timestamp()
    )


def test_a_failed_task_says_why(answer):
    """The code and the message of a failure are the service's own."""
    task = polled(answer, "task_failed")

    assert (task.code, task.message) == (
        "DataInspectionFailed",
        "Output data may contain inappropriate content.",
    )


def test_a_failure_without_times_is_still_a_failure(answer):
    """Some failures carry no times at all."""
    assert polled(answer, "task_failed_without_times").end_time is None


@pytest.mark.parametrize(("case", "shape", "count"), FAMILIES)
def test_every_family_gives_its_results_and_usage(answer, case, shape, count):
    """Each documented answer yields all its results, and its usage untouched."""
    task = polled(answer, case, shape)

    assert task.status is TaskStatus.SUCCEEDED
    assert len(task.results) == count
    assert task.usage == json.loads(answer(case).body)["usage"]


def test_numbers_are_kept_as_received(answer):
    """An integer stays one and so does a float, as the sidecar shows them."""
    usage = polled(answer, "wan3.0-video").usage

    assert [
        (key, usage[key], type(usage[key])) for key in ("duration", "input_video_duration")
    ] == [
        ("duration", 10.0, float),
        ("input_video_duration", 0, int),
    ]


def test_a_partial_failure_keeps_its_place(answer):
    """The second of two images failed: the first is fetched, the second tells why."""
    first, second = polled(answer, "wan2.5-t2i-preview", LIST).results

    assert isinstance(first, ResultUrl)
    assert second == ResultError(
        "DataInspectionFailed", "Output data may contain inappropriate content."
    )


def test_interleaved_answers_give_text_and_images_in_order(answer):
    """The words between the pictures are kept."""
    task = polled(answer, "wan2.6-image-interleave", CHOICES)

    assert task.texts == ("First, fold the paper in half.", "Then turn it over.")
    assert [result.path[-6:] for result in task.results] == ["-1.png", "-2.png"]


@pytest.mark.parametrize("case", ["wan2.5-t2v-preview", "wan2.5-t2i-preview"])
def test_prompts_are_read_from_videos_and_images_alike(answer, case):
    """Original and rewritten prompt are found wherever the family puts them."""
    task = polled(answer, case)

    assert task.orig_prompt == "A lighthouse keeper climbs a spiral stair at dusk."
    assert task.actual_prompt == "In warm dusk light, " + task.orig_prompt


@pytest.mark.parametrize(("case", "shape", "count"), FAMILIES)
def test_a_result_in_an_unexpected_place_is_still_found(answer, case, shape, count):
    """A wrong shape in the catalog does not lose what was paid for."""
    for other in ResultShape:
        assert len(polled(answer, case, other).results) == count


def test_a_result_url_knows_its_end_and_hides_its_signature(answer):
    """Whoever prints a result sees the address and the deadline, never the signature."""
    result = polled(answer, "wan2.6-t2v").results[0]
    end = polled(answer, "wan2.6-t2v").end_time

    assert 86_390 < result.expires - end < 86_400
    assert result.path.endswith(".mp4")
    assert "Signature" in result.url
    assert "Signature" not in repr(result) + str(result) + repr([result]) + result.path


@pytest.mark.parametrize(
    ("url", "path", "expires"),
    [
        ("https://h/a.mp4", "https://h/a.mp4", None),
        ("https://h/a.mp4?Expires=99#x", "https://h/a.mp4", 99.0),
        ("https://h/a.mp4?a=1&Expires=99&b=2", "https://h/a.mp4", 99.0),
        ("https://h/a.mp4?NotExpires=99", "https://h/a.mp4", None),
        ("https://h/a.mp4?Expires=soon", "https://h/a.mp4", None),
        ("https://user:pw@h/a.mp4?x=@", "https://h/a.mp4", None),
        ("not a url", "not a url", None),
    ],
)
def test_result_urls_of_any_form(url, path, expires):
    """The recordable part and the end are found without trusting the URL to be one."""
    assert (ResultUrl(url).path, ResultUrl(url).expires) == (path, expires)


def test_an_unknown_status_keeps_the_polling_going():
    """A state that nobody has documented is neither an end nor a crash."""
    body = b'{"output":{"task_id":"t-1","task_status":"THINKING"}}'

    assert read_task(200, NONE, body, VIDEO) == NoAnswer(
        "HTTP 200 with the unknown task status THINKING", heard=True
    )


@pytest.mark.parametrize(
    ("case", "kind", "throttled"),
    [
        ("error_rate_quota", RefusalKind.LATER, True),
        ("error_throttled_503", RefusalKind.LATER, True),
        ("error_invalid_api_key", RefusalKind.ACCOUNT, False),
        ("error_internal", None, False),
        ("error_code_in_200", RefusalKind.FINAL, False),
    ],
)
def test_a_refused_poll_says_nothing_about_the_task(answer, case, kind, throttled):
    """An error on a poll is told apart from the task's own failure."""
    no_answer = polled(answer, case)

    assert isinstance(no_answer, NoAnswer)
    assert (no_answer.kind, no_answer.throttled) == (kind, throttled)
    assert json.loads(answer(case).body)["message"] in no_answer.reason


def test_infinite_usage_is_refused():
    """A number that JSON cannot hold never reaches a sidecar."""
    body = b'{"output":{"task_id":"t","task_status":"SUCCEEDED"},"usage":{"duration":1e999}}'

    assert isinstance(read_task(200, NONE, body, VIDEO), NoAnswer)


def test_a_poll_that_is_redirected_names_the_host():
    """A redirected poll is not followed, and tells where it would have led."""
    no_answer = read_task(302, CIMultiDict(Location="https://login.example/?k=1"), b"", VIDEO)

    assert no_answer == NoAnswer("HTTP 302 points to login.example and was not followed")


# -- answers that are the result itself ----------------------------------------------------------


def told(answer, case):
    sample = answer(case)
    return sample.status, sample.headers, sample.body


def test_a_synchronous_answer_is_a_finished_task_without_an_id(answer):
    """Results, usage and request id stand where a finished task has them."""
    task = read_answer(*told(answer, "wan2.6-t2i-sync"), CHOICES)

    assert isinstance(task, Task)
    assert (task.status, task.task_id, len(task.results)) == (TaskStatus.SUCCEEDED, None, 2)
    assert task.usage["image_count"] == 2
    assert task.request_id == "35137489-2862-96cf-b6d7-000000000020"


def test_a_stream_is_read_to_its_end(answer):
    """Pictures in order, words put together, the usage of the last event."""
    task = read_stream(*told(answer, "wan2.6-image-stream"), CHOICES, whole=True)

    assert isinstance(task, Task)
    assert task.texts == ("First, fold the paper.", "Then turn it over.")
    assert [result.path[-5] for result in task.results] == ["2", "3"]
    assert task.usage["image_count"] == 2


def test_a_stream_that_broke_off_keeps_its_pictures_and_says_so(answer):
    """What had come by then can never be had again."""
    status, head, body = told(answer, "wan2.6-image-stream")
    task = read_stream(status, head, body[: len(body) * 3 // 4], CHOICES, whole=False)

    assert isinstance(task, Task)
    assert isinstance(task.results[0], ResultUrl)
    assert task.results[-1] == ResultError("Incomplete", "the answer broke off before its end")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"", Ambiguous),
        (200, b'{"output":{"choices":[]},"usage":{}}', Ambiguous),
        (500, b'{"code":"InternalError","message":"oops"}', Ambiguous),
        (504, b"<html>", Ambiguous),
        (400, b'{"code":"DataInspectionFailed","message":"no"}', Refused),
        (429, b'{"code":"Throttling.RateQuota","message":"later"}', Refused),
        (200, b'{"output":{"task_id":"t-1","task_status":"PENDING"}}', Accepted),
    ],
)
def test_an_answer_without_a_result_is_judged_like_any_submit(status, body, kind):
    """Only an answered refusal is sure; and a task, though not asked for, is money."""
    assert isinstance(read_answer(status, NONE, body, CHOICES), kind)
    assert isinstance(read_stream(status, NONE, body, CHOICES, whole=True), kind)


def test_a_check_says_whether_an_input_is_good(answer):
    """Both answers are answers; why not is in the service's words."""
    assert read_check(*told(answer, "wan2.2-s2v-detect")).passed
    assert read_check(*told(answer, "wan2.2-s2v-detect_failed")) == Checked(
        passed=False, code="InvalidImage.NoHumanFace", message="No human face detected."
    )


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"{}", Ambiguous),
        (200, b'{"output":{"check_pass":"yes"}}', Ambiguous),
        (200, b'{"output":{"task_id":"t-1"}}', Ambiguous),
        (502, b"<html>", Ambiguous),
        (401, b'{"code":"InvalidApiKey","message":"no"}', Refused),
    ],
)
def test_a_check_without_an_answer_says_nothing_of_the_input(status, body, kind):
    """What cannot be read neither passes nor fails."""
    assert isinstance(read_check(status, NONE, body), kind)


def test_a_policy_gives_the_fields_of_the_form(answer):
    """Under the names that the storage knows, with the limit in bytes."""
    policy = read_policy(*told(answer, "upload_policy"))

    assert isinstance(policy, UploadPolicy)
    assert policy.host == "https://dashscope-file-mgr.oss-cn-beijing.aliyuncs.com"
    assert policy.max_bytes == 100 * 2**20
    assert policy.fields == {
        "OSSAccessKeyId": "SAMPLE-KEY-ID",
        "Signature": "c2FtcGxlK3NpZ25hdHVyZQ==",
        "policy": "eyJleHBpcmF0aW9uIjoiMjAyNiJ9",
        "x-oss-object-acl": "private",
        "x-oss-forbid-overwrite": "true",
    }


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"upload_host": None}, NoAnswer),
        ({"upload_dir": ""}, NoAnswer),
        ({"signature": 'a"\r\nX-Evil: 1'}, NoAnswer),
        ({"upload_dir": "a\nb"}, NoAnswer),
        ({"max_file_size_mb": None}, UploadPolicy),
        ({"max_file_size_mb": "many"}, UploadPolicy),
        ({"max_file_size_mb": 1.5}, UploadPolicy),
    ],
)
def test_a_policy_that_is_none_or_would_break_the_form_is_not_used(answer, change, kind):
    """A value with a line end in it would be a field of its own."""
    status, head, body = told(answer, "upload_policy")
    document = json.loads(body)
    document["data"] |= change

    assert isinstance(read_policy(status, head, json.dumps(document).encode()), kind)


def test_a_refused_policy_is_a_refusal():
    """The code decides whom it stops, as for a submit."""
    refused = read_policy(403, NONE, b'{"code":"AccessDenied.Unpurchased","message":"no"}')
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.MODEL
    assert isinstance(read_policy(502, NONE, b"<html>"), NoAnswer)
