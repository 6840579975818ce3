"""Answers that arrive whole and say something else."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

from batchgen.sandbox.faults.actions import Change, Corrupt, Flap, Gzip, Omit
from batchgen.sandbox.faults.reply import Reply


def changed(action: Change, reply: Reply) -> Reply:
    match action:
        case Corrupt(size):
            return replace(reply, body=_flipped(reply.body, size))
        case Gzip():
            headers = reply.headers.copy()
            headers["Content-Encoding"] = "gzip"
            return replace(reply, headers=headers, body=gzip.compress(reply.body))
        case Flap(status):
            return replace(reply, body=_flapped(reply.body, status))
        case Omit(rows):
            return replace(reply, body=_without(reply.body, rows))


def _flipped(body: bytes, size: int) -> bytes:
    start = max(0, (len(body) - size) // 2)
    middle = bytes(byte ^ 0xFF for byte in body[start : start + size])
    return body[:start] + middle + body[start + len(middle) :]


def _flapped(body: bytes, status: str) -> bytes:
    answer = json.loads(body)
    task_id = answer["output"]["task_id"]
    output = {"task_id": task_id, "task_status": status}
    return _json({"request_id": answer["request_id"], "output": output})


def _without(body: bytes, rows: int | None) -> bytes:
    answer = json.loads(body)
    return _json(answer | {"data": [] if rows is None else answer["data"][rows:]})


def _json(answer: object) -> bytes:
    return json.dumps(answer, ensure_ascii=False).encode()
