"""Takes out of a text what would let its reader in: queries and passwords of URLs, inlined data.

Whatever the service or a manifest says may name a signed URL, and journals, sidecars and summaries
are passed on.
"""

from __future__ import annotations

import re

_QUERY = re.compile(r"\b([a-z][a-z0-9+.-]{0,30}://[^\s?#\"'<>]*)[?#][^\s\"'<>]*", re.IGNORECASE)
_USERINFO = re.compile(r"\b([a-z][a-z0-9+.-]{0,30}://)[^\s/?#@\"'<>]*@", re.IGNORECASE)
_INLINED = re.compile(r"\b(data:[\w.+-]*(?:/[\w.+-]+)?)(?:;[\w.=+-]+)*,[^\s\"'<>]+", re.IGNORECASE)
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


def without_secrets(text: str) -> str:
    """Return a text without the queries and passwords of its URLs and without inlined data.

    ``https://host/a.png?Signature=x`` becomes ``https://host/a.png``, and
    ``data:image/png;base64,iVBO`` becomes ``data:image/png``.
    """
    # Nearly every text has nothing of the kind, and to search it takes longer than to see that.
    if "://" in text:
        text = _USERINFO.sub(r"\1", _QUERY.sub(r"\1", text))
    if ":" in text and "," in text:
        text = _INLINED.sub(r"\1", text)
    return text if text.isascii() else _HALF_CHARACTER.sub("\ufffd", text)
