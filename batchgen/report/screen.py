"""Where a command speaks: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.text import Text

from batchgen.report.stream import Stream

_NO_WIDTH = 1_000
"""Of what is no terminal: lines in a log or a pipe are for grep, and are not broken."""


class Screen:
    """The two standard streams. Writing never raises; ``trouble`` keeps what went wrong.

    ``NO_COLOR`` and ``TERM=dumb`` are respected.
    """

    def __init__(self) -> None:
        self._results = Stream(sys.stdout)
        self._out = _console(self._results)
        self.notes = _console(Stream(sys.stderr))

    def tell(self, *results: RenderableType) -> None:
        """Show results."""
        for result in results:
            self._out.print(result)

    def tell_json(self, document: Mapping[str, Any], *, indent: int | None = None) -> None:
        """Write one JSON object, on a line of its own unless it is indented for people."""
        # ASCII, so that no control character and no lone surrogate gets through.
        self._results.write(json.dumps(document, indent=indent) + "\n")
        self._results.flush()

    def say(self, *notes: str) -> None:
        """Write lines that are no results; they are clean already."""
        for note in notes:
            self.notes.print(Text(note), soft_wrap=not self.notes.is_terminal)

    def restore(self) -> None:
        """Give the terminal back as it was, in the middle of a panel."""
        if self.notes.is_terminal:
            self.notes.show_cursor()
            self.notes.file.write("\n")

    @property
    def trouble(self) -> Exception | None:
        """Why results were not written; a reader that wants no more of them is no trouble."""
        trouble = self._results.trouble
        return None if isinstance(trouble, BrokenPipeError) else trouble


def _console(stream: Stream) -> Console:
    file: TextIO = stream  # type: ignore[assignment]  # typeshed: TextIOBase is no TextIO
    width = None if stream.isatty() else _NO_WIDTH
    return Console(file=file, width=width, markup=False, emoji=False, highlight=False)
