"""How the object store refuses: with XML (Object Storage Service, Error responses)."""

from __future__ import annotations

from uuid import uuid4
from xml.sax.saxutils import escape

from aiohttp import web


def refused(status: int, code: str, message: str, **details: str) -> web.Response:
    request = request_id()
    elements = {"Code": code, "Message": message, "RequestId": request} | details
    body = "".join(f"  <{name}>{escape(text)}</{name}>\n" for name, text in elements.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n{body}</Error>\n'
    headers = {"x-oss-request-id": request}
    return web.Response(status=status, text=text, content_type="application/xml", headers=headers)


def request_id() -> str:
    return uuid4().hex[:24].upper()
