"""What a whole command came to, as one JSON document for whoever was not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from batchgen.errors import BatchgenError, ExitCode
from batchgen.report.errors import bug_data, refusal_data
from batchgen.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """The end of a command. Times are Unix seconds."""

    command: str
    began_at: float
    ended_at: float
    exit_code: ExitCode
    batches: Sequence[Mapping[str, Any]] = ()
    """In the order in which they were run, each as ``--json`` prints it."""
    not_started: Sequence[str] = ()
    """Batches that were not come to."""
    error: BaseException | None = None
    """What ended the command itself, before its batches or between them."""


def handover_data(handover: Handover) -> dict[str, Any]:
    """The document: one object, however many manifests there were; all keys always there."""
    return {
        "batchgen": VERSION,
        "command": handover.command,
        "began_at": _moment(handover.began_at),
        "ended_at": _moment(handover.ended_at),
        "exit_code": int(handover.exit_code),
        "meaning": handover.exit_code.meaning,
        "batches": list(handover.batches),
        "not_started": list(handover.not_started),
        **_error(handover),
    }


def _error(handover: Handover) -> dict[str, Any]:
    error, code = handover.error, handover.exit_code
    if isinstance(error, BatchgenError):
        told = refusal_data(error)
        return {key: told[key] for key in ("error", "problems", "warnings")}
    known: dict[str, object] | None = None
    if error is not None:
        known = {"exit_code": int(code), "message": code.meaning, "hint": None}
        known = bug_data(error) if code is ExitCode.BUG else known
    return {"error": known, "problems": [], "warnings": []}


def _moment(seconds: float) -> str:
    """With the offset of the local zone, which a person compares with the clock on the wall."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
