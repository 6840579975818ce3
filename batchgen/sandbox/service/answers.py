"""The JSON the service answers with, by family of models (Wan API references; Manage asynchronous
tasks, 2026).

Rules.
1. What a family's row in the table of models does not name is not in the answer: an absent key is
   absent, never null or 0.
2. A task under way shows the times it has: `submit_time` while PENDING, `scheduled_time` from
   RUNNING on. One that failed has all three, one that was cancelled the first alone.
3. Images that fail among others stand in `results` as `{code, message}`, are left out of `choices`,
   and count nowhere but in `task_metrics`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from batchgen.sandbox.models import Flaw, Model, Shape, Usage
from batchgen.sandbox.orders import Order
from batchgen.sandbox.tasks.task import Status, Task

ZONE = timezone(timedelta(hours=8))
"""The service writes times in UTC+8, without an offset."""

Answer = dict[str, Any]


def submitted(task: Task) -> Answer:
    return {
        "output": {"task_status": task.status, "task_id": task.id},
        "request_id": task.request_id,
    }


def unknown(task_id: str, request_id: str) -> Answer:
    """Not there, not yours, or over 24 hours old: HTTP 200 with two keys (Text-to-video API
    reference).
    """
    return {"request_id": request_id, "output": {"task_id": task_id, "task_status": "UNKNOWN"}}


def task(model: Model, task: Task, urls: Sequence[str], request_id: str) -> Answer:
    """The answer to a query; `urls` are the results of a task that succeeded, the failed images'
    places among them.
    """
    output: Answer = {"task_id": task.id, "task_status": task.status} | _times(task)
    answer: Answer = {"request_id": request_id, "output": output}
    if task.status is Status.FAILED:
        output |= {"code": task.code, "message": task.message}
    if model.shape is Shape.RESULTS and task.status is not Status.CANCELED:
        output["task_metrics"] = _metrics(task)
    if task.status is Status.SUCCEEDED and task.work:
        output |= _SHAPES[model.shape](model, task.work, urls)
        answer["usage"] = _usage(model, task.work)
    return answer


def at_once(model: Model, order: Order, urls: Sequence[str], request_id: str) -> Answer:
    """The answer of a synchronous call: the same result, and nothing of a task (Text-to-image V2;
    Wan image generation and editing).
    """
    output = _SHAPES[model.shape](model, order, urls)
    return {"output": output, "usage": _usage(model, order), "request_id": request_id}


def detected(flaw: Flaw | None, request_id: str) -> Answer:
    """Whether a picture can become a digital human: billed whatever comes of it. The sandbox sees a
    person in every picture that keeps the model's rules.
    """
    output: Answer = (
        {"check_pass": False, "code": flaw.code, "message": flaw.message}
        if flaw
        else {"check_pass": True, "humanoid": True}
    )
    return {"output": output, "usage": {"image_count": 1}, "request_id": request_id}


def events(model: Model, order: Order, urls: Sequence[str], request_id: str) -> Iterator[Answer]:
    """The `data` of the events of a streamed answer.

    No page shows a whole stream. This is the framing of the service's other streams, as the
    official SDK reads it: each event is an answer of its own that holds what is new, in a choice
    whose `finish_reason` is "null", with `finished` false and the usage so far. A text comes in
    pieces, an image at once; the last event says "stop" and `finished` true.
    """
    contents = [choice["message"]["content"] for choice in _choices(model, order, urls)["choices"]]
    pieces = [piece for content in contents for part in content for piece in _pieces(part)]
    made = 0
    for place, piece in enumerate(pieces, 1):
        made += "image" in piece
        last = place == len(pieces)
        yield {
            "output": {
                "choices": [_choice([piece], "stop" if last else "null")],
                "finished": last,
            },
            "usage": _usage(model, replace(order, images=made, failed=())),
            "request_id": request_id,
        }


def listed(model: Model, task: Task, region: str) -> Answer:
    """A row of the task list: no result, no error code; times in milliseconds."""
    group, function = model.path.split("/")
    times = {"gmt_create": task.created, "start_time": task.scheduled, "end_time": task.ended}
    return {
        "task_id": task.id,
        "model_name": task.model,
        "status": task.status,
        "region": region,
        "request_id": task.request_id,
        "api_key_id": task.key_id,
        "caller_uid": task.account,
        "caller_parent_id": task.account,
        "user_api_unique_key": f"apikey:v1:aigc:{group}:{function}:{task.model}",
    } | {name: round(time * 1000) for name, time in times.items() if time is not None}


def _times(task: Task) -> dict[str, str]:
    times: dict[str, float | None] = {"submit_time": task.created}
    if task.status is not Status.CANCELED:
        times |= {"scheduled_time": task.scheduled, "end_time": task.ended}
    return {name: _local(time) for name, time in times.items() if time is not None}


def _local(time: float) -> str:
    moment = datetime.fromtimestamp(round(time, 3), UTC).astimezone(ZONE)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def _metrics(task: Task) -> dict[str, int]:
    total, made = (task.work.images, task.work.made) if task.work else (0, 0)
    ended = {Status.SUCCEEDED: (made, total - made), Status.FAILED: (0, total)}
    succeeded, failed = ended.get(task.status, (0, 0))
    return {"TOTAL": total, "SUCCEEDED": succeeded, "FAILED": failed}


def _prompts(model: Model, order: Order) -> dict[str, str]:
    prompts = {"orig_prompt": order.prompt} if model.echoes else {}
    if model.rewrites and order.extend:
        prompts["actual_prompt"] = f"{order.prompt} Soft natural light, slow camera, rich detail."
    return prompts


def _video(model: Model, order: Order, urls: Sequence[str]) -> Answer:
    return {"video_url": urls[0]} | _prompts(model, order)


def _result(_: Model, __: Order, urls: Sequence[str]) -> Answer:
    return {"results": {"video_url": urls[0]}}


def _results(model: Model, order: Order, urls: Sequence[str]) -> Answer:
    failed = {place: {"code": code, "message": text} for place, code, text in order.failed}
    prompts = _prompts(model, order)
    return {
        "results": [
            failed.get(place) or prompts | {"url": url} for place, url in enumerate(urls, 1)
        ]
    }


def _choices(_: Model, order: Order, urls: Sequence[str]) -> Answer:
    failed = {place for place, *_ in order.failed}
    contents = [
        [{"image": url, "type": "image"}]
        for place, url in enumerate(urls, 1)
        if place not in failed
    ]
    if order.story:
        contents = [
            [{"type": "text", "text": f"Picture {place}: {order.prompt}"}, *content]
            for place, content in enumerate(contents, 1)
        ]
    if order.together:
        contents = [[part for content in contents for part in content]]
    return {"finished": True, "choices": [_choice(content, "stop") for content in contents]}


def _pieces(part: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """An image whole, a text word by word."""
    if "image" in part:
        yield dict(part)
    else:
        for word in re.findall(r"\S+\s*", part["text"]):
            yield {**part, "text": word}


def _choice(content: list[dict[str, str]], reason: str) -> Answer:
    return {"finish_reason": reason, "message": {"role": "assistant", "content": content}}


_SHAPES: dict[Shape, Callable[[Model, Order, Sequence[str]], Answer]] = {
    Shape.VIDEO_URL: _video,
    Shape.RESULT: _result,
    Shape.RESULTS: _results,
    Shape.CHOICES: _choices,
}


def _usage(model: Model, order: Order) -> Answer:
    usage: Answer = {key.value: _USAGE[key](order) for key in model.usage}
    if model.thinks or order.story:
        # Counted, though nobody pays for them (*chosen*: about what the page's samples have).
        read, written = 4 + len(order.prompt) // 3, order.made
        usage |= {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
    if model.float_seconds:
        # A length of 0 is written without a fraction by the models that write 10.0.
        usage |= {key: float(usage[key]) for key in _LENGTHS if usage.get(key)}
    return usage


_LENGTHS = (
    Usage.DURATION,
    Usage.INPUT_VIDEO_DURATION,
    Usage.OUTPUT_VIDEO_DURATION,
    Usage.VIDEO_DURATION,
)

_USAGE: dict[Usage, Callable[[Order], object]] = {
    Usage.DURATION: lambda order: round(order.seconds + order.input_seconds, 2),
    Usage.OUTPUT_VIDEO_DURATION: lambda order: order.seconds,
    Usage.INPUT_VIDEO_DURATION: lambda order: order.input_seconds,
    Usage.VIDEO_DURATION: lambda order: order.seconds,
    Usage.VIDEO_RATIO: lambda order: "pro" if order.mode.endswith("pro") else "standard",
    Usage.VIDEO_COUNT: lambda _: 1,
    Usage.FPS: lambda order: order.fps,
    Usage.SR: lambda order: int(order.tier.removesuffix("P")),
    Usage.RATIO: lambda order: order.ratio,
    Usage.SIZE: lambda order: f"{order.width}*{order.height}",
    Usage.AUDIO: lambda order: order.sound,
    Usage.IMAGE_COUNT: lambda order: order.made,
    Usage.INPUT_TOKENS: lambda _: 0,
    Usage.OUTPUT_TOKENS: lambda _: 0,
    Usage.TOTAL_TOKENS: lambda _: 0,
}
