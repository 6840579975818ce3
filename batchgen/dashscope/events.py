"""An answer that came piece by piece, as server-sent events, put together again. No network.

Each event carries a document of the usual shape in its ``data:`` lines, with the parts of the
message that are new, and the last one the usage (Wan image generation and editing, 2026-05-30). No
page says whether an event repeats what came before, so one that begins with all of it replaces it,
and a picture counts once. What cannot be read as an event is passed over: it is paid for all the
same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchgen.dashscope.answers import ResultError
from batchgen.dashscope.documents import document, mapping_at, text_at, words_at
from batchgen.dashscope.results import parts_in

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Stream:
    """All events as one document; None where there was none. ``error`` is what ended them early."""

    document: Mapping[str, Any] | None
    error: ResultError | None


def gather(body: bytes) -> Stream:
    """Put the events together. A body that is one JSON document is as good as its only event."""
    events = [*_events(body)] or [plain for plain in (document(body),) if plain]
    merged: dict[str, Any] = {}
    output: dict[str, Any] = {}
    content = _Content()
    for event in events:
        merged |= {key: value for key, value in event.items() if key != "output"}
        output |= mapping_at(event, "output") or {}
        content.add([*parts_in(mapping_at(event, "output"))])
    if parts := content.parts:
        output["choices"] = [{"message": {"content": parts}}]
    if output:
        merged["output"] = output
    if (code := words_at(merged, "code")) is None:
        return Stream(merged or None, None)
    return Stream(merged, ResultError(code, words_at(merged, "message") or ""))


def _events(body: bytes) -> Iterator[Mapping[str, Any]]:
    """The data of each event; an empty line ends one, and so does the end."""
    data: list[str] = []
    for line in (*_LINE_END.split(body.decode(errors="replace")), ""):
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            if event := document("\n".join(data).encode()):
                yield event
            data = []


class _Content:
    """All parts so far; words that follow upon words are one text.

    An event costs by its own length: a stream of many small ones is read in one go.
    """

    def __init__(self) -> None:
        self._parts: list[Mapping[str, Any] | list[str]] = []
        """Pictures and others as they came, and of each text its pieces."""
        self._pictures: dict[str, None] = {}
        self._length = 0
        """Of all words, in characters."""

    @property
    def parts(self) -> list[Mapping[str, Any]]:
        return [{"text": "".join(it)} if isinstance(it, list) else it for it in self._parts]

    def add(self, new: Sequence[Mapping[str, Any]]) -> None:
        if self._is_repeated_by(new):
            self._parts, self._pictures, self._length = [], {}, 0
        before = set(self._pictures)
        for part in new:
            if words := text_at(part, "text"):
                self._say(words)
            elif not before.issuperset(_pictures([part])):
                self._parts.append(part)
        self._pictures |= dict.fromkeys(_pictures(new))

    def _say(self, words: str) -> None:
        self._length += len(words)
        if self._parts and isinstance(self._parts[-1], list):
            self._parts[-1].append(words)
        else:
            self._parts.append([words])

    def _is_repeated_by(self, new: Sequence[Mapping[str, Any]]) -> bool:
        words, count = _words(new), len(self._pictures)
        if len(words) < self._length or _pictures(new)[:count] != list(self._pictures):
            return False
        return words.startswith(_words(self.parts))


def _pictures(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    return [url for part in parts if (url := text_at(part, "image"))]


def _words(parts: Iterable[Mapping[str, Any]]) -> str:
    return "".join(text_at(part, "text") or "" for part in parts)
