from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from batchgen.sandbox import orders
from batchgen.sandbox.models import Flaw, built_in
from batchgen.sandbox.orders import Input
from batchgen.sandbox.service import answers
from batchgen.sandbox.tasks.task import Status, Task

SAMPLES = Path(__file__).parents[1] / "samples" / "answers"
PICTURE, CLIP, SOUND = (f"https://example.com/{name}" for name in ("a.png", "b.mp4", "c.wav"))
START = 1_790_000_000.0
LATE = (1, "DataInspectionFailed", "Output data may contain inappropriate content.")


def message(*images):
    content = [{"text": "a fox"}, *({"image": image} for image in images)]
    return {"messages": [{"role": "user", "content": content}]}


def media(kind, url):
    return {"prompt": "fox", "media": [{"type": kind, "url": url}]}


def order(model, given, measured=None, **parameters):
    """What a request amounts to, its last medium being that long."""
    model = built_in()[model]
    body = {"model": model.name, "input": given, "parameters": parameters}
    inputs = [Input(one.role, one.kind, one.url, name=one.name)
              for one in orders.media_in(model, body)]  # fmt: skip
    if measured:
        inputs[-1] = replace(inputs[-1], seconds=measured)
    return orders.read(model, body, inputs, Random(1))


def task(work, status=Status.SUCCEEDED, **more):
    times = {
        Status.PENDING: {},
        Status.RUNNING: {"scheduled": START + 7},
        Status.CANCELED: {"ended": START + 9},
    }.get(status, {"scheduled": START + 7, "ended": START + 300})
    names = {"id": "t-1", "request_id": "r-1", "account": "one", "digest": ""}
    facts = {"number": 1, "code": None, "message": None, "created": START, "ready": START, "run": 9}
    return Task(model=work.model, work=work, status=status, **names | facts | times | more)


def urls(work):
    return [f"http://127.0.0.1/t-1-{place}" for place in range(1, max(1, work.images) + 1)]


def answered(work, status=Status.SUCCEEDED, **more):
    model = built_in()[work.model]
    answer = answers.task(model, task(work, status, **more), urls(work), "r-2")
    return json.loads(json.dumps(answer))


def structure(value):
    """The keys, their nesting and the JSON types, of a list the different ones."""
    if isinstance(value, dict):
        return {key: structure(item) for key, item in value.items()}
    if isinstance(value, list):
        different = {json.dumps(structure(item), sort_keys=True) for item in value}
        return sorted(different)
    return type(value).__name__


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())


PROMPT = {"prompt": "fox"}
SPOKEN = {"image_url": PICTURE, "audio_url": SOUND}
DANCED = {"image_url": PICTURE, "video_url": CLIP}
FAMILIES = {
    "wan3.0-video": order("wan3.0-video", PROMPT, duration=10),
    "wan2.7-t2v": order("wan2.7-t2v", PROMPT),
    "wan2.7-i2v": order("wan2.7-i2v", media("first_frame", PICTURE)),
    "wan2.7-r2v": order("wan2.7-r2v", media("reference_video", CLIP)),
    "wan2.7-videoedit": order("wan2.7-videoedit", media("video", CLIP), 5.02),
    "wan2.6-t2v": order("wan2.6-t2v", PROMPT, size="720*1280"),
    "wan2.6-i2v": order("wan2.6-i2v", {"img_url": PICTURE}),
    "wan2.6-i2v-flash": order("wan2.6-i2v-flash", {"img_url": PICTURE}),
    "wan2.6-r2v": order("wan2.6-r2v", PROMPT | {"reference_urls": [CLIP]}, 30),
    "wan2.5-t2v-preview": order("wan2.5-t2v-preview", PROMPT, size="624*624"),
    "wan2.2-i2v-plus": order("wan2.2-i2v-plus", {"img_url": PICTURE}),
    "wan2.1-t2v-turbo": order("wan2.1-t2v-turbo", PROMPT),
    "wan2.1-kf2v-plus": order("wan2.1-kf2v-plus", {"first_frame_url": PICTURE}),
    "wan2.2-kf2v-flash": order("wan2.2-kf2v-flash", {"first_frame_url": PICTURE}),
    "wan2.1-vace-plus": order(
        "wan2.1-vace-plus",
        PROMPT | {"function": "video_outpainting", "video_url": CLIP},
    ),
    "wan2.2-s2v": order("wan2.2-s2v", SPOKEN, 18.13),
    "wan2.2-animate-mix": order("wan2.2-animate-mix", DANCED, 5.2, mode="wan-std"),
    "wan2.2-animate-move": order("wan2.2-animate-move", DANCED, 5.2, mode="wan-pro"),
    "wan2.6-t2i": order("wan2.6-t2i", message(), n=2),
    "wan2.6-image": order("wan2.6-image", message(PICTURE), n=1),
    "wan2.6-image-interleave": order(
        "wan2.6-image", message(), enable_interleave=True, max_images=4
    ),
    "wan2.7-image": order("wan2.7-image", message(), n=2),
    "wan2.7-image-sequential": order("wan2.7-image", message(), enable_sequential=True),
    "wan2.5-t2i-preview": order("wan2.5-t2i-preview", PROMPT, n=2).failing((LATE,)),
    "wan2.2-t2i-flash": order("wan2.2-t2i-flash", PROMPT),
    "wan2.5-i2i-preview": order("wan2.5-i2i-preview", PROMPT | {"images": [PICTURE]}),
    "wanx2.1-imageedit": order(
        "wanx2.1-imageedit",
        PROMPT | {"function": "colorization", "base_image_url": PICTURE},
    ),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_result_is_built_like_the_recorded_one_of_its_family(name):
    """Keys, nesting and types, down to int and float, are those the client learned to read."""
    assert structure(answered(FAMILIES[name])) == structure(sample(name))


def test_every_recorded_result_has_a_family_here():
    """A sample that nobody compares would prove nothing."""
    recorded = {path.stem for path in SAMPLES.glob("wan*.json")}
    others = {"wan2.6-t2i-sync", "wan2.2-s2v-detect", "wan2.2-s2v-detect_failed"}
    assert recorded - others == FAMILIES.keys()


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        (
            "wan3.0-video",
            {"duration": 10.0, "input_video_duration": 0, "output_video_duration": 10.0, "fps": 30,
             "video_count": 1, "SR": 1080, "ratio": "16:9"},
        ),
        (
            "wan2.7-videoedit",
            {"duration": 10.04, "input_video_duration": 5.02, "output_video_duration": 5.02,
             "video_count": 1, "SR": 1080},
        ),
        (
            "wan2.6-r2v",
            {"duration": 10, "input_video_duration": 5, "output_video_duration": 5,
             "video_count": 1, "size": "1920*1080", "SR": 1080},
        ),
        ("wan2.1-t2v-turbo", {"video_duration": 5, "video_ratio": "standard", "video_count": 1}),
        ("wan2.2-kf2v-flash", {"video_duration": 5, "video_count": 1, "SR": 720}),
        (
            "wan2.2-s2v",
            {"duration": 18.13, "size": "832*480", "fps": 16, "video_count": 1, "SR": 480},
        ),
        ("wan2.2-animate-mix", {"video_duration": 5.2, "video_ratio": "standard"}),
        ("wan2.2-animate-move", {"video_duration": 5.2, "video_ratio": "pro"}),
        (
            "wan2.6-t2i",
            {"size": "1280*1280", "image_count": 2, "input_tokens": 0, "output_tokens": 0,
             "total_tokens": 0},
        ),
        ("wan2.5-t2i-preview", {"image_count": 1}),
    ],
)  # fmt: skip
def test_the_usage_says_what_is_billed(name, usage):
    """In the keys of the version, which bills by them."""
    assert repr(sorted(answered(FAMILIES[name])["usage"].items())) == repr(sorted(usage.items()))


def test_a_rewritten_prompt_is_told_by_the_older_models_alone():
    """And by them only where the prompt was to be extended."""
    older = [order("wan2.5-t2v-preview", PROMPT, prompt_extend=extend) for extend in (True, False)]
    newer = order("wan2.6-t2v", PROMPT, prompt_extend=True)
    told = ["actual_prompt" in answered(work)["output"] for work in (*older, newer)]
    assert told == [True, False, False]


def test_all_images_of_a_sequence_are_parts_of_one_message():
    """A story has a text before each of them; single images have a choice each."""
    kinds = [
        [[part["type"] for part in choice["message"]["content"]]
         for choice in answered(FAMILIES[name])["output"]["choices"]]
        for name in ("wan2.7-image-sequential", "wan2.6-image-interleave", "wan2.7-image")
    ]  # fmt: skip
    sequence, story, single = kinds
    assert sequence == [["image"] * FAMILIES["wan2.7-image-sequential"].images]
    assert story == [["text", "image"] * FAMILIES["wan2.6-image-interleave"].images]
    assert single == [["image"], ["image"]]


def test_an_image_that_failed_stands_in_its_place():
    """The others keep theirs; the metrics count it, the usage does not."""
    work = order("wan2.2-t2i-flash", PROMPT, n=3).failing(((2, *LATE[1:]),))
    answer = answered(work)
    kinds = [sorted(result) for result in answer["output"]["results"]]
    full = ["actual_prompt", "orig_prompt", "url"]
    assert kinds == [full, ["code", "message"], full]
    assert answer["output"]["results"][2]["url"].endswith("-3")
    assert answer["output"]["task_metrics"] == {"TOTAL": 3, "SUCCEEDED": 2, "FAILED": 1}
    assert answer["usage"] == {"image_count": 2}


def test_an_image_that_failed_is_left_out_of_the_choices():
    """The newer models have no place for it."""
    answer = answered(order("wan2.6-t2i", message(), n=2).failing((LATE,)))
    (choice,) = answer["output"]["choices"]
    assert choice["message"]["content"][0]["image"].endswith("-2")
    assert answer["usage"]["image_count"] == 1


@pytest.mark.parametrize(
    ("status", "name", "keys"),
    [
        (Status.PENDING, "wan2.6-t2v", {"submit_time"}),
        (Status.RUNNING, "wan2.6-t2v", {"submit_time", "scheduled_time"}),
        (Status.RUNNING, "wan2.5-t2i-preview", {"submit_time", "scheduled_time", "task_metrics"}),
        (Status.CANCELED, "wan2.6-t2v", {"submit_time"}),
        (
            Status.FAILED,
            "wan2.6-t2v",
            {"submit_time", "scheduled_time", "end_time", "code", "message"},
        ),
    ],
)
def test_a_task_shows_what_is_known_of_it_by_now(status, name, keys):
    """And has no usage before it succeeded."""
    answer = answered(FAMILIES[name], status)
    assert answer["output"].keys() == {"task_id", "task_status"} | keys
    assert answer.keys() == {"request_id", "output"}


@pytest.mark.parametrize(
    ("recording", "status", "name"),
    [
        ("task_running", Status.RUNNING, "wan2.6-t2v"),
        ("task_running_images", Status.RUNNING, "wan2.5-t2i-preview"),
        ("task_canceled", Status.CANCELED, "wan2.6-t2v"),
        ("task_failed", Status.FAILED, "wan2.6-t2v"),
        ("task_failed_images", Status.FAILED, "wan2.5-t2i-preview"),
    ],
)
def test_the_other_states_are_built_like_the_recorded_ones(recording, status, name):
    """As results are."""
    answer = answered(FAMILIES[name], status, code="InternalError", message="no")
    assert structure(answer) == structure(sample(recording))


def test_a_submit_and_an_unknown_task_answer_as_recorded():
    """The first with the id of the task, the second with nothing else."""
    submitted = answers.submitted(task(FAMILIES["wan2.6-t2v"], Status.PENDING))
    assert structure(json.loads(json.dumps(submitted))) == structure(sample("submit_accepted"))
    assert structure(answers.unknown("t-1", "r-1")) == structure(sample("task_unknown"))


def test_a_task_that_failed_without_an_order_counts_no_images():
    """Its request was never understood."""
    failed = replace(task(FAMILIES["wan2.5-t2i-preview"], Status.FAILED), work=None)
    answer = answers.task(built_in()[failed.model], failed, [], "r-2")
    assert answer["output"]["task_metrics"] == {"TOTAL": 0, "SUCCEEDED": 0, "FAILED": 0}


def test_a_synchronous_answer_is_the_result_and_nothing_of_a_task():
    """As recorded; its output is the same as the task's."""
    work = FAMILIES["wan2.6-t2i"]
    answer = answers.at_once(built_in()[work.model], work, urls(work), "r-3")
    assert structure(answer) == structure(sample("wan2.6-t2i-sync"))
    assert answer["output"].items() <= answered(work)["output"].items()


def test_the_check_of_a_picture_answers_as_recorded():
    """Passed or not, it is an answer, and billed."""
    passed = answers.detected(None, "r-1")
    failed = answers.detected(Flaw("InvalidParameter", "too small"), "r-1")
    assert structure(passed) == structure(sample("wan2.2-s2v-detect"))
    assert structure(failed) == structure(sample("wan2.2-s2v-detect_failed"))
    assert failed["output"]["message"] == "too small"
    assert "humanoid" not in failed["output"]


def test_a_stream_brings_its_parts_one_after_the_other():
    """Each event is built like a recorded one; put together they are the answer of the task."""
    work = FAMILIES["wan2.6-image-interleave"]
    events = list(answers.events(built_in()[work.model], work, urls(work), "r-3"))
    lines = (SAMPLES / "wan2.6-image-stream.events").read_text().splitlines()
    recorded = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
    assert structure(events) == structure(recorded)
    assert [event["output"]["finished"] for event in events] == [False] * (len(events) - 1) + [True]
    together: list[dict[str, str]] = []
    for (choice,) in (event["output"]["choices"] for event in events):
        (part,) = choice["message"]["content"]
        if part["type"] == "text" and together and together[-1]["type"] == "text":
            together[-1]["text"] += part["text"]
        else:
            together.append(dict(part))
    (whole,) = answered(work)["output"]["choices"]
    assert together == whole["message"]["content"]
    assert len(events) > 2 * work.images
    assert events[-1]["usage"] == answered(work)["usage"]


def test_single_images_are_streamed_one_by_one():
    """Each in an event of its own, counted as they come."""
    work = FAMILIES["wan2.7-image"]
    events = list(answers.events(built_in()[work.model], work, urls(work), "r-3"))
    assert [event["usage"]["image_count"] for event in events] == [1, 2]
    assert [event["output"]["choices"][0]["finish_reason"] for event in events] == ["null", "stop"]


def test_times_are_beijing_time_without_an_offset():
    """2026-09-21 14:13:20 UTC is 22:13:20 there, to the millisecond."""
    output = answered(FAMILIES["wan2.6-t2v"], created=START + 0.0624)["output"]
    assert output["submit_time"] == "2026-09-21 22:13:20.062"
    assert output["end_time"] == "2026-09-21 22:18:20.000"


def test_a_row_of_the_list_names_no_result():
    """Milliseconds, the submit's request id, and the path the model is called by."""
    work = FAMILIES["wan2.1-kf2v-plus"]
    row = answers.listed(built_in()[work.model], task(work), "cn-beijing")
    assert (row["gmt_create"], row["end_time"]) == (1_790_000_000_000, 1_790_000_300_000)
    assert (row["request_id"], row["region"]) == ("r-1", "cn-beijing")
    assert row["user_api_unique_key"] == (
        "apikey:v1:aigc:image2video:video-synthesis:wan2.1-kf2v-plus"
    )
    assert row.keys().isdisjoint({"output", "code", "video_url"})
