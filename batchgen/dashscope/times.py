"""Times as the service writes them: in headers, in a task, on its list. All become Unix seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from batchgen.dashscope.documents import text_at

_SERVICE_TIME = timezone(timedelta(hours=8))
_SINCE = 1_500_000_000_000
"""Milliseconds, in 2017: before any task. A smaller number is none, or counts in another unit."""


def read_date(headers: Mapping[str, str]) -> float | None:
    """When an answer was made, by the clock of whoever made it; whole seconds."""
    return _http_date(headers.get("Date", ""))


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, never negative and not capped; None where there is no readable value.

    A date counts from the answer's own ``Date``, so our clock may be wrong.
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", value):
        return float(value)
    until, date = _http_date(value), read_date(headers)
    return max(0.0, until - date) if until is not None and date is not None else None


@lru_cache(maxsize=16)  # many answers are made within one second
def _http_date(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # "-0000" gives a time without zone; HTTP dates are always UTC.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def service_time_at(output: Mapping[str, Any], key: str) -> float | None:
    """``2026-01-26 15:04:05.678``, without a zone: UTC+8 (Wan text to video, 26 Jan 2026)."""
    try:
        moment = datetime.fromisoformat(text_at(output, key) or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=_SERVICE_TIME)).timestamp()
    except (ValueError, OverflowError):
        return None


def milliseconds_at(row: Mapping[str, Any], key: str) -> float | None:
    """Milliseconds of the Unix epoch (Manage asynchronous tasks, 2026)."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < _SINCE:
        return None
    return value / 1000
