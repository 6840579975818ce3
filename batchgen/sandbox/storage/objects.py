"""The object store: results behind signed URLs and forms for uploads, on a port of its own, where
an API key means nothing.

The URL is OSS's: the path names the file, `Expires` is in Unix seconds, and `Signature` is an HMAC-
SHA1 over both and the method, so that a URL to GET is none to HEAD (Object Storage Service, Include
signatures in URLs). Refusals are OSS's XML. Ranges follow OSS's default behaviour too: a range that
the file does not have is answered with the whole file (GetObject, `x-oss-range-behavior`).
Conditions are those of HTTP (GetObject, Request headers; RFC 9110, 13.2.2).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Handler

from batchgen.sandbox.clock import Clock
from batchgen.sandbox.connections import is_local
from batchgen.sandbox.disk import in_words
from batchgen.sandbox.faults import Faults, middleware, refusals
from batchgen.sandbox.render import Renderer
from batchgen.sandbox.storage.checksums import crc64
from batchgen.sandbox.storage.forms import Forms
from batchgen.sandbox.storage.signer import ACCESS_KEY_ID, Signer
from batchgen.sandbox.storage.uploads import FORM_PATH, Uploads
from batchgen.sandbox.storage.xml import refused, request_id
from batchgen.sandbox.tasks.scheduler import Scheduler
from batchgen.sandbox.tasks.task import Status, Task

_log = logging.getLogger(__name__)

_RESULT = re.compile(r"/1d/.+/(?P<task>[0-9a-f-]{36}?)(?:-(?P<place>\d+)\.png|\.mp4)")


@dataclass(frozen=True, slots=True)
class Stored:
    """A result, with the checksums of the whole of it: they go with each part, too."""

    content: bytes
    md5: bytes
    crc64: int

    @classmethod
    def read(cls, path: Path) -> Self:
        content = path.read_bytes()
        md5 = hashlib.md5(content, usedforsecurity=False).digest()
        return cls(content, md5, crc64(content))


class ObjectStore:
    def __init__(
        self,
        *,
        scheduler: Scheduler,
        renderer: Renderer,
        signer: Signer,
        uploads: Uploads,
        clock: Clock,
        faults: Faults,
    ) -> None:
        self._scheduler = scheduler
        self._renderer = renderer
        self._signer = signer
        self._forms = Forms(uploads, signer, clock)
        self._clock = clock
        self._faults = faults

    def application(self) -> web.Application:
        misbehaving = middleware(
            self._faults,
            find=self._scheduler.by_id,
            refuse=lambda _, *refusal: refused(*refusal),
            account=lambda _: "",
        )
        application = web.Application(middlewares=[_answered, misbehaving])
        application.on_response_prepare.append(_named)
        application.router.add_post(FORM_PATH, self._forms.post)
        application.router.add_get("/{key:.*}", self._get)
        application.router.add_route("*", "/{key:.*}", _refuse_method)
        return application

    async def _get(self, request: web.Request) -> web.StreamResponse:
        refusal = self._check(request)
        if refusal is not None:
            return refusal
        try:
            found = self._found(request.path)
            if found is None:
                return refused(404, "NoSuchKey", "The specified key does not exist.")
            stored = await self._stored(*found)
        except OSError as error:
            return refused(503, "ServiceUnavailable", in_words(error))
        return _sent(request, stored, found[0])

    def _check(self, request: web.Request) -> web.Response | None:
        query = request.query
        if not {"Expires", "OSSAccessKeyId", "Signature"} <= query.keys():
            return refused(
                403,
                "AccessDenied",
                "You have no right to access this object because of bucket acl.",
            )
        if query["OSSAccessKeyId"] != ACCESS_KEY_ID:
            return refused(
                403,
                "InvalidAccessKeyId",
                "The OSS Access Key Id you provided does not exist in our records.",
            )
        text = self._signer.result_text(request.path, query["Expires"], request.method)
        if not self._signer.is_right(query["Signature"], text):
            return refused(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided.",
            )
        if self._clock.now() > int(query["Expires"]):
            times = {
                "Expires": _iso(float(query["Expires"])),
                "ServerTime": _iso(self._clock.now()),
            }
            return refused(403, "AccessDenied", "Request has expired.", **times)
        return None

    def _found(self, path: str) -> tuple[Task, int] | None:
        """The task of a result, and its place: from 1 for images, 0 for a video. A streamed answer
        names its images while the task still runs.
        """
        named = _RESULT.fullmatch(path)
        known = self._scheduler.by_id(named["task"]) if named else None
        if named is None or known is None:
            return None
        task, place = known.foreseen(), int(named["place"] or 0)
        if task.status is not Status.SUCCEEDED or path not in self._signer.paths(task):
            return None
        return task, place

    async def _stored(self, task: Task, place: int) -> Stored:
        assert task.work is not None
        path = await self._renderer.file(task.work, task.id, place)
        return await asyncio.get_running_loop().run_in_executor(None, Stored.read, path)


def _sent(request: web.Request, stored: Stored, task: Task) -> web.Response:
    content, md5 = stored.content, stored.md5
    etag, modified = md5.hex().upper(), int(task.ended or 0)
    if _has_changed(request, etag, modified):
        return refused(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold.",
        )
    version = {"ETag": f'"{etag}"', "Last-Modified": formatdate(modified, usegmt=True)}
    if _is_known(request, etag, modified):
        return web.Response(status=304, headers=version)
    span = _range(request, len(content), etag)
    response = web.Response(
        status=206 if span else 200,
        headers=version
        | {
            "Content-Type": "image/png" if request.path.endswith(".png") else "video/mp4",
            "Accept-Ranges": "bytes",
            "Content-MD5": base64.b64encode(md5).decode(),
            "x-oss-hash-crc64ecma": str(stored.crc64),
            "x-oss-object-type": "Normal",
            "x-oss-storage-class": "Standard",
        },
        body=content[span.start : span.stop] if span else content,
    )
    if span:
        response.headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{len(content)}"
    return response


def _has_changed(request: web.Request, etag: str, modified: int) -> bool:
    """Whether a client wants another version than this one, or none this new."""
    if "If-Match" in request.headers:
        return not _names(request.headers["If-Match"], etag)
    since = request.if_unmodified_since
    return since is not None and modified > since.timestamp()


def _is_known(request: web.Request, etag: str, modified: int) -> bool:
    """Whether a client has this version already; an ETag says more than a time."""
    if "If-None-Match" in request.headers:
        return _names(request.headers["If-None-Match"], etag)
    since = request.if_modified_since
    return since is not None and modified <= since.timestamp()


def _names(header: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return not tags.isdisjoint({"*", etag})


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


@web.middleware
async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever happens, the answer is the store's XML."""
    if not is_local(request):
        return refused(403, "AccessDenied", "This machine is not asked for by a name of its own.")
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:  # noqa: BLE001 - a bug must not become HTML
        _log.exception("the object store failed at a %s", request.method)
        known = refusals.STORE["InternalError"]
        return refused(known.status, "InternalError", known.message)


async def _named(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "AliyunOSS"
    response.headers.setdefault("x-oss-request-id", request_id())


async def _refuse_method(_: web.Request) -> web.StreamResponse:
    return refused(
        405, "MethodNotAllowed", "The specified method is not allowed against this resource."
    )


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
