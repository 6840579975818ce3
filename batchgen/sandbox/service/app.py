"""The API below `/api/v1`: its routes, and what every answer has in common (Wan API references;
Manage asynchronous tasks, 2026). Beside it, without a key: the sandbox's own pages.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from uuid import uuid4

from aiohttp import web

from batchgen.sandbox import face
from batchgen.sandbox.connections import is_local
from batchgen.sandbox.disk import in_words
from batchgen.sandbox.faults import middleware, refusals
from batchgen.sandbox.models import Path
from batchgen.sandbox.orders import Refusal
from batchgen.sandbox.service.access import Access, Caller
from batchgen.sandbox.service.generation import Generation
from batchgen.sandbox.service.intake import Intake
from batchgen.sandbox.service.limits import Limits
from batchgen.sandbox.service.parts import Parts
from batchgen.sandbox.service.queries import Queries
from batchgen.sandbox.service.submit import Submission
from batchgen.sandbox.service.uploads import UploadPolicies
from batchgen.sandbox.service.wire import (
    account_key,
    arrival_key,
    dress,
    flat_error,
    json_answer,
    key_id_key,
    request_id_key,
    unreadable,
    whole_number,
)

_log = logging.getLogger(__name__)

LARGEST_BODY = 64 << 20

TOKEN_SECONDS = 60
MOST_TOKEN_SECONDS = 1800

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    """The routes over the handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._access = Access(parts.keys, parts.clock)

    def application(self) -> web.Application:
        misbehaving = middleware(
            self._parts.faults,
            find=self._parts.scheduler.by_id,
            refuse=_refused,
            account=lambda request: request[account_key],
        )
        application = web.Application(
            middlewares=[self._answered, misbehaving], client_max_size=LARGEST_BODY
        )
        application.on_response_prepare.append(self._dressed)
        application.add_routes(self._routes())
        application.add_routes(face.routes(self._parts))
        return application

    def _routes(self) -> list[web.RouteDef]:
        parts, intake = self._parts, Intake(self._parts)
        submission, generation = Submission(parts, intake), Generation(parts, intake)
        queries, limits, policies = Queries(parts), Limits(parts), UploadPolicies(parts)
        return [
            _post(f"/services/aigc/{Path.MULTIMODAL}", generation.generate),
            _post(f"/services/aigc/{Path.FACE_DETECT}", generation.detect),
            _post("/services/aigc/{path:[^/]+/[^/]+}", submission.submit),
            _get("/tasks", queries.list),
            _get("/tasks/{task_id}", queries.query),
            _post("/tasks/{task_id}/cancel", queries.cancel),
            _get("/uploads", policies.show),
            _get("/models/limits", limits.show),
            _get("/quotas", limits.show),
            _post("/models/limits", limits.update),
            _post("/tokens", self._token),
            web.get("/sandbox/bill", self._bill, allow_head=False),
        ]

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A request id for every answer, the key before all else, refusals as flat JSON: the disk's
        too, as throttling, and a mistake of the sandbox's own.
        """
        request_id = request[request_id_key] = str(uuid4())
        request[arrival_key] = self._parts.clock.now()
        try:
            _check_name(request)
            if request.path.startswith("/api/"):
                caller = self._caller(request)
                request[account_key], request[key_id_key] = caller.account, caller.key_id
            return await handler(request)
        except Refusal as refusal:
            return flat_error(refusal.status, refusal.code, refusal.message, request_id)
        except OSError as error:
            return flat_error(503, "Throttling", in_words(error), request_id)
        except web.HTTPRequestEntityTooLarge:
            return flat_error(413, "BadRequest.TooLarge", "Payload Too Large", request_id)
        except web.HTTPException as error:
            code = error.reason.title().replace(" ", "")
            return flat_error(error.status, code, error.reason, request_id)
        except web.RequestPayloadError:
            request.content.feed_eof()  # or the server reads on, and stumbles itself
            body = unreadable()
            answer = flat_error(body.status, body.code, body.message, request_id)
            answer.force_close()
            return answer
        except Exception:  # noqa: BLE001 - a bug must not become HTML
            _log.exception("the sandbox has a bug; request %s is answered with 500", request_id)
            internal = refusals.SERVICE["InternalError"]
            return flat_error(internal.status, "InternalError", internal.message, request_id)

    def _caller(self, request: web.Request) -> Caller:
        caller = self._access.caller(request.headers.get("Authorization", ""))
        wrong_place = request.method == "GET" and (
            request.headers.get("X-DashScope-Async") == "enable"
        )
        if wrong_place and self._parts.conduct.strict:
            # Two clients had this of the service; its own pages do not say so.
            raise Refusal(
                403, "AccessDenied", "current user api does not support asynchronous calls"
            )
        return caller

    async def _token(self, request: web.Request) -> web.StreamResponse:
        seconds = whole_number(
            request.query, "expire_in_seconds", TOKEN_SECONDS, MOST_TOKEN_SECONDS
        )
        caller = self._caller(request)
        token, expires = self._access.temporary(caller, seconds)
        return json_answer({"token": token, "expires_at": expires})

    async def _bill(self, _: web.Request) -> web.StreamResponse:
        return json_answer(asdict(self._parts.scheduler.bill()))

    async def _dressed(self, request: web.Request, response: web.StreamResponse) -> None:
        if request.path.startswith("/api/"):
            clock = self._parts.clock
            dress(request, response, request[arrival_key], clock.now(), clock.speed)


def _check_name(request: web.Request) -> None:
    """Raises HTTPForbidden."""
    if not is_local(request):
        raise web.HTTPForbidden


def _refused(request: web.Request, status: int, code: str, message: str) -> web.Response:
    return flat_error(status, code, message, request[request_id_key])


def _get(path: str, handler: Handler) -> web.RouteDef:
    return web.get(f"/api/v1{path}{{slash:/?}}", handler, allow_head=False)


def _post(path: str, handler: Handler) -> web.RouteDef:
    return web.post(f"/api/v1{path}{{slash:/?}}", handler)
