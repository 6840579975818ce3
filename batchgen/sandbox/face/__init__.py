"""The sandbox's face: a page that shows a person what is there, and the state it shows as JSON.

    page/   the page's files, served as they are: no build, no framework, nothing from elsewhere
    state   what it shows

The page is read-only and open to whoever sits at this machine: it needs no key. Two walls keep
others out. The service it is part of answers only where it was asked for by a loopback name. And
its policy lets no script run but its own, and no string become markup: a prompt is somebody's text.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files

from aiohttp import web

from batchgen.sandbox.face.state import Asked, Parts, state

__all__ = ["routes"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PAGE = "page.html"
_FILES = (_PAGE, "style.css", "page.js", "tasks.js", "side.js", "words.js", "icon.svg")
_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}

_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' {results}; media-src {results};"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)


def routes(parts: Parts) -> list[web.RouteDef]:
    """`GET /`, what the page needs, and `GET /sandbox/state`."""

    async def answer_state(request: web.Request) -> web.Response:
        try:
            asked = Asked.of(request.query)
        except ValueError as error:
            refusal = {"code": "InvalidParameter", "message": str(error)}
            return web.json_response(refusal, status=400, headers=_HEADERS)
        return web.json_response(state(parts, asked), headers=_HEADERS)

    policy = _POLICY.format(results=parts.signer.origin)
    handlers = {f"/sandbox/{name}": _file(name, policy) for name in _FILES}
    handlers |= {"/": handlers.pop(f"/sandbox/{_PAGE}"), "/sandbox/state": answer_state}
    return [web.get(path, handler, allow_head=False) for path, handler in handlers.items()]


def _file(name: str, policy: str) -> Handler:
    body = files(__package__).joinpath("page", name).read_bytes()
    headers = _HEADERS | {
        "Content-Security-Policy": policy,
        "Content-Type": f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8",
    }

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    return answer
