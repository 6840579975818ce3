"""An answer that came piece by piece, as server-sent events, put together again. No network.

Each event carries a document of the usual shape in its ``data:`` lines, with the parts of the
message that are new, and the last one the usage (Wan image generation and editing, 2026-05-30). No
page says whether an event repeats what came before, so one that begins with all of it replaces it,
and a picture counts once. What cannot be read as an event is passed over: it is paid for all the
same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from batchgen.dashscope.answers import ResultError
from batchgen.dashscope.documents import document, items_at, mapping_at, text_at, words_at

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
    parts: list[Mapping[str, Any]] = []
    for event in events:
        merged |= {key: value for key, value in event.items() if key != "output"}
        output |= mapping_at(event, "output") or {}
        parts = _continued(parts, [*_parts(event)])
    if parts:
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


def _parts(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for choice in items_at(mapping_at(event, "output"), "choices"):
        yield from items_at(mapping_at(choice, "message"), "content")


def _continued(
    known: list[Mapping[str, Any]], new: list[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """All parts so far; words that follow upon words become one text."""
    if _begins_with(new, known):
        known = []
    joined, pictures = list(known), set(_pictures(known))
    for part in new:
        words = text_at(part, "text")
        if words and joined and (before := text_at(joined[-1], "text")):
            joined[-1] = {"text": before + words}
        elif words or not pictures.issuperset(_pictures([part])):
            joined.append(part)
    return joined


def _begins_with(new: list[Mapping[str, Any]], known: list[Mapping[str, Any]]) -> bool:
    pictures = _pictures(known)
    return _pictures(new)[: len(pictures)] == pictures and _words(new).startswith(_words(known))


def _pictures(parts: list[Mapping[str, Any]]) -> list[str]:
    return [url for part in parts if (url := text_at(part, "image"))]


def _words(parts: list[Mapping[str, Any]]) -> str:
    return "".join(text_at(part, "text") or "" for part in parts)
