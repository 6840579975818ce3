"""Input pictures: fetched, checked and kept before the task is made, so that a task never waits for
anything.

The sandbox stays on this machine: `data:` pictures and those of a loopback address are used, a
picture from elsewhere is taken on trust and drawn as a placeholder. What the service would complain
about seconds later is a `Flaw` here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from batchgen.sandbox.connections import is_loopback
from batchgen.sandbox.disk import whole
from batchgen.sandbox.models import Model
from batchgen.sandbox.models.geometry import Flaw
from batchgen.sandbox.orders import Picture
from batchgen.sandbox.render import Renderer

MOST_BYTES = 20 << 20
"""Of one picture (Image-to-video API reference, 2026: 20 MB)."""

FETCH_SECONDS = 10.0

_UNREACHABLE = Flaw(
    "InvalidParameter.DataInspection",
    "Unable to download the media resource during the data inspection process.",
)
_TIMED_OUT = Flaw(
    "InvalidParameter.DataInspection",
    "Download the media resource timed out during the data inspection process.",
)


class Pictures:
    def __init__(self, folder: Path, renderer: Renderer) -> None:
        self._folder = folder
        self._renderer = renderer

    async def take(self, url: str, model: Model) -> Picture:
        """Raises Flaw when the picture cannot be had, read, or is not of a size the model takes,
        OSError when it cannot be kept.
        """
        parts = urlsplit(url)
        match parts.scheme:
            case "data":
                return await self._keep(_inlined(url), "an inlined picture", model)
            case "http" | "https" if is_loopback(parts.hostname or ""):
                return await self._keep(await _fetched(url), parts.path, model)
            case "http" | "https":
                return Picture("", f"{parts.hostname}{parts.path}")
        raise _UNREACHABLE

    async def _keep(self, content: bytes, source: str, model: Model) -> Picture:
        digest = hashlib.sha256(content).hexdigest()
        path = self._folder / digest
        if not path.exists():
            with whole(path) as part:
                part.write_bytes(content)
        width, height = await self._renderer.measure(path)
        least, most = model.picture_sides
        if not least <= min(width, height) <= max(width, height) <= most:
            raise Flaw(
                "InvalidParameter",
                f"the sides of the image must be in [{least}, {most}] pixels, not {width}*{height}",
            )
        return Picture(digest, source, width, height)


def _inlined(url: str) -> bytes:
    head, _, data = url.partition(",")
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise _UNREACHABLE
    try:
        content = base64.b64decode(data, validate=True)
    except binascii.Error:
        raise _UNREACHABLE from None
    _check_size(content)
    return content


async def _fetched(url: str) -> bytes:
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != 200:  # noqa: PLR2004 - HTTP OK
                raise _UNREACHABLE
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                _check_size(content)
            return bytes(content)
    except TimeoutError:
        raise _TIMED_OUT from None
    except aiohttp.ClientError:
        raise _UNREACHABLE from None


def _check_size(content: bytes | bytearray) -> None:
    if len(content) > MOST_BYTES:
        raise Flaw("InvalidParameter", f"the image is larger than {MOST_BYTES >> 20} MB")
