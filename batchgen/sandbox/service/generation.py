"""POSTs that answer with their result: images, whole or as a stream, and the look at a face (Wan
image generation and editing; Wan digital human, image detection, 2026).

Rules.
1. What is made this way waits in the same queue, takes the same slots and costs the same as a task.
   To the client there is none: it is in no list, and cannot be asked for.
2. A client that goes away changes nothing: it is made and billed.
3. A stream tells each part when its share of the rendering is over. One that will fail never
   begins: its refusal is a plain answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from math import inf
from typing import Any

from aiohttp import web

from batchgen.sandbox import orders
from batchgen.sandbox.faults import refusals
from batchgen.sandbox.models import Flaw, Model, Path
from batchgen.sandbox.orders import Refusal
from batchgen.sandbox.service import answers
from batchgen.sandbox.service.intake import Intake
from batchgen.sandbox.service.parts import Parts
from batchgen.sandbox.service.wire import dumps, invalid, json_answer, request_id_key
from batchgen.sandbox.tasks.task import Task

PRESENCE = 10.0
"""Seconds of the loop between two looks whether the client is still there."""


class Generation:
    def __init__(self, parts: Parts, intake: Intake) -> None:
        self._parts = parts
        self._intake = intake

    async def generate(self, request: web.Request) -> web.StreamResponse:
        _check_synchronous(request)
        taken = await self._intake.take(request, Path.MULTIMODAL)
        # The pages ask for `stream: true` as well; the official SDK sends the header alone.
        streamed = request.headers.get("X-DashScope-SSE") == "enable"
        if _is_interleaved(taken.body) and not streamed:
            raise invalid(
                "enable_interleave is for streamed answers alone: set stream to true and send"
                " X-DashScope-SSE: enable."
            )
        task = self._intake.admit(request, taken, synchronous=True)
        if streamed and task.code is None and task.run != inf:
            return await self._stream(request, taken.model, task)
        ended = await self._ended(request, task)
        assert ended.work is not None
        urls = self._parts.signer.urls(ended)
        return json_answer(answers.at_once(taken.model, ended.work, urls, request[request_id_key]))

    async def detect(self, request: web.Request) -> web.StreamResponse:
        """A picture that does not pass is an answer too, and billed."""
        _check_synchronous(request)
        taken = await self._intake.take(request, Path.FACE_DETECT)
        flaw = taken.given if isinstance(taken.given, Flaw) else None
        looked_at = replace(taken, given=()) if flaw else taken
        task = self._intake.admit(request, looked_at, synchronous=True)
        await self._ended(request, task)
        return json_answer(answers.detected(flaw, request[request_id_key]))

    async def _ended(self, request: web.Request, task: Task) -> Task:
        """When it has succeeded. Raises Refusal when it has failed."""
        while task.ended is None:
            task = await self._change(request, task)
        if task.code is not None:
            known = refusals.SERVICE.get(task.code)
            raise Refusal(known.status if known else 400, task.code, task.message or "")
        return task

    async def _change(self, request: web.Request, task: Task) -> Task:
        """The task when its status has changed. Raises ConnectionResetError when nobody waits for
        it any longer: one that is stuck would hold the request for ever.
        """
        while request.transport is not None:
            with suppress(TimeoutError):
                return await asyncio.wait_for(self._parts.scheduler.change_of(task), PRESENCE)
        raise ConnectionResetError

    async def _stream(self, request: web.Request, model: Model, task: Task) -> web.StreamResponse:
        started = await self._change(request, task)
        foreseen = started.foreseen()
        assert foreseen.work is not None
        assert started.scheduled is not None
        assert foreseen.ended is not None
        events = list(
            answers.events(
                model,
                foreseen.work,
                self._parts.signer.urls(foreseen),
                request[request_id_key],
            )
        )
        share = (foreseen.ended - started.scheduled) / len(events)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream;charset=UTF-8"})
        with suppress(ConnectionResetError):  # whoever asked has gone
            await response.prepare(request)
            for number, event in enumerate(events, 1):
                await self._parts.clock.until(started.scheduled + share * number)
                await response.write(_framed(number, event))
            await response.write_eof()
        return response


def _check_synchronous(request: web.Request) -> None:
    if request.headers.get("X-DashScope-Async") == "enable":
        raise Refusal(403, "AccessDenied", "current user api does not support asynchronous calls")


def _is_interleaved(body: Mapping[str, Any]) -> bool:
    return orders.section(body, "parameters").get("enable_interleave") is True


def _framed(number: int, event: Mapping[str, Any]) -> bytes:
    """A server-sent event as the service frames it, its HTTP status in a comment."""
    return f"id:{number}\nevent:result\n:HTTP_STATUS/200\ndata:{dumps(event)}\n\n".encode()
