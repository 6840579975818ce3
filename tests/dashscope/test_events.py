"""A stream of events becomes one document, however it is framed, repeated or cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.dashscope.answers import ResultError
from batchgen.dashscope.events import Stream, gather


def event(*parts: dict, finished: bool = False, **more) -> dict:
    choice = {"finish_reason": "null", "message": {"role": "assistant", "content": list(parts)}}
    return {"output": {"choices": [choice], "finished": finished}, "request_id": "r", **more}


def framed(*events: dict, end: str = "\n") -> bytes:
    lines = [
        line
        for number, said in enumerate(events, 1)
        for line in (
            f"id:{number}",
            "event:result",
            ":HTTP_STATUS/200",
            f"data:{json.dumps(said, ensure_ascii=False)}",
            "",
        )
    ]
    return "".join(line + end for line in lines).encode()


def text(words: str) -> dict:
    return {"type": "text", "text": words}


def image(name: str) -> dict:
    return {"type": "image", "image": f"https://h.example/{name}.png?Expires=1&Signature=s"}


def content(stream: Stream) -> list[str]:
    """The texts and pictures of a stream, in order."""
    assert stream.document
    (choice,) = stream.document["output"]["choices"]
    return [part.get("text") or part["image"][18:19] for part in choice["message"]["content"]]


STORY = [text("One "), text("two."), image("a"), text("Three."), image("b")]
TOLD = ["One two.", "a", "Three.", "b"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_pieces_are_put_together_in_order(end):
    """Words that follow upon words are one text; the usage is the last one's."""
    events = [event(part, usage={"image_count": n}) for n, part in enumerate(STORY)]
    stream = gather(framed(*events, event(finished=True, usage={"image_count": 2}), end=end))
    assert content(stream) == TOLD
    assert stream.error is None
    assert stream.document["usage"] == {"image_count": 2}
    assert stream.document["output"]["finished"] is True


def test_events_that_repeat_what_came_before_count_once():
    """Each may hold the whole story so far instead of its newest part."""
    whole = [event(*STORY[: n + 1]) for n in range(len(STORY))]
    assert content(gather(framed(*whole))) == TOLD


def test_a_picture_that_is_told_again_is_no_second_picture():
    """The last event may repeat the pictures alone."""
    again = event(image("a"), image("b"), finished=True)
    assert content(gather(framed(*[event(part) for part in STORY], again))) == TOLD


def test_an_error_ends_the_stream_and_keeps_what_came():
    """The service's words stand beside the pictures made by then."""
    oops = {"code": "InternalError", "message": "gone", "request_id": "r"}
    stream = gather(framed(event(image("a")), oops))
    assert content(stream) == ["a"]
    assert stream.error == ResultError("InternalError", "gone")


def test_a_plain_document_is_its_own_only_event():
    """A service that does not stream after all is understood."""
    plain = event(text("All."), image("a"), finished=True)
    assert content(gather(json.dumps(plain).encode())) == ["All.", "a"]


def test_data_in_several_lines_is_one_document():
    """As the event stream format has it."""
    first, second = json.dumps(event(image("a"))).split(": ", 1)
    body = f"data: {first}:\ndata: {second}\n\n".encode()
    assert content(gather(body)) == ["a"]


@given(st.integers(0, 2000))
def test_a_stream_that_is_cut_anywhere_keeps_every_whole_event(length):
    """No cut raises, and no picture is lost whose event had come."""
    events = [event(part) for part in STORY]
    whole = framed(*events)
    arrived = sum(len(framed(*events[:n])) <= length for n in range(1, len(events) + 1))
    stream = gather(whole[:length])
    pictures = [told for told in (content(stream) if stream.document else []) if len(told) == 1]
    assert len(pictures) >= sum("image" in part for part in STORY[:arrived])


@given(st.binary())
def test_garbage_is_nothing(body):
    """Whatever comes, there is a value, and no error is made up."""
    assert gather(b"data:" + body + b"\n\n").error is None or b"code" in body


def test_an_empty_body_is_no_document():
    """Nothing came, nothing is known."""
    assert gather(b"") == Stream(None, None)
