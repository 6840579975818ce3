"""The words of an error page that stands where a result should be.

Object storage answers in XML and may repeat the request's signature in it (``StringToSign``), so
of XML only Code and Message are quoted, and no signature: neither the values of the asked query, or
form, nor another's.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_plus

from yarl import URL

from batchgen.redaction import without_secrets

ERROR_PAGES = frozenset({"text/html", "text/xml", "application/xml", "application/json"})
"""Content types that no result has."""

_WORDS = 200
_OSS_ERROR = re.compile(r"<(Code|Message)>([^<]{1,500})</\1>")
_MARKUP = re.compile(r"<(script|style)\b.*?(</\1>|$)|<[^>]*>?", re.DOTALL | re.IGNORECASE)
_BLANKS = re.compile(r"[\x00-\x20\x7f-\xa0]+")


def page_words(page: bytes, asked: URL, *, secrets: Iterable[str] = ()) -> str:
    """The first 200 characters of a page's text, without markup, controls and signature.

    ``secrets`` are further values that were sent and must not come back.
    """
    text = page.decode(errors="replace")
    if text.lstrip().startswith(("<?xml", "<Error")):
        text = ": ".join(words for _, words in _OSS_ERROR.findall(text))
    text = html.unescape(_MARKUP.sub(" ", text))
    for secret in _longest_first(*_query_values(asked), *secrets):
        text = text.replace(secret, "***")
    return _BLANKS.sub(" ", without_secrets(text)).strip()[:_WORDS]


def _query_values(asked: URL) -> Iterator[str]:
    """Each value as sent and as decoded."""
    for pair in asked.raw_query_string.split("&"):
        raw = pair.partition("=")[2]
        yield from (raw, unquote_plus(raw))


def _longest_first(*values: str) -> list[str]:
    """So that no rest of one remains."""
    return sorted({value for value in values if value}, key=len, reverse=True)
