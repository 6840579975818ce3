"""A sidecar is a witness of its job: of its money, its files, its attempts and its request."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from batchgen.api.rebuilding.retelling import Retelling
from batchgen.api.rebuilding.testimony import Sidecar
from batchgen.artifacts import sidecar
from batchgen.catalog import Media, Request
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.lifecycle import State

REQUEST = Request(
    model="wan2.6-i2v",
    inputs={"prompt": "A fox, see https://host/fox?Signature=s3cr3t"},
    media={"img_url": (Media("./hero.png", sha256="ab", media_type="image/png"),)},
    parameters={"resolution": "720P", "n": 2},
)
WANTED = f.Wanted(
    at=0.0, account="a", job="fox", request="r", model="m", order=0, price=100, currency="USD"
)


def file(name: str) -> dict:
    return {"path": name, "bytes": 7, "sha256": "cd", "media_type": "video/mp4"}


def witness(**changes) -> Sidecar:
    """What the sidecar of a job with two results tells, written as batchgen writes it."""
    told = {
        "job": "fox",
        "manifest": "film",
        "model": REQUEST.model,
        "prompt": REQUEST.prompt,
        "negative_prompt": None,
        "cut": {},
        "parameters": REQUEST.parameters,
        "inputs": {"img_url": {"source": "./hero.png", "sha256": "ab"}},
        "task_id": "t2",
        "request_id": "r2",
        "adopted": False,
        "submitted_at": 100.0,
        "finished_at": 200.0,
        "saved_at": 210.0,
        "orig_prompt": None,
        "actual_prompt": None,
        "usage": {"video_duration": 5},
        "cost_micros": 500_000,
        "currency": "USD",
        "cost_estimated": False,
        "files": [file("fox-1.mp4"), file("fox-2.mp4")],
        "attempts": [attempt(1, "t1", "FAILED"), attempt(3, "t2", "SUCCEEDED")],
        "text": (),
        "version": "0.1.0",
    }
    return Sidecar.model_validate(sidecar(**{**told, **changes}))


def attempt(number: int, task: str, outcome: str) -> dict:
    code = "InternalError" if outcome == "FAILED" else None
    return {"attempt": number, "task_id": task, "outcome": outcome, "code": code, "message": code}


def story(told: Sidecar) -> Job:
    retelling = Retelling("fox", "a")
    for fact in told.facts(WANTED):
        retelling.tell(fact)
    job = Job("fox", "a")
    for fact in retelling.facts:
        job.after(fact)
    return job


def test_all_attempts_are_told():
    """The job is done by its last attempt, whatever its number; money is what it cost."""
    job = story(witness())
    assert (job.state, job.attempt, job.task_id) == (State.DONE, 3, "t2")
    assert (job.spent, job.reserved) == (500_000, 0)
    assert [result.name for result in job.results] == ["fox-1.mp4", "fox-2.mp4"]


def test_an_adopted_task_stays_adopted():
    """How its id was learned is told by the next sidecar as well."""
    assert story(witness(adopted=True)).adopted


def test_a_result_that_is_not_there_is_missing_in_part():
    """One of two results makes no whole job."""
    job = story(witness(files=[file("fox-2.mp4")]))
    assert job.state is State.PARTIAL
    assert [result.name for result in job.results] == [None, "fox-2.mp4"]


def test_an_answer_without_a_task_is_told():
    """What the POST itself answered has no task, and is done."""
    direct = [{**attempt(1, "t", "SUCCEEDED"), "task_id": None}]
    job = story(witness(task_id=None, attempts=direct))
    assert (job.state, job.task_id) == (State.DONE, None)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"model": "wan2.5-i2v-preview"}, False),
        ({"inputs": {"prompt": "A fox, see https://host/fox?Signature=other"}}, True),
        ({"inputs": {"prompt": "An owl"}}, False),
        ({"inputs": {**REQUEST.inputs, "negative_prompt": "rain"}}, False),
        ({"parameters": {"resolution": "1080P", "n": 2}}, False),
        ({"media": {"img_url": (Media("./moved/hero.png", sha256="ab"),)}}, True),
        ({"media": {"img_url": (Media("./hero.png", sha256="ef"),)}}, False),
        ({"media": {}}, False),
    ],
)
def test_the_same_request_is_known(change, same):
    """Model, prompts, parameters and the content of inputs count; where a file lies does not."""
    assert witness().tells_of(replace(REQUEST, **change)) is same


def test_the_request_of_a_sidecar_is_the_one_that_it_tells_of():
    """A job that the manifest no longer names keeps a request that its sidecar fits."""
    assert witness().tells_of(witness().request())


@pytest.mark.parametrize("name", ["owl.mp4", "fox-0.mp4", "../fox.mp4", "fox.tar.gz", "fox-x.mp4"])
def test_a_file_of_somebody_else_is_no_result(name):
    """A sidecar that names other files is no witness."""
    with pytest.raises(ValueError, match="is no result of job fox"):
        list(witness(files=[file(name)]).facts(WANTED))


def test_what_is_no_sidecar_is_no_witness():
    """A document without what every sidecar has is refused."""
    with pytest.raises(ValidationError):
        Sidecar.model_validate({"job": "fox", "manifest": "film", "batchgen": {}})
