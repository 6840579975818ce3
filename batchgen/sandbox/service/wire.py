"""How the API answers: flat JSON, a request id, and no answer at all where a fault says so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from batchgen.sandbox.orders import Refusal

account_key = web.RequestKey("account", str)
request_id_key = web.RequestKey("request_id", str)


def json_answer(answer: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.json_response(answer, status=status, dumps=_dumps)


def flat_error(status: int, code: str, message: str, request_id: str) -> web.Response:
    """An error as the service words it: no envelope, non-200 (Error messages, 2026)."""
    return json_answer({"code": code, "message": message, "request_id": request_id}, status)


def throttled() -> Refusal:
    return Refusal(
        429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later."
    )


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
