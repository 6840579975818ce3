"""Two loopback servers and what they share: a port that stays the same, and a `Date` from the
sandbox's clock.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from email.utils import formatdate

from aiohttp import web

from batchgen.sandbox.clock import Clock
from batchgen.sandbox.database import Database


def listen(host: str, port: int | None, database: Database, name: str) -> socket.socket:
    """A listening socket on `port`, else on the one remembered as `name`, else on any free one;
    remembered again.

    A URL handed out before a restart goes on working that way. Raises OSError when a port that was
    asked for is taken, or the new one cannot be remembered.
    """
    remembered = database.recall(name)
    if port is None and remembered is not None:
        try:
            return _bound(host, int(remembered))
        except OSError:
            pass
    listener = _bound(host, port or 0)
    try:
        database.remember(name, listener.getsockname()[1])
    except OSError:
        listener.close()
        raise
    return listener


async def serve(
    application: web.Application, listener: socket.socket, clock: Clock, database: Database
) -> web.AppRunner:
    """Every answer carries the clock's time, and the database remembers the clock before it does,
    unless the disk refuses.
    """

    async def dated(_: web.Request, response: web.StreamResponse) -> None:
        now = clock.now()
        with suppress(OSError):
            database.remember("clock", now)
        response.headers["Date"] = formatdate(now, usegmt=True)

    application.on_response_prepare.append(dated)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    return runner


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port), reuse_port=False)
    listener.setblocking(False)
    return listener
