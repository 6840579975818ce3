"""What goes wrong with answers: one middleware, the same before the API and the object store.

Rules.
1. Before the work a fault stands in its place: nothing comes of the request.
2. After the work the fault is a matter of the answer alone. A point after the work is passed only
   by a request that succeeded: a refusal is the service's own, and no rule counts it.
3. An answer in a stream waits, where a rule is about it, until it is whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from batchgen.sandbox.faults.actions import (
    Action,
    Answer,
    Change,
    Content,
    Damage,
    Delay,
    Page,
    Redirect,
    Replacement,
    Reset,
    Stall,
)
from batchgen.sandbox.faults.faults import Faults
from batchgen.sandbox.faults.reply import Recorder, Reply, finished, recording
from batchgen.sandbox.faults.requests import Find, Way, call_of, made, way_of
from batchgen.sandbox.faults.rules import Call, Point
from batchgen.sandbox.faults.sending import Gone, Line, send, whole

Refuse = Callable[[web.Request, int, str, str], web.Response]
"""How an application words an error: status, code, message."""

_TITLES = {503: "503 Service Temporarily Unavailable", 504: "504 Gateway Time-out"}
"""As a gateway names them; every other page is of a bad one."""

_HTML = (
    "<html>\r\n<head><title>{title}</title></head>\r\n"
    "<body><h1>The upstream server did not answer.</h1></body>\r\n</html>\r\n"
)
_XML = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n  <Code>InternalError</Code>\n'
    b"  <Message>We encountered an internal error. Please try again.</Message>\n</Error>\n"
)
_PAGES: dict[Content, tuple[str, bytes]] = {
    Content.XML: ("application/xml", _XML),
    Content.EMPTY: ("application/json", b""),
    Content.GARBAGE: ("application/json", bytes(range(255, 127, -1)) * 4),
    Content.NAN: ("application/json", b'{"output": {"task_id": NaN, "task_status": Infinity}}'),
}


def middleware(
    faults: Faults, *, find: Find, refuse: Refuse, account: Callable[[web.Request], str]
) -> Middleware:
    """The middleware of an application; `find` knows its tasks, `account` whose a request is."""

    @web.middleware
    async def misbehaving(request: web.Request, handler: Handler) -> web.StreamResponse:
        way = way_of(request)
        if way is None or not any(map(faults.watches, filter(None, way))):
            return await handler(request)
        call = await call_of(request, way, account(request), find)
        return await _Passage(faults, request, refuse, way, call).through(handler)

    return misbehaving


@dataclass(frozen=True, slots=True)
class _Passage:
    """One request on its way."""

    faults: Faults
    request: web.Request
    refuse: Refuse
    way: Way
    call: Call

    async def through(self, handler: Handler) -> web.StreamResponse:
        try:
            if self.way.before is not None:
                instead = await self._before(self.faults.meets(self.way.before, self.call))
                if instead is not None:
                    return instead
            if not self.faults.watches(self.way.after, self.call):
                return await handler(self.request)
            return await self._answered(handler)
        except Gone:
            return web.Response()

    async def _before(self, action: Action | None) -> web.Response | None:
        """What stands in the place of the work; None: nothing."""
        line = Line(self.request)
        match action:
            case Answer() | Page() | Redirect():
                return self._instead(action)
            case Reset():
                line.reset()
                return web.Response()
            case Stall():
                await line.silence()
            case Delay(seconds):
                await line.wait(seconds)
        return None

    async def _answered(self, handler: Handler) -> web.StreamResponse:
        line = Line(self.request)
        recorder = Recorder(line.transport())
        with recording(self.request, recorder):
            response = await handler(self.request)
        action = self._after(response)
        if action is None:
            await line.send(recorder.taken())
            return response
        with recording(self.request, recorder):
            reply = await finished(self.request, response, recorder)
        if isinstance(action, Answer | Page | Redirect):
            await whole(_of(self._instead(action), reply), line)
        else:
            await send(action, reply, line)
        return response

    def _after(self, response: web.StreamResponse) -> Replacement | Damage | Change | None:
        if response.status >= HTTPStatus.BAD_REQUEST:
            return None
        call = self.call
        if self.way.after is Point.TASK_CREATED and isinstance(response, web.Response):
            call = replace(call, task=made(response.text or ""))
        return cast("Replacement | Damage | Change | None", self.faults.meets(self.way.after, call))

    def _instead(self, action: Replacement) -> web.Response:
        match action:
            case Answer(status, code, message, retry_after):
                answer = self.refuse(self.request, status, code, message)
                if retry_after is not None:
                    answer.headers["Retry-After"] = retry_after
                return answer
            case Page(Content.HTML, status):
                page = _HTML.format(title=_TITLES.get(status, "502 Bad Gateway"))
                return web.Response(status=status, text=page, content_type="text/html")
            case Page(content, status):
                kind, body = _PAGES[content]
                return web.Response(status=status, body=body, content_type=kind)
            case Redirect(to, status):
                return web.Response(
                    status=status, headers={"Location": to or str(self.request.rel_url)}
                )


def _of(answer: web.Response, real: Reply) -> Reply:
    """The answer that stands in the place of the real one, and was sent at its time."""
    headers = answer.headers.copy()
    headers["Date"] = real.headers["Date"]
    body = answer.body if isinstance(answer.body, bytes) else b""
    return Reply(answer.status, answer.reason or "", headers, body)
