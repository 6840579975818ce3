"""The object store: results behind signed URLs, on a port of its own, where an API key means
nothing.

The URL is OSS's: the path names the file, `Expires` is in Unix seconds, and `Signature` is an HMAC-
SHA1 over both (Object Storage Service, Include signatures in URLs). Refusals are OSS's XML. Ranges
follow OSS's default behaviour too: a range that the file does not have is answered with the whole
file (GetObject, `x-oss-range-behavior`).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4
from xml.sax.saxutils import escape

from aiohttp import web

from batchgen.sandbox.clock import Clock
from batchgen.sandbox.connections import reset
from batchgen.sandbox.disk import in_words
from batchgen.sandbox.faults import Answer, CutShort, Faults, Point, Reset
from batchgen.sandbox.render import Renderer
from batchgen.sandbox.storage.signer import Signer
from batchgen.sandbox.tasks.scheduler import Scheduler
from batchgen.sandbox.tasks.store import Task


class ObjectStore:
    def __init__(
        self, scheduler: Scheduler, renderer: Renderer, signer: Signer, clock: Clock, faults: Faults
    ) -> None:
        self._scheduler = scheduler
        self._renderer = renderer
        self._signer = signer
        self._clock = clock
        self._faults = faults

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get(
            "/1d/{shard}/{day}/{folder}/{task_id:[0-9a-f-]{36}}{place:(-[0-9]+)?}.{kind:mp4|png}",
            self._get,
            allow_head=False,
        )
        return application

    async def _get(self, request: web.Request) -> web.StreamResponse:
        refusal = self._check(request)
        if refusal is not None:
            return refusal
        try:
            task = self._scheduler.by_id(request.match_info["task_id"])
            if task is None or request.path not in map(_path, self._signer.urls(task)):
                return _refused(404, "NoSuchKey", "The specified key does not exist.")
            content = await self._content(task, request.match_info["place"])
        except OSError as error:
            return _refused(503, "ServiceUnavailable", in_words(error))
        return await self._send(request, task, content)

    def _check(self, request: web.Request) -> web.Response | None:
        query = request.query
        if not {"Expires", "OSSAccessKeyId", "Signature"} <= query.keys():
            return _refused(
                403,
                "AccessDenied",
                "You have no right to access this object because of bucket acl.",
            )
        expected = self._signer.signature(request.path, query["Expires"])
        if not hmac.compare_digest(expected.encode(), query["Signature"].encode()):
            return _refused(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided.",
            )
        if self._clock.now() > int(query["Expires"]):
            times = {
                "Expires": _iso(float(query["Expires"])),
                "ServerTime": _iso(self._clock.now()),
            }
            return _refused(403, "AccessDenied", "Request has expired.", **times)
        return None

    async def _content(self, task: Task, place: str) -> bytes:
        assert task.work is not None
        path = await self._renderer.file(task.work, task.id, int(place[1:]) if place else 0)
        return await asyncio.get_running_loop().run_in_executor(None, Path.read_bytes, path)

    async def _send(self, request: web.Request, task: Task, content: bytes) -> web.StreamResponse:
        etag = hashlib.md5(content, usedforsecurity=False)
        span = _range(request, len(content), etag.hexdigest().upper())
        response = web.StreamResponse(
            status=206 if span else 200,
            headers={
                "Content-Type": "image/png" if request.path.endswith(".png") else "video/mp4",
                "Accept-Ranges": "bytes",
                "ETag": f'"{etag.hexdigest().upper()}"',
                "Content-MD5": base64.b64encode(etag.digest()).decode(),
                "x-oss-request-id": uuid4().hex[:24].upper(),
            },
        )
        if span:
            last = span.stop - 1
            response.headers["Content-Range"] = f"bytes {span.start}-{last}/{len(content)}"
            content = content[span.start : span.stop]
        return await self._write(request, response, task, content)

    async def _write(
        self, request: web.Request, response: web.StreamResponse, task: Task, body: bytes
    ) -> web.StreamResponse:
        match self._faults.at(Point.RESULT, model=task.model, prompt=task.prompt):
            case Answer(status, code, message):
                return _refused(status, code, message)
            case Reset():
                reset(request)
                return response
            case CutShort(size):
                rest = size
            case _:
                rest = len(body)
        response.content_length = len(body)
        with suppress(ConnectionResetError):  # whoever asked has gone
            await response.prepare(request)
            await response.write(body[:rest])
        if rest < len(body):
            reset(request)
        return response


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3].partition("?")[0]


def _range(request: web.Request, size: int, etag: str) -> range | None:
    """The bytes asked for; None when all are, when the file does not have them, or when they are an
    older file's.
    """
    asked_of = request.headers.get("If-Range", etag).strip('"')
    if "Range" not in request.headers or asked_of != etag:
        return None
    try:
        return range(*request.http_range.indices(size)) or None
    except ValueError:
        return None


def _refused(status: int, code: str, message: str, **details: str) -> web.Response:
    elements = {"Code": code, "Message": message, "RequestId": uuid4().hex[:24].upper()} | details
    body = "".join(f"  <{name}>{escape(text)}</{name}>\n" for name, text in elements.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n{body}</Error>\n'
    return web.Response(status=status, text=text, content_type="application/xml")


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
