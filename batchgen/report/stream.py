"""A standard stream whose trouble never reaches the program.

A reader that has gone, a full disk behind a log, a stream closed before the start: none of them
may decide what becomes of a paid job, so writing here never raises. The trouble is kept for
whoever wants to tell it.
"""

from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import TextIO


class Stream(io.TextIOBase):
    """Writes to ``stream`` until it breaks; None is a stream that was closed from the start."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.trouble: Exception | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has a variable here
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        return self._usable is not None and self._usable.isatty()

    def fileno(self) -> int:
        if self._stream is None:
            raise OSError("a closed stream has no number")
        return self._stream.fileno()

    def write(self, text: str) -> int:
        if self._usable is not None:
            try:
                self._usable.write(self._encodable(text))
            except (OSError, ValueError) as trouble:
                self._give_up(trouble)
        return len(text)

    def flush(self) -> None:
        if self._usable is not None:
            try:
                self._usable.flush()
            except (OSError, ValueError) as trouble:
                self._give_up(trouble)

    def _encodable(self, text: str) -> str:
        """A Latin terminal shows a Chinese name as escapes; it is no trouble."""
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)

    @property
    def _usable(self) -> TextIO | None:
        return self._stream if self.trouble is None else None

    def _give_up(self, trouble: Exception) -> None:
        self.trouble = trouble
        # What stays in the buffer is flushed once more when Python ends, which would fail again
        # and turn the exit code into 120.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
