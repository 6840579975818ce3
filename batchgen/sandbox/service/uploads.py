"""Leave to upload a file (Get a temporary file URL, 2026)."""

from __future__ import annotations

from aiohttp import web

from batchgen.sandbox.models import Model
from batchgen.sandbox.service.parts import Parts
from batchgen.sandbox.service.wire import (
    account_key,
    invalid,
    json_answer,
    request_id_key,
    throttled,
)

POLICIES_PER_SECOND = 100
"""Per account and model."""

USUAL_MEGABYTES = 100
"""For a model that takes no files."""


class UploadPolicies:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def show(self, request: web.Request) -> web.StreamResponse:
        account, query = request[account_key], request.query
        if query.get("action") != "getPolicy":
            raise invalid("action must be getPolicy")
        model = self._parts.models.get(query.get("model", ""))
        if model is None:
            raise invalid("Model not exist.")
        subject = (account, model.name, "policy")
        if not self._parts.quotas.admits(subject, POLICIES_PER_SECOND):
            raise throttled()
        policy = self._parts.uploads.policy(account, model.name, _megabytes(model))
        return json_answer({"request_id": request[request_id_key], "data": policy})


def _megabytes(model: Model) -> int:
    """The largest file that the model takes."""
    variants = [model, *model.functions.values(), *model.modes.values()]
    rules = [rule for each in variants for slot in each.media.slots.values() for rule in slot.takes]
    voices = [each.media.voices for each in variants if each.media.voices]
    return max((rule.megabytes for rule in [*rules, *voices]), default=USUAL_MEGABYTES)
