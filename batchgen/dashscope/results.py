"""Where results stand in an answer: each family of models has its own place. No network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from batchgen.catalog import ResultShape
from batchgen.dashscope.answers import ResultError, ResultUrl
from batchgen.dashscope.documents import items_at, mapping_at, text_at, words_at


def results_in(
    output: Mapping[str, Any], shape: ResultShape
) -> tuple[ResultUrl | ResultError, ...]:
    """Where the shape says, else anywhere known: a result in another family's place is still
    paid for.
    """
    readers = {
        ResultShape.VIDEO_URL: _video,
        ResultShape.RESULTS_VIDEO_URL: _video_in_results,
        ResultShape.RESULTS: _listed,
        ResultShape.CHOICES: _chosen,
    }
    for read in (readers[shape], *readers.values()):
        if results := tuple(read(output)):
            return results
    return ()


def _video(output: Mapping[str, Any]) -> Iterator[ResultUrl]:
    if url := text_at(output, "video_url"):
        yield ResultUrl(url)


def _video_in_results(output: Mapping[str, Any]) -> Iterator[ResultUrl]:
    yield from _video(mapping_at(output, "results") or {})


def _listed(output: Mapping[str, Any]) -> Iterator[ResultUrl | ResultError]:
    for item in items_at(output, "results"):
        if url := text_at(item, "url"):
            yield ResultUrl(url)
        else:
            yield ResultError(words_at(item, "code") or "", words_at(item, "message") or "")


def _chosen(output: Mapping[str, Any]) -> Iterator[ResultUrl]:
    for part in parts_in(output):
        if url := text_at(part, "image"):
            yield ResultUrl(url)


def parts_in(output: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """The texts and pictures of a message, in their order."""
    for choice in items_at(output, "choices"):
        yield from items_at(mapping_at(choice, "message"), "content")
