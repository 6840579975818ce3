"""The service's language: bytes of an answer in, values out. No network, no clock.

Rules:

- A POST may be sent again only where the service *surely* did not take it (``Refused``). Whatever
  leaves room for a task that we do not know of is ``Ambiguous``: a task may exist and may be
  billed. So a 5xx is a refusal only if it is the service's own JSON with a throttling code, and a
  200 only if it carries a code that is known to refuse; every answered 4xx is one.
- The same holds for a POST whose answer is the result itself, except that nobody can ask later:
  what of it has come is taken, and only an answer without any result is ``Ambiguous``.
- A poll has no such danger. Whatever it cannot read is ``NoAnswer``: ask again.
- A task id, wherever it comes, beats everything else in the answer: it is money.
- Documented shapes are read exactly, absent keys are tolerated, unknown ones ignored, numbers kept
  as received (``10`` and ``10.0`` both occur).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from batchgen.catalog import ResultShape
from batchgen.dashscope.answers import (
    Accepted,
    Ambiguous,
    Canceled,
    Checked,
    NoAnswer,
    Refused,
    ResultError,
    ResultUrl,
    Task,
    TaskStatus,
    UploadPolicy,
)
from batchgen.dashscope.documents import (
    document,
    excerpt,
    items_at,
    mapping_at,
    public,
    text_at,
    words_at,
)
from batchgen.dashscope.endpoint import Secret
from batchgen.dashscope.events import gather
from batchgen.dashscope.refusals import RefusalKind, is_throttling, kind_of
from batchgen.dashscope.results import parts_in, results_in
from batchgen.dashscope.times import (
    read_retry_after,
    service_time_at,
)

_REDIRECTIONS = range(300, 400)
_SAID_BY_STATUS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}
TASK_ID = re.compile(r"[\w.:-]{1,200}", re.ASCII)
_PLAIN = re.compile(r"[^\x00-\x1f\x7f\"]*")
"""What may stand in a form without changing its shape."""
_FORM = {
    "OSSAccessKeyId": "oss_access_key_id",
    "Signature": "signature",
    "policy": "policy",
    "x-oss-object-acl": "x_oss_object_acl",
    "x-oss-forbid-overwrite": "x_oss_forbid_overwrite",
}
"""Fields of the upload form, by what the policy calls them."""
STATES = {state.value: state for state in TaskStatus}


def headers(
    key: Secret, *, workspace: str | None = None, model_headers: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The headers of one request. A poll has no ``model_headers``: the service refuses some of
    them (``X-DashScope-Async: enable``) on a GET.
    """
    named = {"X-DashScope-WorkSpace": workspace} if workspace else {}
    return {
        "Accept": "application/json",
        # Answers are capped while they are read, which holds only for what is not compressed.
        "Accept-Encoding": "identity",
        **(model_headers or {}),
        **named,
        "Authorization": f"Bearer {key.reveal()}",
    }


def read_submit(
    status: int, headers: Mapping[str, str], body: bytes
) -> Accepted | Refused | Ambiguous:
    """The answer to a POST that may have made a task. ``headers`` ignore case, as aiohttp's do."""
    return _read_submit(status, headers, body, document(body))


def _read_submit(
    status: int, headers: Mapping[str, str], body: bytes, answer: Mapping[str, Any] | None
) -> Accepted | Refused | Ambiguous:
    output = mapping_at(answer, "output")
    if (task_id := text_at(output, "task_id")) and TASK_ID.fullmatch(task_id):
        return Accepted(task_id, _request_id(headers, answer))
    code, message = words_at(answer, "code") or "", words_at(answer, "message") or ""
    if kind := _refusal(status, answer, code, message):
        return _refused(kind, status, headers, body, answer)
    return Ambiguous(_why_ambiguous(status, headers, answer), excerpt(body))


def _refused(
    kind: RefusalKind,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    answer: Mapping[str, Any] | None,
) -> Refused:
    code, message = words_at(answer, "code") or "", words_at(answer, "message")
    message = message or f"HTTP {status}: {excerpt(body) or 'no explanation'}"
    hint = read_retry_after(headers)
    return Refused(kind, status, code, message, _request_id(headers, answer), hint)


def _request_id(headers: Mapping[str, str], answer: Mapping[str, Any] | None) -> str | None:
    return text_at(answer, "request_id") or headers.get("x-request-id")


def _refusal(
    status: int, answer: Mapping[str, Any] | None, code: str, message: str
) -> RefusalKind | None:
    """The kind of a sure refusal; None where a task may exist all the same."""
    match status // 100:
        case 4:
            return kind_of(status, code, message)
        case 2 if not mapping_at(answer, "output"):
            return kind_of(None, code, message)
        case 5 if is_throttling(code):
            return kind_of(None, code, message)
    return None


def _why_ambiguous(
    status: int, headers: Mapping[str, str], answer: Mapping[str, Any] | None
) -> str:
    if status in _REDIRECTIONS:
        return _redirection(status, headers)
    if answer is None:
        return f"HTTP {status} with an answer that is not the service's JSON"
    if code := text_at(answer, "code"):
        return f"HTTP {status} with the code {excerpt(code.encode())}"
    return f"HTTP {status} without a task id"


def _redirection(status: int, headers: Mapping[str, str]) -> str:
    """Names the host alone: the rest of a target may hold secrets."""
    try:
        host = urlsplit(headers.get("Location", "")).hostname
    except ValueError:
        host = None
    return f"HTTP {status} points to {host or 'another place'} and was not followed"


def read_answer(
    status: int, headers: Mapping[str, str], body: bytes, shape: ResultShape
) -> Task | Accepted | Refused | Ambiguous:
    """The answer to a POST that brings the result itself, or, against expectation, a task."""
    return _read_answer(status, headers, body, document(body), shape)


def read_stream(
    status: int, headers: Mapping[str, str], body: bytes, shape: ResultShape, *, whole: bool
) -> Task | Accepted | Refused | Ambiguous:
    """The same as server-sent events. Not ``whole``: the connection broke, and what has come by
    then can never be had again, so its results count and the rest is a ``ResultError``.
    """
    stream = gather(body)
    answer = _read_answer(status, headers, body, stream.document, shape)
    if not isinstance(answer, Task) or (whole and stream.error is None):
        return answer
    error = stream.error or ResultError("Incomplete", "the answer broke off before its end")
    return replace(answer, results=(*answer.results, error))


def _read_answer(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    answer: Mapping[str, Any] | None,
    shape: ResultShape,
) -> Task | Accepted | Refused | Ambiguous:
    output = mapping_at(answer, "output")
    results = results_in(output, shape) if output else ()
    if any(isinstance(result, ResultUrl) for result in results):
        return replace(_task(answer, TaskStatus.SUCCEEDED, shape), task_id=None, results=results)
    errors = [result for result in results if isinstance(result, ResultError)]
    if errors and all(error.code for error in errors):  # each was not made, and is not billed
        code, message = errors[0].code, errors[0].message or "nothing was made"
        request_id = _request_id(headers, answer)
        return Refused(RefusalKind.FINAL, status, code, message, request_id, None)
    return _read_submit(status, headers, body, answer)


def read_check(
    status: int, headers: Mapping[str, str], body: bytes
) -> Checked | Refused | Ambiguous:
    """The answer to the check of an input (Wan2.2-S2V image detection API reference, 2026-05)."""
    answer = document(body)
    output = mapping_at(answer, "output")
    passed = (output or {}).get("check_pass")
    if status == HTTPStatus.OK and isinstance(passed, bool):
        code, message = words_at(output, "code"), words_at(output, "message")
        return Checked(passed, code or "CheckFailed", message or "the check was not passed")
    read = _read_submit(status, headers, body, answer)
    return Ambiguous("a check was answered with a task", "") if isinstance(read, Accepted) else read


def read_policy(
    status: int, headers: Mapping[str, str], body: bytes
) -> UploadPolicy | Refused | NoAnswer:
    """The leave to upload a file (Get a temporary file URL, 2026-05-30)."""
    answer = document(body)
    data = mapping_at(answer, "data")
    fields = {name: text_at(data, key) or "" for name, key in _FORM.items()}
    host, directory = text_at(data, "upload_host"), text_at(data, "upload_dir")
    plain = all(map(_PLAIN.fullmatch, (host or "", directory or "", *fields.values())))
    if status == HTTPStatus.OK and plain and host and directory:
        megabytes = (data or {}).get("max_file_size_mb")
        limit = int(megabytes * 2**20) if isinstance(megabytes, int | float) else None
        return UploadPolicy(host, directory, fields, limit)
    code, message = words_at(answer, "code") or "", words_at(answer, "message") or ""
    if kind := _refusal(status, answer, code, message):
        return _refused(kind, status, headers, body, answer)
    return no_answer(status, headers, body)


def read_task(
    status: int, headers: Mapping[str, str], body: bytes, shape: ResultShape
) -> Task | NoAnswer:
    """The answer to a question about one task, whose results stand where ``shape`` says."""
    answer = document(body)
    output = mapping_at(answer, "output")
    state = STATES.get(text_at(output, "task_status") or "")
    if status != HTTPStatus.OK or not output or not state:
        return no_answer(status, headers, body)
    return _task(answer, state, shape)


def _task(answer: Mapping[str, Any] | None, state: TaskStatus, shape: ResultShape) -> Task:
    output = mapping_at(answer, "output") or {}
    first = next(iter(items_at(output, "results")), {})
    return Task(
        status=state,
        task_id=text_at(output, "task_id"),
        request_id=text_at(answer, "request_id"),
        submit_time=service_time_at(output, "submit_time"),
        scheduled_time=service_time_at(output, "scheduled_time"),
        end_time=service_time_at(output, "end_time"),
        code=words_at(output, "code"),
        message=words_at(output, "message"),
        results=results_in(output, shape),
        texts=tuple(part["text"] for part in parts_in(output) if text_at(part, "text")),
        orig_prompt=text_at(output, "orig_prompt") or text_at(first, "orig_prompt"),
        actual_prompt=text_at(output, "actual_prompt") or text_at(first, "actual_prompt"),
        usage=public(mapping_at(answer, "usage")),
    )


def read_cancel(
    status: int, headers: Mapping[str, str], body: bytes
) -> Canceled | Refused | NoAnswer:
    """The answer to the wish to cancel a task; only one that is PENDING can be."""
    answer = document(body)
    code, message = words_at(answer, "code") or "", words_at(answer, "message") or ""
    if status == HTTPStatus.OK and answer is not None and not code:
        return Canceled(_request_id(headers, answer))
    told = answer is not None and bool(code)
    if told and (kind := _refusal(status, answer, code, message)):
        return _refused(kind, status, headers, body, answer)
    return no_answer(status, headers, body)


def no_answer(status: int, headers: Mapping[str, str], body: bytes) -> NoAnswer:
    """What cannot be read as an answer to the question that was asked."""
    answer = document(body)
    code, message = words_at(answer, "code") or "", words_at(answer, "message") or ""
    if status in _REDIRECTIONS:
        reason = _redirection(status, headers)
    elif state := text_at(mapping_at(answer, "output"), "task_status"):
        reason = f"HTTP {status} with the unknown task status {excerpt(state.encode())}"
    else:
        words = f"{code} {message}".strip().encode() or body
        reason = f"HTTP {status}: {excerpt(words) or 'no explanation'}"
    # What is not the service's own JSON comes from something on the way: no reason to give up.
    told = bool(code) or status in _SAID_BY_STATUS
    kind = _refusal(status, answer, code, message) if told else None
    return NoAnswer(reason, read_retry_after(headers), kind, heard=answer is not None)
