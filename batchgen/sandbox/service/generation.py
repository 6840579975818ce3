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

from collections.abc import Mapping
from contextlib import suppress
from math import inf
from typing import Any

from aiohttp import web

from batchgen.sandbox import orders
from batchgen.sandbox.faults import refusals
from batchgen.sandbox.models import Flaw, Model, Path
from batchgen.sandbox.orders import Refusal
from batchgen.sandbox.service import answers
from batchgen.sandbox.service.intake import Intake, Request
from batchgen.sandbox.service.parts import Parts
from batchgen.sandbox.service.wire import dumps, invalid, json_answer, request_id_key
from batchgen.sandbox.tasks.task import Task


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
        task = self._intake.task(request, taken, synchronous=True)
        self._parts.scheduler.admit(task)
        if streamed and task.code is None and task.run != inf:
            return await self._stream(request, taken.model, task)
        ended = await self._ended(task)
        assert ended.work is not None
        urls = self._parts.signer.urls(ended)
        return json_answer(answers.at_once(taken.model, ended.work, urls, request[request_id_key]))

    async def detect(self, request: web.Request) -> web.StreamResponse:
        """A picture that does not pass is an answer too, and billed."""
        _check_synchronous(request)
        taken = await self._intake.take(request, Path.FACE_DETECT)
        billed = Request(
            taken.model,
            taken.body,
            orders.read(taken.model, taken.body, (), taken.rng),
            taken.digest,
            taken.rng,
        )
        task = self._intake.task(request, billed, synchronous=True)
        self._parts.scheduler.admit(task)
        ended = await self._ended(task)
        seen = taken.work if isinstance(taken.work, Flaw) else ended.work
        assert seen is not None
        return json_answer(answers.detected(seen, request[request_id_key]))

    async def _ended(self, task: Task) -> Task:
        """When it has succeeded. Raises Refusal when it has failed."""
        while task.ended is None:
            task = await self._parts.scheduler.change_of(task)
        if task.code is not None:
            known = refusals.SERVICE.get(task.code)
            raise Refusal(known.status if known else 400, task.code, task.message or "")
        return task

    async def _stream(self, request: web.Request, model: Model, task: Task) -> web.StreamResponse:
        started = await self._parts.scheduler.change_of(task)
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
