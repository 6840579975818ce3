"""The service's language: bytes of an answer in, values out. No network, no clock.

Rules:

- A POST may be sent again only where the service *surely* did not take it (``Refused``). Whatever
  leaves room for a task that we do not know of is ``Ambiguous``: a task may exist and may be
  billed. So a 5xx is a refusal only if it is the service's own JSON with a throttling code, and a
  200 only if it carries a code that is known to refuse; every answered 4xx is one.
- A poll has no such danger. Whatever it cannot read is ``NoAnswer``: ask again.
- A task id, wherever it comes, beats everything else in the answer: it is money.
- Documented shapes are read exactly, absent keys are tolerated, unknown ones ignored, numbers kept
  as received (``10`` and ``10.0`` both occur).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import from_json

from batchgen.catalog import ResultShape
from batchgen.dashscope.answers import (
    Accepted,
    Ambiguous,
    NoAnswer,
    Refused,
    ResultError,
    ResultUrl,
    Task,
    TaskStatus,
)
from batchgen.dashscope.endpoint import Secret
from batchgen.dashscope.refusals import RefusalKind, is_throttling, kind_of
from batchgen.redaction import without_secrets

BODY_LIMIT = 2**20
"""Bytes of a JSON answer that are read at most; real ones have a few kilobytes."""

_REDIRECTIONS = range(300, 400)
_SAID_BY_STATUS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}
_EVIDENCE = 500
_LONGEST_WORDS = 10_000
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_SERVICE_TIME = timezone(timedelta(hours=8))
_TASK_ID = re.compile(r"[\w.:-]{1,200}", re.ASCII)
_STATES = {state.value: state for state in TaskStatus}


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
    answer = _document(body)
    output = _mapping(answer, "output")
    request_id = _text(answer, "request_id") or headers.get("x-request-id")
    if (task_id := _text(output, "task_id")) and _TASK_ID.fullmatch(task_id):
        return Accepted(task_id, request_id)
    code, message = _words(answer, "code") or "", _words(answer, "message") or ""
    if kind := _refusal(status, answer, code, message):
        message = message or f"HTTP {status}: {_excerpt(body) or 'no explanation'}"
        return Refused(kind, status, code, message, request_id, read_retry_after(headers))
    return Ambiguous(_why_ambiguous(status, headers, answer), _excerpt(body))


def _refusal(
    status: int, answer: Mapping[str, Any] | None, code: str, message: str
) -> RefusalKind | None:
    """The kind of a sure refusal; None where a task may exist all the same."""
    match status // 100:
        case 4:
            return kind_of(status, code, message)
        case 2 if not _mapping(answer, "output"):
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
    if code := _text(answer, "code"):
        return f"HTTP {status} with the code {_excerpt(code.encode())}"
    return f"HTTP {status} without a task id"


def _redirection(status: int, headers: Mapping[str, str]) -> str:
    """Names the host alone: the rest of a target may hold secrets."""
    try:
        host = urlsplit(headers.get("Location", "")).hostname
    except ValueError:
        host = None
    return f"HTTP {status} points to {host or 'another place'} and was not followed"


def read_task(
    status: int, headers: Mapping[str, str], body: bytes, shape: ResultShape
) -> Task | NoAnswer:
    """The answer to a question about one task, whose results stand where ``shape`` says."""
    answer = _document(body)
    output = _mapping(answer, "output")
    state = _STATES.get(_text(output, "task_status") or "")
    if status != HTTPStatus.OK or not output or not state:
        return _no_answer(status, headers, body)
    first = next(iter(_items(output, "results")), {})
    return Task(
        status=state,
        task_id=_text(output, "task_id"),
        request_id=_text(answer, "request_id"),
        submit_time=_service_time(output, "submit_time"),
        scheduled_time=_service_time(output, "scheduled_time"),
        end_time=_service_time(output, "end_time"),
        code=_words(output, "code"),
        message=_words(output, "message"),
        results=_results(output, shape),
        texts=tuple(part["text"] for part in _parts(output) if _text(part, "text")),
        orig_prompt=_text(output, "orig_prompt") or _text(first, "orig_prompt"),
        actual_prompt=_text(output, "actual_prompt") or _text(first, "actual_prompt"),
        usage=_public(_mapping(answer, "usage")),
    )


def _no_answer(status: int, headers: Mapping[str, str], body: bytes) -> NoAnswer:
    answer = _document(body)
    code, message = _words(answer, "code") or "", _words(answer, "message") or ""
    if status in _REDIRECTIONS:
        reason = _redirection(status, headers)
    elif state := _text(_mapping(answer, "output"), "task_status"):
        reason = f"HTTP {status} with the unknown task status {_excerpt(state.encode())}"
    else:
        words = f"{code} {message}".strip().encode() or body
        reason = f"HTTP {status}: {_excerpt(words) or 'no explanation'}"
    # What is not the service's own JSON comes from something on the way: no reason to give up.
    told = bool(code) or status in _SAID_BY_STATUS
    kind = _refusal(status, answer, code, message) if told else None
    return NoAnswer(reason, read_retry_after(headers), kind, heard=answer is not None)


def _results(output: Mapping[str, Any], shape: ResultShape) -> tuple[ResultUrl | ResultError, ...]:
    """Where the shape says, else anywhere known: a result in another family's place is still
    paid for.
    """
    readers = {
        ResultShape.VIDEO_URL: _video,
        ResultShape.RESULTS: _listed,
        ResultShape.CHOICES: _chosen,
    }
    for read in (readers[shape], *readers.values()):
        if results := tuple(read(output)):
            return results
    return ()


def _video(output: Mapping[str, Any]) -> Iterator[ResultUrl]:
    """``output.video_url``; digital humans answer in the object ``output.results`` instead."""
    for place in (output, _mapping(output, "results")):
        if url := _text(place, "video_url"):
            yield ResultUrl(url)


def _listed(output: Mapping[str, Any]) -> Iterator[ResultUrl | ResultError]:
    for item in _items(output, "results"):
        if url := _text(item, "url"):
            yield ResultUrl(url)
        else:
            yield ResultError(_words(item, "code") or "", _words(item, "message") or "")


def _chosen(output: Mapping[str, Any]) -> Iterator[ResultUrl]:
    for part in _parts(output):
        if url := _text(part, "image"):
            yield ResultUrl(url)


def _parts(output: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for choice in _items(output, "choices"):
        yield from _items(_mapping(choice, "message"), "content")


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, never negative and not capped; None where there is no readable value.

    A date counts from the answer's own ``Date``, so our clock may be wrong.
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", value):
        return float(value)
    until, date = _http_date(value), _date(headers)
    return max(0.0, until - date) if until is not None and date is not None else None


def _date(headers: Mapping[str, str]) -> float | None:
    return _http_date(headers.get("Date", ""))


def _http_date(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # "-0000" gives a time without zone; HTTP dates are always UTC.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _service_time(output: Mapping[str, Any], key: str) -> float | None:
    """``2026-01-26 15:04:05.678``, without a zone: UTC+8 (Wan text to video, 26 Jan 2026)."""
    try:
        moment = datetime.fromisoformat(_text(output, key) or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=_SERVICE_TIME)).timestamp()
    except (ValueError, OverflowError):
        return None


def _document(body: bytes) -> Mapping[str, Any] | None:
    """The JSON object of an answer, or None for anything else."""
    if len(body) > BODY_LIMIT:
        return None
    try:
        document = from_json(body, allow_inf_nan=False)
        # 1e999 is read as infinity all the same, and could not be written to a sidecar.
        json.dumps(document, allow_nan=False)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _mapping(holder: Mapping[str, Any] | None, key: str) -> Mapping[str, Any] | None:
    value = (holder or {}).get(key)
    return value if isinstance(value, dict) else None


def _items(holder: Mapping[str, Any] | None, key: str) -> list[Mapping[str, Any]]:
    """The objects of a list; an item of another type keeps its place, empty."""
    value = (holder or {}).get(key)
    items = value if isinstance(value, list) else []
    return [item if isinstance(item, dict) else {} for item in items]


def _text(holder: Mapping[str, Any] | None, key: str) -> str | None:
    """A non-empty string, or None."""
    value = (holder or {}).get(key)
    return value if isinstance(value, str) and value else None


def _words(holder: Mapping[str, Any] | None, key: str) -> str | None:
    """A text that will be shown and recorded: it may name a signed URL, never its signature."""
    text = _text(holder, key)
    return without_secrets(text[:_LONGEST_WORDS]) if text else None


def _public(value: Any) -> Any:
    """A copy whose texts may be recorded; numbers stay as received."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {without_secrets(key): _public(part) for key, part in value.items()}
    return [_public(part) for part in value] if isinstance(value, list) else value


def _excerpt(body: bytes) -> str:
    text = body[: 4 * _EVIDENCE].decode(errors="replace")
    return _CONTROLS.sub(" ", without_secrets(text)).strip()[:_EVIDENCE]
