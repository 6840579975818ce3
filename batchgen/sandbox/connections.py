"""Connections: how one ends badly on purpose, and which are this machine's own."""

from __future__ import annotations

import socket
import struct
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web


def reset(request: web.Request) -> None:
    """End the connection with a TCP reset: without a linger of zero, the kernel would say a polite
    goodbye instead.
    """
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether the name or address is this machine's own; no name but `localhost` is looked up."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_local(request: web.Request) -> bool:
    """Whether this machine was asked for by a name of its own: a web page elsewhere can have its
    own name resolve to it, and would read what is here.
    """
    try:
        return is_loopback(urlsplit(f"//{request.host}").hostname or "")
    except ValueError:
        return False
