"""How the API answers: flat JSON, a request id, and the headers of its gateway."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from batchgen.sandbox.orders import Refusal

account_key = web.RequestKey("account", str)
key_id_key = web.RequestKey("key_id", str)
request_id_key = web.RequestKey("request_id", str)
arrival_key = web.RequestKey("arrival", float)


def json_answer(answer: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.json_response(answer, status=status, dumps=dumps)


def flat_error(status: int, code: str, message: str, request_id: str) -> web.Response:
    """An error as the service words it: no envelope, non-200 (Error messages, 2026)."""
    return json_answer({"code": code, "message": message, "request_id": request_id}, status)


def throttled() -> Refusal:
    return Refusal(
        429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later."
    )


def invalid(message: str) -> Refusal:
    return Refusal(400, "InvalidParameter", message)


def unreadable() -> Refusal:
    return invalid("Required body invalid, please check the request body format.")


def body_of(content: bytes) -> dict[str, Any]:
    """The JSON object of a POST. Raises Refusal."""
    try:
        body = json.loads(content)
        # Half a character and NaN can be read, but never be written again.
        dumps(body).encode()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise unreadable()
    return body


def whole_number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A number from the query of an address. Raises Refusal."""
    value = query.get(name) or str(default)
    if not (value.isascii() and value.isdecimal()) or not 1 <= int(value[:20]) <= most:
        raise invalid(f"{name} must be a whole number in [1, {most}]")
    return int(value)


def dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def dress(
    request: web.Request, response: web.StreamResponse, arrived: float, now: float, speed: float
) -> None:
    """The headers of the service's gateway, as published answers have them (May 2025): a GET has no
    `x-request-id`, and another content type. Times are Unix seconds; what the answer took counts
    the client's.
    """
    took = str(round((now - arrived) / speed * 1000))
    response.headers.update(
        {
            "Server": "istio-envoy",
            "Vary": "Origin,Access-Control-Request-Method,Access-Control-Request-Headers",
            "req-cost-time": took,
            "req-arrive-time": str(round(arrived * 1000)),
            "resp-start-time": str(round(now * 1000)),
            "x-envoy-upstream-service-time": took,
        }
    )
    if request.method == "POST":
        response.headers["x-request-id"] = request[request_id_key]
        response.headers["x-dashscope-timeout"] = "180"
        response.headers["x-dashscope-call-gateway"] = "true"
    if response.content_type == "application/json":
        charset = "" if request.method == "POST" else ";charset=UTF-8"
        response.headers["Content-Type"] = f"application/json{charset}"
