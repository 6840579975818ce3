"""What a request is to the rules: the points on its way, and what they may match.

The addresses are the service's own (Wan API references; Manage asynchronous tasks; Upload local
files, 2026), and those of results and uploads on the object store's port.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from aiohttp import web

from batchgen.sandbox.faults.rules import Call, Point

TASK_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Way(NamedTuple):
    """The points that a request passes: before the work, where the work changes anything, and
    after it.
    """

    before: Point | None
    after: Point


class Known(Protocol):
    """A task, as far as rules match it."""

    @property
    def id(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def prompt(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def status(self) -> str: ...


Find = Callable[[str], Known | None]
"""A task by its id, whosever it is."""

_WAYS: tuple[tuple[str, str, Way], ...] = (
    ("GET", r"/api/v1/tasks", Way(None, Point.LIST)),
    ("GET", r"/api/v1/tasks/[^/]+", Way(None, Point.QUERY)),
    ("POST", r"/api/v1/tasks/[^/]+/cancel", Way(Point.CANCEL, Point.CANCELED)),
    ("GET", r"/api/v1/uploads", Way(None, Point.POLICY)),
    ("GET|POST", r"/api/v1/(?:models/limits|quotas)", Way(None, Point.LIMITS)),
    ("GET", r"/1d/.+", Way(None, Point.RESULT)),
    ("POST", r"/(?!api/|sandbox/).*", Way(Point.UPLOAD, Point.UPLOADED)),
)
_SUBMIT = re.compile(r"/api/v1/services/.+")


def way_of(request: web.Request) -> Way | None:
    """None for what no rule is about: the sandbox's own pages, and unknown addresses."""
    path = request.path.rstrip("/")
    if request.method == "POST" and _SUBMIT.fullmatch(path):
        if request.headers.get("X-DashScope-Async") == "enable":
            return Way(Point.SUBMIT, Point.TASK_CREATED)
        return Way(Point.GENERATE, Point.GENERATED)
    for methods, pattern, way in _WAYS:
        if request.method in methods.split("|") and re.fullmatch(pattern, path):
            return way
    return None


async def call_of(request: web.Request, way: Way, account: str, find: Find) -> Call:
    """What the rules may match. Raises HTTPException for a body too large to be read."""
    if way.before in {Point.SUBMIT, Point.GENERATE}:
        body = _object(await request.read())
        return Call(str(body.get("model", "")), _prompt(body), account)
    task = _task(request, find)
    if task is not None:
        return Call(task.model, task.prompt, account or task.account, task.status, task.id)
    asked = request.query
    return Call(asked.get("model") or asked.get("model_name", ""), account=account)


def made(answer: str) -> str:
    """The id of the task that an answer to a submit names, "" where it names none."""
    output = _object(answer).get("output")
    return str(output.get("task_id", "")) if isinstance(output, dict) else ""


def _task(request: web.Request, find: Find) -> Known | None:
    named = TASK_ID.search(request.path)
    with suppress(OSError):  # the disk refuses: whoever answers will say so
        return find(named[0]) if named else None
    return None


def _object(content: bytes | str) -> Mapping[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _prompt(body: Mapping[str, Any]) -> str:
    """The words of the request, wherever its family of models has them."""
    match body.get("input"):
        case {"prompt": str(prompt)}:
            return prompt
        case {"messages": [{"content": [*parts]}, *_]}:
            return "".join(str(part["text"]) for part in parts if _has_text(part))
    return ""


def _has_text(part: object) -> bool:
    return isinstance(part, dict) and "text" in part
