"""The submit: a POST makes a task, every time (Wan API references, 2026)."""

from __future__ import annotations

from aiohttp import web

from batchgen.sandbox.orders import Refusal
from batchgen.sandbox.service import answers
from batchgen.sandbox.service.intake import Intake
from batchgen.sandbox.service.parts import Parts
from batchgen.sandbox.service.wire import json_answer


class Submission:
    def __init__(self, parts: Parts, intake: Intake) -> None:
        self._parts = parts
        self._intake = intake

    async def submit(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("X-DashScope-Async") != "enable":
            raise Refusal(
                403, "AccessDenied", "current user api does not support synchronous calls."
            )
        taken = await self._intake.take(request, request.match_info["path"])
        # Before the answer is written: a client that does not get it has a task all the same.
        task = self._intake.admit(request, taken)
        return json_answer(answers.submitted(task))
