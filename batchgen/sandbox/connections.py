"""Connections: how one ends badly on purpose, and which are this machine's own."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

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


def is_loopback(host: str) -> bool:
    """Whether the name or address is this machine's own; no name but `localhost` is looked up."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
