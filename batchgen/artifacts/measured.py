"""What a media file is, measured from its own bytes, and a bounded way to read it.

A file comes from the network: whatever it claims, reading it costs memory and time that `Source`
bounds. A reader asks for a range, and gets exactly that or `NotMedia`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

MAX_READ = 8 << 20
"""Bytes that one read may ask for; the index of an hour of video is smaller."""


class NotMedia(Exception):
    """The bytes are no whole picture, video or sound; ``reason`` says what they look like."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A whole picture, video or sound.

    Sides are in pixels, ``duration`` is in seconds, ``fps`` in frames a second. What a kind of file
    does not have is None; codecs are the four-character codes of the file. ``alpha`` says whether a
    picture has a channel for transparency, be it used or not.
    """

    media_type: str
    suffix: str
    bytes: int
    width: int | None = None
    height: int | None = None
    alpha: bool | None = None
    duration: float | None = None
    frames: int | None = None
    fps: float | None = None
    video_codec: str | None = None
    audio_codec: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what the sidecar's entry of this file says about its content."""
        return {
            "bytes": self.bytes,
            "media_type": self.media_type,
            "width": self.width,
            "height": self.height,
            "duration": self.duration,
            "frames": self.frames,
            "fps": self.fps,
            "video_codec": self.video_codec,
            "audio_codec": self.audio_codec,
        }


class Source:
    """An open file of known size that answers every question about its bytes or says it is cut."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def read(self, at: int, count: int) -> bytes:
        """Return exactly the bytes ``at .. at + count``; `NotMedia` if they are not all there."""
        if count > MAX_READ:
            raise NotMedia(f"a part of {count} bytes where a small one belongs")
        found = self._pread(count, at) if at + count <= self.size else b""
        if len(found) < count:
            raise NotMedia(f"cut: it ends after {self.size} bytes, before all that it announces")
        return found

    def head(self, count: int) -> bytes:
        """Return the first bytes, fewer if the file is shorter."""
        return self._pread(count, 0)

    def _pread(self, count: int, at: int) -> bytes:
        return os.pread(self._fd, count, at)


class InMemory(Source):
    """The bytes of a file that is not on the disk yet."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    def _pread(self, count: int, at: int) -> bytes:
        return self._content[at : at + count]
