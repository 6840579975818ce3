"""Local media on their way into a request: read, held against what was planned, inlined."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from batchgen.catalog import Media


class MediaChanged(Exception):
    """A local file is no longer what the manifest was checked with."""


async def inline(
    media: Mapping[str, tuple[Media, ...]], folder: Path
) -> dict[str, tuple[str, ...]]:
    """What goes on the wire for each input: a URL as it is, a local file as a data URI.

    Local paths count from ``folder``, where the manifest lies. Raises MediaChanged where
    a file is gone or holds other bytes than were planned.
    """
    loop = asyncio.get_running_loop()
    return {
        key: tuple([await loop.run_in_executor(None, _on_the_wire, item, folder) for item in items])
        for key, items in media.items()
    }


def _on_the_wire(item: Media, folder: Path) -> str:
    if item.sha256 is None:
        return item.source
    path = folder / item.source
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MediaChanged(f"{item.source} cannot be read any more: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != item.sha256:
        raise MediaChanged(f"{item.source} has changed since the manifest was read")
    return f"data:{item.media_type};base64,{base64.b64encode(content).decode()}"
