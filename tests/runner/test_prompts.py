"""What a task would repeat of its request."""

from __future__ import annotations

import pytest

from batchgen.catalog import Request, load
from batchgen.runner.prompts import repeated_prompt


def repeated(model: str, **more) -> str | None:
    fields = {"inputs": {"prompt": "A stamp."}, "media": {}, "parameters": {}, **more}
    return repeated_prompt(load().models[model], Request(model=model, **fields))


def test_a_prompt_is_repeated_as_it_was_sent():
    """Of one that was too long, that is its beginning."""
    assert repeated("wan2.6-t2v") == "A stamp."
    assert repeated("wan2.6-t2v", cut={"prompt": "A st"}) == "A st"


def test_a_request_without_a_prompt_has_nothing_to_repeat():
    """A picture may do without words."""
    assert repeated("wan2.6-i2v", inputs={}) is None


@pytest.mark.parametrize("model", ["wan2.6-t2i", "wan2.7-image", "wan2.2-animate-mix"])
def test_some_models_repeat_no_prompt(model):
    """Pictures in the form of a conversation, and videos in an object of results."""
    assert repeated(model) is None
