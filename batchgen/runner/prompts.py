"""The prompt by which the task of a request could be told from others, once its answer is lost."""

from __future__ import annotations

from batchgen.catalog import Model, Request


def repeated_prompt(model: Model, request: Request) -> str | None:
    """The prompt as it is sent, where a task of the model repeats it; None where it does not."""
    if not model.result_shape.repeats_prompt:
        return None
    return request.cut.get("prompt", request.prompt)
