"""The sidecar: what a result is, where it came from and what it cost, in one JSON document.

Rules of this file:

- Every key is always there; null says that there is nothing. Maps and the lists that are never
  without a meaning (`files`, `attempts`) are empty rather than null.
- The document never holds the query of a URL or inlined data, wherever they stood: a signed URL is
  a key to the file, and a sidecar is passed on with it.
- A paid result must never be without its sidecar, so what JSON cannot hold (numbers that are none,
  half characters) is replaced here instead of failing later.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from batchgen.redaction import without_secrets

FORMAT = 1
"""Number of the document's form, in `batchgen.sidecar`; it grows when a reader must know."""


def sidecar(
    *,
    job: str,
    manifest: str,
    model: str,
    prompt: str | None,
    negative_prompt: str | None,
    cut: Mapping[str, str],
    parameters: Mapping[str, Any],
    inputs: Mapping[str, Any],
    task_id: str | None,
    request_id: str | None,
    adopted: bool,
    submitted_at: float | None,
    finished_at: float | None,
    saved_at: float | None,
    orig_prompt: str | None,
    actual_prompt: str | None,
    usage: Mapping[str, Any] | None,
    cost_micros: int | None,
    currency: str | None,
    cost_estimated: bool,
    files: Sequence[Mapping[str, Any]],
    attempts: Sequence[Mapping[str, Any]],
    text: Sequence[str],
    version: str,
) -> dict[str, Any]:
    """Return the document that `Tree.write_sidecar` puts beside the results of a job.

    Times are Unix seconds; ``cost_micros`` is in millionths of the currency, None if unknown.
    ``cut`` is what was sent of a prompt or a negative prompt that was too long. ``adopted`` says
    that the answer to the request was lost, and its task found on the service's list. ``inputs``
    maps each media key to ``{"source", "sha256"}``, or to a list of these, in which a typed item
    says its ``type`` and may hold a ``reference_voice``. An entry of ``files`` joins
    `Published.as_json` and `Measured.as_json`; an entry of ``attempts`` carries the attempt's task
    id and outcome. ``version`` is that of the program.
    """
    document = {
        "job": job,
        "manifest": manifest,
        "model": model,
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        "cut": cut or None,
        "parameters": parameters,
        "inputs": inputs,
        "task_id": task_id,
        "request_id": request_id,
        "adopted": adopted,
        "submitted_at": _iso(submitted_at),
        "finished_at": _iso(finished_at),
        "saved_at": _iso(saved_at),
        "orig_prompt": orig_prompt,
        "actual_prompt": actual_prompt,
        "usage": usage,
        "cost": _cost(cost_micros, currency, estimated=cost_estimated),
        "files": files,
        "attempts": attempts,
        "batchgen": {"version": version, "sidecar": FORMAT},
        "text": text or None,
    }
    return {key: _printable(value) for key, value in document.items()}


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _cost(micros: int | None, currency: str | None, *, estimated: bool) -> dict[str, Any] | None:
    if micros is None:
        return None
    return {"amount": micros / 1_000_000, "currency": currency, "estimated": estimated}


def _printable(value: Any) -> Any:
    """Return a copy that JSON can hold and anybody may read."""
    match value:
        case str():
            return without_secrets(value)
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {without_secrets(str(key)): _printable(part) for key, part in value.items()}
        case Sequence():
            return [_printable(part) for part in value]
        case _:
            return value


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of a document: the same document gives the same bytes."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2, sort_keys=True)
    return f"{text}\n".encode()


def parsed(content: bytes | None) -> dict[str, Any] | None:
    """Return the document that a file holds; None if it is none of ours."""
    try:
        document = json.loads(content or b"")
    except (ValueError, RecursionError):
        return None
    ours = isinstance(document, dict) and isinstance(document.get("batchgen"), dict)
    return document if ours else None


def same_job(standing: Mapping[str, Any] | None, document: Mapping[str, Any]) -> bool:
    """Say whether a standing sidecar describes the job that a new one describes."""
    return standing is not None and all(
        standing.get(key) == document.get(key) for key in ("manifest", "job")
    )
