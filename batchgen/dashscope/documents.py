"""The service's JSON, read without trust: what is not there, or of another type, is nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from batchgen.redaction import without_secrets

BODY_LIMIT = 2**20
"""Bytes of a JSON answer that are read at most; real ones have a few kilobytes."""

_EVIDENCE = 500
_LONGEST_WORDS = 10_000
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def document(body: bytes) -> Mapping[str, Any] | None:
    """The JSON object of an answer, or None for anything else."""
    if len(body) > BODY_LIMIT:
        return None
    try:
        found = from_json(body, allow_inf_nan=False)
        # 1e999 is read as infinity all the same, and could not be written to a sidecar.
        json.dumps(found, allow_nan=False)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def mapping_at(holder: Mapping[str, Any] | None, key: str) -> Mapping[str, Any] | None:
    """An object, or None."""
    value = (holder or {}).get(key)
    return value if isinstance(value, dict) else None


def items_at(holder: Mapping[str, Any] | None, key: str) -> list[Mapping[str, Any]]:
    """The objects of a list; an item of another type keeps its place, empty."""
    value = (holder or {}).get(key)
    found = value if isinstance(value, list) else []
    return [item if isinstance(item, dict) else {} for item in found]


def text_at(holder: Mapping[str, Any] | None, key: str) -> str | None:
    """A non-empty string, or None."""
    value = (holder or {}).get(key)
    return value if isinstance(value, str) and value else None


def number_at(holder: Mapping[str, Any] | None, key: str) -> int | None:
    """A whole number that is not negative, also where it is written ``10.0``, or None."""
    value = (holder or {}).get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value >= 0 and value == int(value) else None


def words_at(holder: Mapping[str, Any] | None, key: str) -> str | None:
    """A text that will be shown and recorded: it may name a signed URL, never its signature."""
    found = text_at(holder, key)
    return without_secrets(found[:_LONGEST_WORDS]) if found else None


def public(value: Any) -> Any:
    """A copy whose texts may be recorded; numbers stay as received."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {without_secrets(key): public(part) for key, part in value.items()}
    return [public(part) for part in value] if isinstance(value, list) else value


def excerpt(body: bytes) -> str:
    """The start of what cannot be read, for a person."""
    start = body[: 4 * _EVIDENCE].decode(errors="replace")
    return _CONTROLS.sub(" ", without_secrets(start)).strip()[:_EVIDENCE]
