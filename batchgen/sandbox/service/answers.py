"""The JSON the service answers with, by family of models (Wan API references; Manage asynchronous
tasks, 2026).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from batchgen.sandbox.models import MODELS, Model, Shape
from batchgen.sandbox.orders import Order
from batchgen.sandbox.tasks.store import Status, Task

ZONE = timezone(timedelta(hours=8))
"""The service writes times in UTC+8, without an offset."""


def submitted(task: Task) -> dict[str, Any]:
    return {
        "output": {"task_status": task.status, "task_id": task.id},
        "request_id": task.request_id,
    }


def unknown(task_id: str, request_id: str) -> dict[str, Any]:
    """Not there, not yours, or over 24 hours old: HTTP 200 with two keys (Text-to-video API
    reference).
    """
    return {"request_id": request_id, "output": {"task_id": task_id, "task_status": "UNKNOWN"}}


def task(task: Task, urls: Sequence[str], request_id: str) -> dict[str, Any]:
    """The answer to a query; `urls` are the results of a task that succeeded."""
    model = MODELS[task.model]
    output: dict[str, Any] = {"task_id": task.id, "task_status": task.status} | _times(task)
    answer: dict[str, Any] = {"request_id": request_id, "output": output}
    if model.shape is Shape.RESULTS:
        output["task_metrics"] = _metrics(task)
    if task.status is Status.FAILED:
        output |= {"code": task.code, "message": task.message}
    if task.status is Status.SUCCEEDED and task.work:
        output |= _SHAPES[model.shape](model, task.work, urls)
        answer["usage"] = {key: _USAGE[key](task.work) for key in model.usage}
        if model.float_seconds:
            answer["usage"] |= {key: float(answer["usage"][key]) for key in _FLOATS}
    return answer


def listed(task: Task, path: str, region: str) -> dict[str, Any]:
    """A row of the task list: no result, no error code; times in milliseconds."""
    group, function = path.split("/")
    return {
        "task_id": task.id,
        "model_name": task.model,
        "status": task.status,
        "region": region,
        "request_id": task.request_id,
        "api_key_id": "1",
        "caller_uid": task.account,
        "caller_parent_id": task.account,
        "gmt_create": _milliseconds(task.created),
        "start_time": _milliseconds(task.scheduled),
        "end_time": _milliseconds(task.ended),
        "user_api_unique_key": f"apikey:v1:aigc:{group}:{function}:{task.model}",
    }


def _times(task: Task) -> dict[str, str]:
    times = {"submit_time": task.created, "scheduled_time": task.scheduled, "end_time": task.ended}
    return {name: _local(time) for name, time in times.items() if time is not None}


def _local(time: float) -> str:
    moment = datetime.fromtimestamp(round(time, 3), UTC).astimezone(ZONE)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def _milliseconds(time: float | None) -> int | None:
    return None if time is None else round(time * 1000)


def _metrics(task: Task) -> dict[str, int]:
    total = task.work.images if task.work else 0
    return {
        "TOTAL": total,
        "SUCCEEDED": total if task.status is Status.SUCCEEDED else 0,
        "FAILED": total if task.status is Status.FAILED else 0,
    }


def _prompts(model: Model, order: Order) -> dict[str, str]:
    prompts = {"orig_prompt": order.prompt}
    if model.rewrites and order.extend:
        prompts["actual_prompt"] = f"{order.prompt} Soft natural light, slow camera, rich detail."
    return prompts


def _video(model: Model, order: Order, urls: Sequence[str]) -> dict[str, Any]:
    return {"video_url": urls[0]} | _prompts(model, order)


def _results(model: Model, order: Order, urls: Sequence[str]) -> dict[str, Any]:
    return {"results": [_prompts(model, order) | {"url": url} for url in urls]}


def _choices(_: Model, order: Order, urls: Sequence[str]) -> dict[str, Any]:
    contents = [[{"type": "image", "image": url}] for url in urls]
    if order.story:
        contents = [
            [{"type": "text", "text": f"Picture {place}: {order.prompt}"}, *content]
            for place, content in enumerate(contents, 1)
        ]
    if order.together:
        contents = [[part for content in contents for part in content]]
    return {"finished": True, "choices": [_choice(content) for content in contents]}


def _choice(content: list[dict[str, str]]) -> dict[str, Any]:
    return {"finish_reason": "stop", "message": {"role": "assistant", "content": content}}


_SHAPES: dict[Shape, Callable[[Model, Order, Sequence[str]], dict[str, Any]]] = {
    Shape.VIDEO_URL: _video,
    Shape.RESULTS: _results,
    Shape.CHOICES: _choices,
}


def _tokens(order: Order) -> int:
    """Not billed; 0 for wan2.6 images, above for wan2.7 and interleaved answers."""
    return 4 * len(order.prompt.encode()) if order.together else 0


_FLOATS = ("duration", "output_video_duration")

_USAGE: dict[str, Callable[[Order], object]] = {
    "duration": lambda order: order.seconds,
    "output_video_duration": lambda order: order.seconds,
    "input_video_duration": lambda _: 0,
    "video_duration": lambda order: order.seconds,
    "video_ratio": lambda _: "standard",
    "video_count": lambda _: 1,
    "fps": lambda order: order.fps,
    "SR": lambda order: int(order.tier.removesuffix("P")),
    "ratio": lambda order: order.ratio,
    "size": lambda order: f"{order.width}*{order.height}",
    "audio": lambda order: order.sound,
    "image_count": lambda order: order.images,
    "input_tokens": _tokens,
    "output_tokens": lambda _: 0,
    "total_tokens": _tokens,
}
