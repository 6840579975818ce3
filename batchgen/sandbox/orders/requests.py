"""What stands in a request's body, and the cheap checks that refuse it at once.

Unknown fields are ignored and an over-long prompt is cut, as the service does, without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from batchgen.sandbox.models import Form, Model, invalid
from batchgen.sandbox.orders.refusal import Refusal

UPLOADED = "oss://"
"""Begins the address of a file in the service's own temporary store."""


def section(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """`input` or `parameters`; anything but an object counts as empty."""
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def present(path: str, body: Mapping[str, Any]) -> bool:
    """Whether `input.prompt`, or whatever the path names, holds something."""
    part, _, field = path.partition(".")
    return bool(section(body, part).get(field))


def check_required(model: Model, body: Mapping[str, Any]) -> None:
    """The cheap check at submit. Raises Refusal (400 `InvalidParameter`, "Field required: ...")."""
    for path in model.required:
        if not present(path, body):
            raise Refusal(400, "InvalidParameter", f"Field required: {path}")


def check_uploads(body: Mapping[str, Any], *, resolving: bool) -> None:
    """Refuse `oss://` addresses without `X-DashScope-OssResourceResolve: enable` (Get a temporary
    file URL, 2026). Raises Refusal (400 `InvalidParameter.DataInspection`).
    """
    if not resolving and any(text.startswith(UPLOADED) for text in _texts(section(body, "input"))):
        raise Refusal(
            400,
            "InvalidParameter.DataInspection",
            "Unable to download the media resource during the data inspection process.",
        )


def prompt_of(model: Model, body: Mapping[str, Any]) -> str:
    """The prompt, cut to the model's limit; "" when there is none."""
    given = section(body, "input")
    if model.media.form is Form.MESSAGES:
        text = "".join(map(str, message_parts(given.get("messages"), "text")))
    else:
        text = given.get("prompt") or ""
    return str(text)[: model.prompt_limit]


def message_parts(messages: Any, kind: str) -> list[Any]:
    """The `text` or `image` parts of the only message; none where there are several."""
    match messages:
        case [{"content": list(parts)}]:
            return [part[kind] for part in parts if isinstance(part, dict) and kind in part]
    return []


def function_of(model: Model, body: Mapping[str, Any]) -> str:
    """What an editing model is asked to do; "" for all others, whatever the field holds, as the
    official SDK always sends one. Raises Flaw for a function that does not exist.
    """
    if not model.functions:
        return ""
    function = section(body, "input").get("function")
    if not isinstance(function, str) or function not in model.functions:
        raise invalid(f"function must be one of {', '.join(model.functions)}")
    return function


def variant(model: Model, body: Mapping[str, Any]) -> Model:
    """The model as this request uses it: with what its function or mode changes. Raises
    Flaw.
    """
    function = function_of(model, body)
    if function:
        return model.functions[function]
    parameters = section(body, "parameters")
    for mode, chosen in model.modes.items():
        if mode == "text":
            wanted = not message_parts(section(body, "input").get("messages"), "image")
        else:
            wanted = parameters.get(f"enable_{mode}") is True
        if wanted:
            return chosen
    return model


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)
