"""The submit: a POST makes a task, every time (Wan API references, 2026)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple
from urllib.parse import unquote
from uuid import uuid4

from aiohttp import web

from batchgen.sandbox import orders
from batchgen.sandbox.faults import Fail, Point, Stuck
from batchgen.sandbox.models import MODELS, Model, Path
from batchgen.sandbox.models.geometry import Flaw
from batchgen.sandbox.orders import Order, Picture, Refusal
from batchgen.sandbox.service import answers
from batchgen.sandbox.service.interruptions import interrupted
from batchgen.sandbox.service.parts import Parts
from batchgen.sandbox.service.wire import account_key, json_answer, request_id_key, throttled
from batchgen.sandbox.tasks.store import Task

LABEL_HEADER = "X-Batchgen-Job"
LABEL_LENGTH = 120
INSPECTION = (1.0, 3.0)
"""Seconds until a flawed request fails."""


class Submission:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def submit(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("X-DashScope-Async") != "enable":
            raise Refusal(
                403, "AccessDenied", "current user api does not support synchronous calls."
            )
        model, body = _understood(await request.read(), request.match_info["path"])
        orders.check_required(model, body)
        prompt = orders.prompt_of(model, body)
        refused = interrupted(self._parts.faults, request, Point.SUBMIT, model.name, prompt)
        if refused is not None:
            return refused
        self._check_limits(request[account_key], model)
        picture = await self._picture(model, body)
        task = self._task(request, model, body, picture)
        self._parts.scheduler.admit(task)
        lost = interrupted(self._parts.faults, request, Point.TASK_CREATED, model.name, prompt)
        return json_answer(answers.submitted(task)) if lost is None else lost

    def _check_limits(self, account: str, model: Model) -> None:
        if not self._parts.quotas.admits((account, model.name), model.per_second):
            raise throttled()
        if not self._parts.scheduler.has_room(account, model.name):
            # No page says how a full queue is refused; this is the family of its neighbours.
            raise Refusal(429, "Throttling", "Too many requests in route. Please try again later.")

    async def _picture(self, model: Model, body: Mapping[str, Any]) -> Picture | Flaw | None:
        try:
            urls = orders.picture_urls(model, body)
            taken = [await self._parts.pictures.take(url, model) for url in urls]
        except Flaw as flaw:
            return flaw
        return taken[0] if taken else None

    def _task(
        self,
        request: web.Request,
        model: Model,
        body: Mapping[str, Any],
        picture: Picture | Flaw | None,
    ) -> Task:
        number, now = self._parts.store.next_number(), self._parts.clock.now()
        prompt, parameters = orders.prompt_of(model, body), orders.section(body, "parameters")
        # The same prompt and seed as the same task of another day take the same time and look the
        # same.
        rng = Random(f"{prompt}|{parameters.get('seed')}|{number}")  # noqa: S311 - nothing secret
        work = _work(model, body, picture, rng)
        if isinstance(work, Order):
            work = replace(work, label=_label(request))
        course = self._course(model, prompt, work if isinstance(work, Flaw) else None, rng)
        return Task(
            number=number,
            id=str(uuid4()),
            request_id=request[request_id_key],
            account=request[account_key],
            model=model.name,
            digest=_digest(body),
            work=work if isinstance(work, Order) else None,
            code=course.code,
            message=course.message,
            created=now,
            ready=now + course.wait,
            run=course.run,
        )

    def _course(self, model: Model, prompt: str, flaw: Flaw | None, rng: Random) -> Course:
        shortest, usual, longest = model.run
        wait, run = rng.uniform(*model.queue), rng.triangular(shortest, longest, usual)
        action = self._parts.faults.at(Point.TASK, model=model.name, prompt=prompt)
        if flaw is not None:
            return Course(rng.uniform(*INSPECTION), None, flaw.code, flaw.message)
        match action:
            case Fail(code, message, None):
                return Course(rng.uniform(*INSPECTION), None, code, message)
            case Fail(code, message, rendering):
                return Course(wait, rendering, code, message)
            case Stuck():
                return Course(wait, float("inf"), None, None)
        return Course(wait, run, None, None)


class Course(NamedTuple):
    """What is to become of a task: the wait and the rendering in seconds (None: fails at
    inspection), and the error.
    """

    wait: float
    run: float | None
    code: str | None
    message: str | None


def _work(
    model: Model, body: Mapping[str, Any], picture: Picture | Flaw | None, rng: Random
) -> Order | Flaw:
    if isinstance(picture, Flaw):
        return picture
    try:
        return orders.read(model, body, picture, rng)
    except Flaw as flaw:
        return flaw


def _understood(content: bytes, path: str) -> tuple[Model, Mapping[str, Any]]:
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(
            400, "InvalidParameter", "Required body invalid, please check the request body format."
        )
    model = MODELS.get(str(body.get("model")))
    if path not in set(Path):
        raise Refusal(400, "InvalidParameter", "url error, please check url!")
    if model is None:
        raise Refusal(400, "InvalidParameter", "Model not exist.")
    if model.path != path:
        raise Refusal(400, "InvalidParameter", "url error, please check url!")
    return model, body


def _label(request: web.Request) -> str:
    """The job's name, which some clients send to a stand-in so that it can be drawn."""
    name = unquote(request.headers.get(LABEL_HEADER, ""))
    return "".join(character for character in name if character.isprintable())[:LABEL_LENGTH]


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
