"""Where a fault puts another answer, or none, in the place of the real one."""

from __future__ import annotations

from aiohttp import web

from batchgen.sandbox.connections import reset
from batchgen.sandbox.faults import Answer, Faults, Point, Reset
from batchgen.sandbox.service.wire import flat_error, request_id_key


def interrupted(
    faults: Faults, request: web.Request, point: Point, model: str, prompt: str
) -> web.StreamResponse | None:
    """The answer, or the lack of one, that a fault puts in the place of the real one."""
    match faults.at(point, model=model, prompt=prompt):
        case Answer(status, code, message):
            return flat_error(status, code, message, request[request_id_key])
        case Reset():
            reset(request)
            return web.Response()
    return None
