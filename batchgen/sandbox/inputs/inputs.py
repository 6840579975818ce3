"""Given media: fetched, checked and kept before the task is made, so that a task never waits for
anything.

Rules.
1. The sandbox stays on this machine: `data:` media, those of a loopback address and those uploaded
   to the sandbox are used. A file from elsewhere is taken on trust: its size and length count as
   unknown, and it is drawn as a placeholder.
2. A file is kept once, under the digest of its bytes, however often it is given. The least recently
   given make room for others, but none that a result may still be drawn from.
3. What the service would complain about seconds later is a `Flaw` here.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncGenerator, Callable, Container, Sequence
from contextlib import aclosing
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Protocol, cast
from urllib.parse import SplitResult, unquote, urlsplit
from uuid import uuid4

import aiohttp

from batchgen.sandbox.connections import is_loopback
from batchgen.sandbox.disk import Shelf
from batchgen.sandbox.models import Flaw, InputKind, MediaRule, Model, invalid
from batchgen.sandbox.orders import Input, Wanted

FETCH_SECONDS = 5.0
"""Of the loop, for all media of a request together: a POST is not held for longer."""

CHUNK = 1 << 18

MOST_BYTES = 1 << 30
"""Of media kept."""

_UNREACHABLE = (
    "InvalidParameter.DataInspection",
    "Unable to download the media resource during the data inspection process.",
)
_TIMED_OUT = (
    "InvalidParameter.DataInspection",
    "Download the media resource timed out during the data inspection process.",
)

Resolve = Callable[[str, str, str], Path]
"""Where the file of an account, model and `oss://` key lies; raises Flaw where it has none."""


class Measured(Protocol):
    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def seconds(self) -> float: ...


class Measuring(Protocol):
    """What `measuring.py` offers; the module itself is imported on demand, as its packages are an
    extra.
    """

    def measure(self, path: Path, rule: MediaRule) -> Measured: ...


class Inputs:
    """Files in `folder`; `needed` names those that have to stay. Raises ImportError without the
    extra `sandbox`.
    """

    def __init__(
        self, folder: Path, resolve: Resolve, needed: Callable[[], Container[str]] = tuple
    ) -> None:
        self._measuring = cast("Measuring", import_module(".measuring", __package__))
        self._folder = folder
        self._resolve = resolve
        self._shelf = Shelf(folder, MOST_BYTES, needed)

    async def take_all(self, wanted: Sequence[Wanted], model: Model, account: str) -> list[Input]:
        """All media of a request at the same time. Raises like `take`, for the first that fails."""
        taken = await asyncio.gather(
            *(self.take(each, model, account) for each in wanted), return_exceptions=True
        )
        inputs: list[Input] = []
        for each in taken:
            if isinstance(each, BaseException):
                raise each
            inputs.append(each)
        return inputs

    async def take(self, wanted: Wanted, model: Model, account: str) -> Input:
        """Raises Flaw when the medium cannot be had or read, or is none that the model takes,
        OSError when it cannot be kept.
        """
        parts = _split(wanted.url)
        name = PurePosixPath(unquote(parts.path)).name
        _check_suffix(wanted, name)
        match parts.scheme:
            case "http" | "https" if wanted.kind is InputKind.LINK:
                return _on_trust(wanted, f"{parts.hostname}{parts.path}")
            case "data" if wanted.rule.inlined:
                content = _inlined(wanted.url, wanted.kind)
                return await self._keep(_at_once(content), wanted, f"an inlined {wanted.kind}")
            case "http" | "https" if is_loopback(parts.hostname or ""):
                return await self._keep(_fetched(wanted.url), wanted, parts.path)
            case "http" | "https":
                return _on_trust(wanted, f"{parts.hostname}{parts.path}")
            case "oss":
                key = wanted.url.removeprefix("oss://")
                uploaded = self._resolve(account, model.name, key)
                return await self._keep(_read(uploaded), wanted, name)
        raise Flaw(*_UNREACHABLE)

    async def _keep(
        self, chunks: AsyncGenerator[bytes, None], wanted: Wanted, source: str
    ) -> Input:
        path = await self._stored(chunks, wanted.rule)
        loop = asyncio.get_running_loop()
        measured = await loop.run_in_executor(None, self._measuring.measure, path, wanted.rule)
        return Input(
            role=wanted.role,
            kind=wanted.kind,
            source=source,
            digest=path.name,
            name=wanted.name,
            width=measured.width,
            height=measured.height,
            seconds=round(measured.seconds, 2),
        )

    async def _stored(self, chunks: AsyncGenerator[bytes, None], rule: MediaRule) -> Path:
        """Write the chunks as they come, so that a large file is never in memory."""
        part = self._folder / f"{uuid4()}.part"
        digest, size = hashlib.sha256(), 0
        try:
            with part.open("wb") as file:
                async with aclosing(chunks):
                    async for chunk in chunks:
                        size += len(chunk)
                        if size > rule.megabytes << 20:
                            raise invalid(f"the {rule.kind} is larger than {rule.megabytes} MB")
                        digest.update(chunk)
                        file.write(chunk)
            return self._shelf.put(part, digest.hexdigest())
        finally:
            part.unlink(missing_ok=True)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise Flaw(*_UNREACHABLE) from None


def _on_trust(wanted: Wanted, source: str) -> Input:
    return Input(wanted.role, wanted.kind, source, name=wanted.name)


def _check_suffix(wanted: Wanted, name: str) -> None:
    """A document is known by its name alone."""
    suffix, formats = PurePosixPath(name).suffix.removeprefix(".").lower(), wanted.rule.formats
    if wanted.kind is InputKind.DOCUMENT and suffix not in formats:
        raise invalid(f"the file must be one of {', '.join(formats)}")


def _inlined(url: str, kind: InputKind) -> bytes:
    head, _, data = url.partition(",")
    if not head.startswith(f"data:{kind}/") or not head.endswith(";base64"):
        raise Flaw(*_UNREACHABLE)
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        raise Flaw(*_UNREACHABLE) from None


async def _at_once(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content


async def _read(path: Path) -> AsyncGenerator[bytes, None]:
    loop = asyncio.get_running_loop()
    with path.open("rb") as file:
        while chunk := await loop.run_in_executor(None, file.read, CHUNK):
            yield chunk


async def _fetched(url: str) -> AsyncGenerator[bytes, None]:
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != 200:  # noqa: PLR2004 - HTTP OK
                raise Flaw(*_UNREACHABLE)
            async for chunk in response.content.iter_any():
                yield chunk
    except TimeoutError:
        raise Flaw(*_TIMED_OUT) from None
    except (aiohttp.ClientError, ValueError):
        raise Flaw(*_UNREACHABLE) from None
