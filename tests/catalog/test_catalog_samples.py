"""The bodies that go over the wire, held against the documented shapes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchgen.catalog import Media, load

SAMPLES = sorted((Path(__file__).parents[1] / "samples" / "requests").glob("*.json"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_job_becomes_the_documented_request(path):
    """A job's path, headers and JSON body are exactly those of the API reference."""
    sample = json.loads(path.read_text(encoding="utf-8"))
    model = load().models[path.stem]
    assert model.check(sample["job"], region=None) == []

    media = {key: (Media(sample["job"][key]),) for key in sample["media"]}
    request = model.request(sample["job"], media)
    body = model.body(request, {key: tuple(urls) for key, urls in sample["media"].items()})

    assert body == sample["body"]
    assert (model.path, dict(model.headers)) == (sample["path"], sample["headers"])


def test_every_generation_of_every_family_has_a_sample():
    """No family and version is left without a recorded body."""
    models = load().models
    sampled = {(models[path.stem].family, version(path.stem)) for path in SAMPLES}
    assert {(model.family, version(model.name)) for model in models.values()} == sampled


def version(name):
    return name.split("-")[0].removeprefix("wanx").removeprefix("wan")
