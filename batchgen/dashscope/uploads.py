"""A local file into the service's temporary storage: a form, with the file last, once.

Rules:

- The bytes pass through; never more than one piece of them is in memory. Whoever gives the pieces
  may raise to break the upload off, before the storage has a whole file.
- The storage is another host than the service's, named in an answer: it gets no key, no cookie and
  no redirection, and passes the same address policy as a result's host.
- A file's name in the storage must be new: overwriting is refused (Get a temporary file URL,
  2026-05-30), and a file whose answer was lost may lie there already.
- Silence is ended by a time-out that each piece puts off, so a large file may take its time.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from batchgen.dashscope.addresses import AddressPolicy, AddressRefused
from batchgen.dashscope.answers import UploadPolicy
from batchgen.dashscope.pages import page_words
from batchgen.dashscope.transport import FAILURES, describe

_EXPIRED = "Policy expired"
_PAGE = 4096
_FINAL = frozenset(
    {"EntityTooLarge", "EntityTooSmall", "FieldItemTooLong", "InvalidArgument", "InvalidObjectName"}
)
"""The storage's codes that no other try would change (OSS PostObject, error codes). The rest, such
as RequestTimeout, comes with the same statuses and passes.
"""


class UploadTrouble(StrEnum):
    """What to do about a file that was not stored."""

    RETRY = "retry"  #: the same again, later
    LATE = "late"  #: the policy has expired: again at once, with a fresh one
    REFUSED = "refused"  #: asking again gives the same


@dataclass(frozen=True, slots=True)
class Stored:
    """The file lies in the storage; requests name it by ``url`` (``oss://``)."""

    url: str


@dataclass(frozen=True, slots=True)
class NotStored:
    """``reason`` quotes the storage where it said something; ``code`` is its own, else the status,
    and empty where nobody answered.
    """

    trouble: UploadTrouble
    reason: str
    code: str = ""


class Storage:
    """Puts files where an ``UploadPolicy`` allows it. An async context manager.

    ``private_ok`` is true if, and only if, the service's own base URL is private. ``silence`` is
    how long nothing may move, in seconds.
    """

    def __init__(self, *, private_ok: bool, silence: float = 60) -> None:
        self._addresses = AddressPolicy(private_ok, what="upload")
        self._silence = silence

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            force_close=True, limit=0, socket_factory=self._addresses.socket
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def put(
        self, policy: UploadPolicy, name: str, pieces: AsyncIterator[bytes], size: int
    ) -> Stored | NotStored:
        """Store ``size`` bytes under a new ``name``. Raises nothing but CancelledError; what
        ``pieces`` raises breaks the upload off.
        """
        key, form = f"{policy.directory}/{name}", _Form(name)
        try:
            host = self._addresses.admit(URL(policy.host))
            async with asyncio.timeout(self._silence) as silence:
                head = form.head({"key": key, **policy.fields, "success_action_status": "200"})
                async with self._session.post(
                    host,
                    data=_kept_alive(form.around(head, pieces), silence, self._silence),
                    headers=form.headers(len(head) + size),
                    allow_redirects=False,
                ) as response:
                    page = await response.content.read(_PAGE)
        except (AddressRefused, ValueError) as refused:
            return NotStored(UploadTrouble.REFUSED, str(refused))
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.__cause__, AddressRefused):
                return NotStored(UploadTrouble.REFUSED, str(error.__cause__))
            return NotStored(UploadTrouble.RETRY, describe(error, host.host or ""))
        except FAILURES as error:
            return NotStored(UploadTrouble.RETRY, describe(error, host.host or ""))
        if response.status == HTTPStatus.OK:
            return Stored(f"oss://{key}")
        words = page_words(page, host, secrets=policy.fields.values())
        return _not_stored(response.status, words)


class _Form:
    """``multipart/form-data`` around one file (RFC 7578)."""

    def __init__(self, name: str) -> None:
        self._boundary = secrets.token_hex(16)
        self._name = name
        self._tail = f"\r\n--{self._boundary}--\r\n".encode()

    def headers(self, length: int) -> dict[str, str]:
        return {
            "Content-Type": f"multipart/form-data; boundary={self._boundary}",
            "Content-Length": str(length + len(self._tail)),
        }

    def head(self, fields: Mapping[str, str]) -> bytes:
        """Everything before the file: the documented fields, then the file's own header."""
        disposition = f"--{self._boundary}\r\nContent-Disposition: form-data; name="
        parts = [f'{disposition}"{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
        file = f'{disposition}"file"; filename="{self._name}"\r\n'
        return "".join((*parts, file, "Content-Type: application/octet-stream\r\n\r\n")).encode()

    async def around(self, head: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        yield head
        async for piece in pieces:
            yield piece
        yield self._tail


async def _kept_alive(
    pieces: AsyncIterator[bytes], deadline: asyncio.Timeout, seconds: float
) -> AsyncIterator[bytes]:
    """A piece is asked for when the one before it has left."""
    clock = asyncio.get_running_loop().time
    async for piece in pieces:
        deadline.reschedule(clock() + seconds)
        yield piece


def _not_stored(status: int, words: str) -> NotStored:
    """The storage speaks XML: what is not in its words comes from something on the way."""
    code, _, message = words.partition(": ")
    code = code if message and code.isalnum() else f"HTTP {status}"
    reason = f"HTTP {status}: {words or 'no explanation'}"
    if _EXPIRED in words:
        return NotStored(UploadTrouble.LATE, reason, code)
    if code in _FINAL or status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return NotStored(UploadTrouble.REFUSED, reason, code)
    return NotStored(UploadTrouble.RETRY, reason, code)
