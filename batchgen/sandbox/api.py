"""The API below `/api/v1`: submit, query, list, cancel (Wan API references; Manage asynchronous
tasks, 2026).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from random import Random
from typing import Any, NamedTuple
from urllib.parse import unquote
from uuid import uuid4

from aiohttp import web

from batchgen.sandbox import answers, orders
from batchgen.sandbox.clock import Clock
from batchgen.sandbox.connections import reset
from batchgen.sandbox.disk import in_words
from batchgen.sandbox.faults import Answer, Fail, Faults, Point, Reset, Stuck
from batchgen.sandbox.geometry import Flaw
from batchgen.sandbox.media import Pictures
from batchgen.sandbox.models import MODELS, Model, Path
from batchgen.sandbox.orders import Order, Picture, Refusal
from batchgen.sandbox.quotas import Quotas
from batchgen.sandbox.results import Signer
from batchgen.sandbox.store import Store, Task
from batchgen.sandbox.tasks import RETENTION, Scheduler

QUERIES_PER_SECOND = 20
"""Per account, for query, list and cancel each (Manage asynchronous tasks)."""

LARGEST_BODY = 64 << 20
LABEL_HEADER = "X-Batchgen-Job"
LABEL_LENGTH = 120
INSPECTION = (1.0, 3.0)
"""Seconds until a flawed request fails."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

account_key = web.RequestKey("account", str)
request_id_key = web.RequestKey("request_id", str)


class Api:
    """The handlers. `keys` maps API keys to accounts; tasks are seen by their account alone."""

    def __init__(
        self,
        *,
        keys: Mapping[str, str],
        region: str,
        clock: Clock,
        store: Store,
        scheduler: Scheduler,
        pictures: Pictures,
        signer: Signer,
        quotas: Quotas,
        faults: Faults,
    ) -> None:
        self._keys = keys
        self._region = region
        self._clock = clock
        self._store = store
        self._scheduler = scheduler
        self._pictures = pictures
        self._signer = signer
        self._quotas = quotas
        self._faults = faults

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._answered], client_max_size=LARGEST_BODY)
        slash = "{slash:/?}"
        application.add_routes(
            [
                web.post(f"/api/v1/services/aigc/{{path:[^/]+/[^/]+}}{slash}", self._submit),
                web.get(f"/api/v1/tasks{slash}", self._list, allow_head=False),
                web.get(f"/api/v1/tasks/{{task_id}}{slash}", self._query, allow_head=False),
                web.post(f"/api/v1/tasks/{{task_id}}/cancel{slash}", self._cancel),
                web.get("/sandbox/bill", self._bill, allow_head=False),
            ]
        )
        return application

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A request id for every answer, the key before all else, refusals as flat JSON: the disk's
        too, as throttling.
        """
        request_id = request[request_id_key] = str(uuid4())
        try:
            if request.path.startswith("/api/"):
                request[account_key] = self._account(request)
            response = await handler(request)
        except Refusal as refusal:
            response = _flat(refusal.status, refusal.code, refusal.message, request_id)
        except OSError as error:
            response = _flat(503, "Throttling", in_words(error), request_id)
        except web.HTTPException as error:
            response = _flat(
                error.status, error.reason.title().replace(" ", ""), error.reason, request_id
            )
        if request.method == "POST":
            response.headers["x-request-id"] = request_id
        return response

    def _account(self, request: web.Request) -> str:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            raise Refusal(401, "InvalidApiKey", "No API-key provided.")
        account = self._keys.get(key.strip())
        if account is None:
            raise Refusal(401, "InvalidApiKey", "Invalid API-key provided.")
        return account

    async def _submit(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("X-DashScope-Async") != "enable":
            raise Refusal(
                403, "AccessDenied", "current user api does not support synchronous calls."
            )
        model, body = _understood(await request.read(), request.match_info["path"])
        orders.check_required(model, body)
        prompt = orders.prompt_of(model, body)
        refused = self._interrupted(request, Point.SUBMIT, model.name, prompt)
        if refused is not None:
            return refused
        self._check_limits(request[account_key], model)
        picture = await self._picture(model, body)
        task = self._task(request, model, body, picture)
        self._scheduler.admit(task)
        lost = self._interrupted(request, Point.TASK_CREATED, model.name, prompt)
        return _json(answers.submitted(task)) if lost is None else lost

    def _check_limits(self, account: str, model: Model) -> None:
        if not self._quotas.admits((account, model.name), model.per_second):
            raise _throttled()
        if not self._scheduler.has_room(account, model.name):
            # No page says how a full queue is refused; this is the family of its neighbours.
            raise Refusal(429, "Throttling", "Too many requests in route. Please try again later.")

    async def _picture(self, model: Model, body: Mapping[str, Any]) -> Picture | Flaw | None:
        try:
            urls = orders.picture_urls(model, body)
            taken = [await self._pictures.take(url, model) for url in urls]
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
        number, now = self._store.next_number(), self._clock.now()
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
        action = self._faults.at(Point.TASK, model=model.name, prompt=prompt)
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

    async def _query(self, request: web.Request) -> web.StreamResponse:
        account, task_id = request[account_key], request.match_info["task_id"]
        self._check_rate(account, "query")
        task = self._scheduler.find(account, task_id)
        refused = self._interrupted(
            request, Point.QUERY, task.model if task else "", task.prompt if task else ""
        )
        if refused is not None:
            return refused
        request_id = request[request_id_key]
        if task is None:
            return _json(answers.unknown(task_id, request_id))
        return _json(answers.task(task, self._signer.urls(task), request_id))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        account, query = request[account_key], request.query
        self._check_rate(account, "list")
        refused = self._interrupted(request, Point.LIST, query.get("model_name", ""), "")
        if refused is not None:
            return refused
        tasks = self._scheduler.listed(
            account,
            self._window(query),
            model=query.get("model_name", ""),
            status=query.get("status", ""),
            task_id=query.get("task_id", ""),
        )
        page, size = _whole(query, "page_no", 1), _whole(query, "page_size", 10)
        rows = tasks[(page - 1) * size : page * size]
        return _json(
            {
                "request_id": request[request_id_key],
                "total": len(tasks),
                "total_page": -(-len(tasks) // size),
                "page_no": page,
                "page_size": size,
                "data": [answers.listed(row, MODELS[row.model].path, self._region) for row in rows],
            }
        )

    def _window(self, query: Mapping[str, str]) -> tuple[float, float]:
        """At most 24 hours; the end is now, the start 24 hours before the end, unless given.

        No page names the zone of `start_time` and `end_time`: read as UTC+8, like all times of the
        service.
        """
        end = _moment(query, "end_time", self._clock.now())
        start = _moment(query, "start_time", end - RETENTION)
        if not 0 <= end - start <= RETENTION:
            raise Refusal(
                400, "InvalidParameter", "The time window must not be longer than 24 hours."
            )
        return start, end

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        self._check_rate(request[account_key], "cancel")
        if not self._scheduler.cancel(request[account_key], request.match_info["task_id"]):
            raise Refusal(
                400,
                "UnsupportedOperation",
                "Failed to cancel the task, please confirm if the task is in PENDING status.",
            )
        return _json({"request_id": request[request_id_key]})

    async def _bill(self, _: web.Request) -> web.StreamResponse:
        return _json(asdict(self._scheduler.bill()))

    def _check_rate(self, account: str, operation: str) -> None:
        if not self._quotas.admits((account, operation), QUERIES_PER_SECOND):
            raise _throttled()

    def _interrupted(
        self, request: web.Request, point: Point, model: str, prompt: str
    ) -> web.StreamResponse | None:
        """The answer, or the lack of one, that a fault puts in the place of the real one."""
        match self._faults.at(point, model=model, prompt=prompt):
            case Answer(status, code, message):
                return _flat(status, code, message, request[request_id_key])
            case Reset():
                reset(request)
                return web.Response()
        return None


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


def _throttled() -> Refusal:
    return Refusal(
        429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later."
    )


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    value = query.get(name, str(default))
    if not value.isdecimal() or int(value) < 1:
        raise Refusal(400, "InvalidParameter", f"{name} must be a whole number above zero")
    return int(value)


def _moment(query: Mapping[str, str], name: str, default: float) -> float:
    if name not in query:
        return default
    try:
        moment = datetime.strptime(query[name] + "+0800", "%Y%m%d%H%M%S%z")
    except ValueError:
        raise Refusal(400, "InvalidParameter", f"{name} must be YYYYMMDDhhmmss") from None
    return moment.timestamp()


def _flat(status: int, code: str, message: str, request_id: str) -> web.Response:
    return _json({"code": code, "message": message, "request_id": request_id}, status)


def _json(answer: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.json_response(answer, status=status, dumps=_dumps)


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
