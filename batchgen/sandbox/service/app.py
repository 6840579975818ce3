"""The API below `/api/v1`: its routes, and what every answer has in common (Wan API references;
Manage asynchronous tasks, 2026).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from uuid import uuid4

from aiohttp import web

from batchgen.sandbox.disk import in_words
from batchgen.sandbox.orders import Refusal
from batchgen.sandbox.service.parts import Parts
from batchgen.sandbox.service.queries import Queries
from batchgen.sandbox.service.submit import Submission
from batchgen.sandbox.service.wire import account_key, flat_error, json_answer, request_id_key

LARGEST_BODY = 64 << 20

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    """The routes over the handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def application(self) -> web.Application:
        submission, queries = Submission(self._parts), Queries(self._parts)
        application = web.Application(middlewares=[self._answered], client_max_size=LARGEST_BODY)
        slash = "{slash:/?}"
        application.add_routes(
            [
                web.post(f"/api/v1/services/aigc/{{path:[^/]+/[^/]+}}{slash}", submission.submit),
                web.get(f"/api/v1/tasks{slash}", queries.list, allow_head=False),
                web.get(f"/api/v1/tasks/{{task_id}}{slash}", queries.query, allow_head=False),
                web.post(f"/api/v1/tasks/{{task_id}}/cancel{slash}", queries.cancel),
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
            response = flat_error(refusal.status, refusal.code, refusal.message, request_id)
        except OSError as error:
            response = flat_error(503, "Throttling", in_words(error), request_id)
        except web.HTTPException as error:
            response = flat_error(
                error.status, error.reason.title().replace(" ", ""), error.reason, request_id
            )
        if request.method == "POST":
            response.headers["x-request-id"] = request_id
        return response

    def _account(self, request: web.Request) -> str:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            raise Refusal(401, "InvalidApiKey", "No API-key provided.")
        account = self._parts.keys.get(key.strip())
        if account is None:
            raise Refusal(401, "InvalidApiKey", "Invalid API-key provided.")
        return account

    async def _bill(self, _: web.Request) -> web.StreamResponse:
        return json_answer(asdict(self._parts.scheduler.bill()))
