"""A form that uploads a file: its fields are checked before the file's first byte is stored, and
the file goes to the disk as it comes (Object Storage Service, PostObject).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from batchgen.sandbox.clock import Clock
from batchgen.sandbox.disk import in_words
from batchgen.sandbox.storage.policy import FormRefused, Policy
from batchgen.sandbox.storage.signer import Signer
from batchgen.sandbox.storage.uploads import Uploads
from batchgen.sandbox.storage.xml import refused, request_id

CHUNK = 1 << 18
LARGEST_FIELD = 8 << 10
LONGEST_KEY = 1023
"""Bytes (Object Storage Service, Object names)."""

_MALFORMED = "The body of your POST request is not well-formed."


class Forms:
    def __init__(self, uploads: Uploads, signer: Signer, clock: Clock) -> None:
        self._uploads = uploads
        self._signer = signer
        self._clock = clock

    async def post(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._stored(request)
        except FormRefused as refusal:
            return refused(refusal.status, refusal.code, refusal.message)
        except (ValueError, BadHttpMessage):  # what aiohttp finds wrong with a form's parts
            return refused(400, "MalformedPOSTRequest", _MALFORMED)
        except web.RequestPayloadError:
            request.content.feed_eof()  # or the server reads on, and stumbles itself
            answer = refused(400, "MalformedPOSTRequest", _MALFORMED)
            answer.force_close()
            return answer
        except OSError as error:
            return refused(503, "ServiceUnavailable", in_words(error))

    async def _stored(self, request: web.Request) -> web.Response:
        if request.content_type != "multipart/form-data":
            raise FormRefused(400, "MalformedPOSTRequest", _MALFORMED)
        fields, file = await _form(request)
        policy = Policy.of(fields, self._signer)
        policy.check(fields, self._clock.now())
        key = fields["key"].replace("${filename}", file.filename or "")
        if len(key.encode()) > LONGEST_KEY:
            raise FormRefused(400, "InvalidObjectName", "The specified object is not valid.")
        part = self._uploads.part()
        try:
            digest = await _written(file, part, policy.most_bytes)
            self._uploads.keep(part, key)
        finally:
            part.unlink(missing_ok=True)
        return web.Response(
            status=_status(fields.get("success_action_status", "")),
            headers={"ETag": f'"{digest}"', "x-oss-request-id": request_id()},
        )


async def _form(request: web.Request) -> tuple[dict[str, str], BodyPartReader]:
    """The fields before the file, and the file. What comes after it is not looked at."""
    fields: dict[str, str] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            break
        if part.name == "file":
            return fields, part
        fields[part.name or ""] = await _text(part)
    raise FormRefused(400, "InvalidArgument", "POST requires exactly one file upload per request.")


async def _text(part: BodyPartReader) -> str:
    content = b""
    async for chunk in _chunks(part):
        content += chunk
        if len(content) > LARGEST_FIELD:
            raise FormRefused(
                400, "FieldItemTooLong", "Your form field exceeds the maximum allowed size."
            )
    return content.decode()


async def _written(file: BodyPartReader, path: Path, most_bytes: int) -> str:
    """The MD5 of what was written."""
    loop, size = asyncio.get_running_loop(), 0
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("wb") as target:
        async for chunk in _chunks(file):
            size += len(chunk)
            if size > most_bytes:
                raise FormRefused(
                    400,
                    "EntityTooLarge",
                    "Your proposed upload exceeds the maximum allowed size.",
                )
            digest.update(chunk)
            await loop.run_in_executor(None, target.write, chunk)
        target.flush()
        # Before the row that says there is a file.
        await loop.run_in_executor(None, os.fsync, target.fileno())
    return digest.hexdigest().upper()


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(CHUNK):
        yield chunk


def _status(asked: str) -> int:
    """204 where nothing, or nothing that there is, was asked for."""
    return int(asked) if asked in {"200", "201"} else HTTPStatus.NO_CONTENT
