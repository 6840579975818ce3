"""From a request to the task it makes: checked, counted against the limits, its media fetched.

Rules.
1. The cheap checks refuse at once; what needs a closer look is a flaw, and the task is made to fail
   (see `orders`). A strict sandbox refuses that at once too.
2. Every request makes a task. There is no idempotency.
3. All limits are looked at before any is counted: a refused request takes nothing from another
   limit. The queue is looked at again when the media are there, as others came meanwhile.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from aiohttp import web

from batchgen.sandbox import orders
from batchgen.sandbox.models import Flaw, Model, Path
from batchgen.sandbox.orders import Input, Order, Refusal, Wanted
from batchgen.sandbox.service.course import course_of
from batchgen.sandbox.service.parts import Parts
from batchgen.sandbox.service.wire import (
    account_key,
    body_of,
    invalid,
    key_id_key,
    request_id_key,
    throttled,
)
from batchgen.sandbox.service.workspaces import Workspaces
from batchgen.sandbox.tasks.task import Task

LABEL_HEADER = "X-Batchgen-Job"
LABEL_LENGTH = 120


@dataclass(frozen=True, slots=True)
class Request:
    """A request that passed the cheap checks, and what it amounts to."""

    model: Model
    body: Mapping[str, Any]
    given: Sequence[tuple[Wanted, Input]] | Flaw
    """Its media, or why there are none."""


class Intake:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._workspaces = Workspaces(parts.database)

    async def take(self, request: web.Request, path: str) -> Request:
        """Check it and fetch its media. Raises Refusal."""
        model, body = self._understood(await request.read(), path)
        orders.check_required(model, body)
        resolving = request.headers.get("X-DashScope-OssResourceResolve") == "enable"
        orders.check_uploads(body, resolving=resolving)
        self._check_limits(request[account_key], model)
        return Request(model, body, await self._given(model, body, request[account_key]))

    def admit(self, request: web.Request, taken: Request, *, synchronous: bool = False) -> Task:
        """The task, durable. Raises Refusal."""
        self._check_room(request[account_key], taken.model)
        task = self._task(request, taken, synchronous=synchronous)
        self._parts.scheduler.admit(task)
        return task

    def _task(self, request: web.Request, taken: Request, *, synchronous: bool) -> Task:
        now, account, model = self._parts.clock.now(), request[account_key], taken.model
        number, prompt = self._parts.store.next_number(), orders.prompt_of(model, taken.body)
        # The same prompt and seed as the same task of another day take the same time and look the
        # same.
        seed = orders.section(taken.body, "parameters").get("seed")
        rng = Random(f"{prompt}|{seed}|{number}")  # noqa: S311 - nothing secret
        work = self._work(request, taken, rng)
        fate = self._parts.faults.fate(model.name, prompt, account)
        # What a function or a mode changes, it may change about the times as well.
        timed = model if isinstance(work, Flaw) else orders.variant(model, taken.body)
        course = course_of(timed, work, fate, rng, self._parts.conduct.failure_rate)
        return Task(
            number=number,
            id=str(uuid4()),
            request_id=request[request_id_key],
            account=account,
            model=model.name,
            digest=_digest(taken.body, taken.given),
            work=course.work,
            code=course.code,
            message=course.message,
            created=now,
            ready=now + course.wait,
            run=course.run,
            key_id=request[key_id_key],
            synchronous=synchronous,
        )

    def _understood(self, content: bytes, path: str) -> tuple[Model, dict[str, Any]]:
        body = body_of(content)
        model = self._parts.models.get(str(body.get("model")))
        if path not in set(Path):
            raise invalid("url error, please check url!")
        if model is None:
            raise invalid("Model not exist.")
        if path not in model.paths:
            raise invalid("url error, please check url!")
        return model, body

    def _check_limits(self, account: str, model: Model) -> None:
        """Raises Refusal."""
        quotas, subject = self._parts.quotas, (account, model.name)
        limits = self._parts.faults.limits(
            model.name, model.per_second, model.running, model.queue_length
        )
        own = self._workspaces.limit(account, model.name)
        counted: list[tuple[str, ...]] = [subject]
        if own.requests is not None:
            counted.append((*subject, "workspace"))
            if not quotas.has_room(counted[-1], own.requests, own.seconds):
                raise throttled()
        if self._parts.conduct.steady_rise:
            counted.append((*subject, "rise"))
            self._check_rise(counted[-1])
        if not quotas.has_room(subject, limits.per_second):
            raise throttled()
        self._check_room(account, model)
        for each in counted:
            quotas.count(each)

    def _check_rise(self, subject: Hashable) -> None:
        """Raises Refusal."""
        if not self._parts.quotas.rises_steadily(subject):
            raise Refusal(
                429,
                "Throttling.BurstRate",
                "Request rate increased too quickly. To ensure system stability, please adjust"
                " your client logic to scale requests more smoothly over time.",
            )

    def _check_room(self, account: str, model: Model) -> None:
        """Raises Refusal."""
        if not self._parts.scheduler.has_room(account, model.name):
            # No page says how a full queue is refused; this is the family of its neighbours.
            raise Refusal(429, "Throttling", "Too many requests in route. Please try again later.")

    async def _given(
        self, model: Model, body: Mapping[str, Any], account: str
    ) -> list[tuple[Wanted, Input]] | Flaw:
        try:
            wanted = orders.media_in(model, body)
            return list(
                zip(wanted, await self._parts.inputs.take_all(wanted, model, account), strict=True)
            )
        except Flaw as flaw:
            return flaw

    def _work(self, request: web.Request, taken: Request, rng: Random) -> Order | Flaw:
        """Raises Refusal."""
        work = _read(taken, rng)
        if isinstance(work, Flaw):
            if self._parts.conduct.strict:
                raise Refusal.of(work)
            return work
        return replace(work, label=_label(request))


def _read(taken: Request, rng: Random) -> Order | Flaw:
    if isinstance(taken.given, Flaw):
        return taken.given
    try:
        return orders.read(taken.model, taken.body, [given for _, given in taken.given], rng)
    except Flaw as flaw:
        return flaw


def _label(request: web.Request) -> str:
    """The job's name, which some clients send to a stand-in so that it can be drawn."""
    name = unquote(request.headers.get(LABEL_HEADER, ""))
    return "".join(character for character in name if character.isprintable())[:LABEL_LENGTH]


def _digest(body: Mapping[str, Any], given: Sequence[tuple[Wanted, Input]] | Flaw) -> str:
    """Of what is asked for: a file that was uploaded twice is the same file."""
    text = json.dumps(body, sort_keys=True)
    if not isinstance(given, Flaw):
        for wanted, taken in given:
            if taken.digest:
                text = text.replace(json.dumps(wanted.url), json.dumps(taken.digest))
    return hashlib.sha256(text.encode()).hexdigest()
