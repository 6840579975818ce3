"""The limits of models: to be read, and to be lowered for a workspace (Query model limits; Update
model rate limits, 2026).

A limit above the model's own is taken and changes nothing, as both are counted (*chosen*: no page
says how it is refused).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from batchgen.sandbox.models import Model
from batchgen.sandbox.service.parts import Parts
from batchgen.sandbox.service.wire import (
    account_key,
    body_of,
    invalid,
    json_answer,
    request_id_key,
    whole_number,
)
from batchgen.sandbox.service.workspaces import MINUTE, Limit, Workspaces

USUAL_PAGE = 20
MOST_PAGE = 1000
MOST_MODELS = 200
"""In one update."""


class _Operation(StrEnum):
    OVERLAY = "OVERLAY"
    DELETE = "DELETE"


MOST = 1 << 31
"""Of all these numbers (*chosen*)."""

_Amount = Annotated[int, Field(ge=0, le=MOST)] | None
_Seconds = Annotated[int, Field(gt=0, le=MOST)] | None


class _Change(BaseModel):
    """What is not given stays as it is."""

    model: Annotated[str, Field(min_length=1)]
    operation_type: _Operation = _Operation.OVERLAY
    request_limit: _Amount = None
    request_limit_period: _Seconds = None
    usage_limit: _Amount = None
    usage_limit_period: _Seconds = None

    def over(self, old: Limit) -> Limit:
        """Raises Refusal."""
        given = (
            self.request_limit,
            self.request_limit_period,
            self.usage_limit,
            self.usage_limit_period,
        )
        if self.operation_type is _Operation.DELETE:
            if self.request_limit is not None or self.usage_limit is not None:
                raise invalid(f"The limits of model {self.model} must be empty for DELETE")
            return Limit()
        new = Limit(*(o if g is None else g for g, o in zip(given, old, strict=True)))
        if new.usage is not None and new.requests is None:
            raise invalid(
                f"Cannot set TPM without QPM for model {self.model}: no existing QPM limit, please"
                " set QPM first"
            )
        return new


class _Update(BaseModel):
    models: Annotated[list[_Change], Field(min_length=1, max_length=MOST_MODELS)]


class Limits:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._workspaces = Workspaces(parts.database)

    async def show(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        name, exact = query.get("name", ""), query.get("model", "")
        page = whole_number(query, "page_no", 1, 1 << 31)
        size = whole_number(query, "page_size", USUAL_PAGE, MOST_PAGE)
        found = [
            model
            for model in self._parts.models.values()
            if name in model.name and exact in ("", model.name)
        ]
        quotas = [
            self._quota(request[account_key], model)
            for model in found[(page - 1) * size : page * size]
        ]
        output = {"total": len(found), "page_no": page, "page_size": size, "quotas": quotas}
        return json_answer(_succeeded(output, request))

    async def update(self, request: web.Request) -> web.StreamResponse:
        account = request[account_key]
        try:
            update = _Update.model_validate(body_of(await request.read()))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise invalid(f"{place}: {first['msg']}") from None
        limits: dict[str, Limit] = {}
        for change in update.models:
            if change.model not in self._parts.models:
                raise invalid(f"Model {change.model[:80]} is not authorized for Inference")
            old = limits.get(change.model) or self._workspaces.limit(account, change.model)
            limits[change.model] = change.over(old)
        self._workspaces.set(account, limits)
        return json_answer(_succeeded(None, request))

    def _quota(self, account: str, model: Model) -> dict[str, Any]:
        limits = self._parts.faults.limits(
            model.name, model.per_second, model.running, model.queue_length
        )
        tasks = not model.path.synchronous
        own = self._workspaces.limit(account, model.name)
        return {
            "model": model.name,
            "workspace_id": f"ws-{account}",
            "model_limit": _written(Limit(limits.per_second, 1))
            | {
                "async_user_queue_limit": limits.queue if tasks else None,
                "async_user_concurrency_limit": limits.running if tasks else None,
            },
            "workspace_limit": _written(own) if own.requests is not None else None,
        }


def _written(limit: Limit) -> dict[str, Any]:
    usage = limit.usage is not None
    return {
        "request_limit": limit.requests,
        "request_limit_period": limit.seconds,
        "usage_limit": limit.usage,
        "usage_limit_field": "total_tokens" if usage else None,
        "usage_limit_period": (limit.usage_period or MINUTE) if usage else None,
        "async_user_queue_limit": None,
        "async_user_concurrency_limit": None,
    }


def _succeeded(output: Mapping[str, Any] | None, request: web.Request) -> dict[str, Any]:
    return {
        "code": None,
        "message": None,
        "success": True,
        "output": output,
        "request_id": request[request_id_key],
    }
