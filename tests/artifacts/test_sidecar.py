from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.artifacts import sidecar
from batchgen.artifacts.sidecar import canonical, parsed
from batchgen.redaction import without_secrets

CONTRACT = [
    *("job", "manifest", "model", "prompt", "negative_prompt", "cut", "parameters"),
    "inputs",
    *("task_id", "request_id", "adopted", "submitted_at", "finished_at", "saved_at"),
    *("orig_prompt", "actual_prompt", "usage", "cost", "files", "attempts", "batchgen", "text"),
]
SIGNED = "https://bucket.example/1d/a.png?Expires=1&OSSAccessKeyId=k&Signature=s3cr3t"


def document(**changes):
    values = {
        "job": "fox",
        "manifest": "detective",
        "model": "wan2.6-t2v",
        "prompt": "A fox",
        "cut": {},
        "negative_prompt": None,
        "parameters": {"size": "1280*720", "duration": 5},
        "inputs": {},
        "task_id": "0385dc79",
        "request_id": "c1209113",
        "adopted": False,
        "submitted_at": 1_790_000_000.25,
        "finished_at": None,
        "saved_at": 1_790_000_300.0,
        "orig_prompt": "A fox",
        "actual_prompt": None,
        "usage": {"duration": 5.0, "video_count": 1, "ratio": "16:9"},
        "cost_micros": 500_000,
        "currency": "USD",
        "cost_estimated": True,
        "files": [{"path": "fox.mp4", "bytes": 1, "sha256": "00"}],
        "attempts": [{"task_id": "0385dc79", "outcome": "saved"}],
        "text": [],
        "version": "0.1.0",
    }
    return sidecar(**(values | changes))


def test_keys_are_the_contracts_in_its_order():
    """Every key is always there, in the documented order."""
    assert list(document()) == CONTRACT


def test_values_are_as_people_read_them():
    """Times carry their offset, money is an amount, numbers stay as the service sent them."""
    made = document()
    assert made["submitted_at"] == "2026-09-21T14:13:20.250+00:00"
    assert made["finished_at"] is None
    assert made["cost"] == {"amount": 0.5, "currency": "USD", "estimated": True}
    assert b'"duration": 5.0' in canonical(made)
    assert made["batchgen"] == {"version": "0.1.0", "sidecar": 1}


def test_what_is_not_known_is_null():
    """An unknown cost, no usage and no text are null, not left out."""
    made = document(cost_micros=None, usage=None)
    assert (made["cost"], made["usage"], made["text"]) == (None, None, None)


def test_texts_of_an_interleaved_answer_are_kept():
    """The text parts of an answer are paid for as well."""
    assert document(text=["First, ", "then"])["text"] == ["First, ", "then"]


def test_inputs_lose_queries_and_inlined_data():
    """A source stays recognisable, but nobody can fetch with it and no picture lies in it."""
    made = document(
        inputs={
            "img_url": {"source": SIGNED, "sha256": None},
            "images": [
                {"source": "data:image/png;base64,iVBORw0KGgo=", "sha256": "ab"},
                {"source": "./hero.png", "sha256": "cd"},
            ],
        }
    )
    assert made["inputs"] == {
        "img_url": {"source": "https://bucket.example/1d/a.png", "sha256": None},
        "images": [
            {"source": "data:image/png", "sha256": "ab"},
            {"source": "./hero.png", "sha256": "cd"},
        ],
    }


@pytest.mark.parametrize(
    "where",
    [
        {"prompt": f"like {SIGNED} but red"},
        {"parameters": {"extra": [{"mask": SIGNED}]}},
        {"usage": {"url": SIGNED}},
        {"attempts": [{"task_id": "t", "message": f"cannot fetch '{SIGNED}'."}]},
        {"files": [{"path": "a.png", SIGNED: SIGNED.upper()}]},
        {"text": [f"<img src='{SIGNED}'>"]},
        {"orig_prompt": SIGNED.replace("?", "#")},
    ],
)
def test_no_query_of_a_url_anywhere(where):
    """Wherever a signed URL stands, its query does not reach the document."""
    assert "s3cr3t" not in canonical(document(**where)).decode().lower()


def test_password_in_a_url_is_removed():
    """A name and password before the host are as secret as a query."""
    assert without_secrets("at https://me:pw@host/a.png now") == "at https://host/a.png now"


@pytest.mark.parametrize("text", ["data: a, b", "What? No # sign", "16:9", "c:/x?y", "a//b?c"])
def test_ordinary_text_is_left_alone(text):
    """Only URLs and inlined data are changed."""
    assert without_secrets(text) == text


def test_what_json_cannot_hold_never_costs_a_sidecar():
    """A number that is none and half a character from the service are replaced, not fatal."""
    made = document(usage={"duration": math.nan}, actual_prompt="a\ud83d fox")
    assert parsed(canonical(made)) == made
    assert (made["usage"], made["actual_prompt"]) == ({"duration": None}, "a\ufffd fox")


def test_bytes_are_canonical():
    """The same document gives the same bytes: sorted, indented, readable, one final newline."""
    text = canonical({"b": "夜", "a": 1})
    assert text == '{\n  "a": 1,\n  "b": "夜"\n}\n'.encode()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"job": "fox"}', b"[" * 100_000])
def test_foreign_content_is_no_sidecar(content):
    """What batchgen did not write is nothing, however it looks."""
    assert parsed(content) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_answer_of_the_service_can_be_kept(value):
    """Whatever JSON the service put into usage, the document is written and reads back."""
    made = document(usage={"value": value})
    assert json.loads(canonical(made)) == made
