"""The client's catalog and the sandbox's table, which share nothing, agree on what a job costs."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from random import Random

import pytest
import yaml

from batchgen.catalog import Measured, Media, load
from batchgen.catalog.keys import Size, Tier
from batchgen.sandbox import orders
from batchgen.sandbox.models import built_in, sold_in
from batchgen.sandbox.orders import Input
from batchgen.sandbox.service import answers
from batchgen.sandbox.tasks.task import Status, Task

CATALOG = load()
OTHERS = yaml.safe_load((Path(__file__).parents[1] / "catalog" / "sound_jobs.yaml").read_text())
START = 1_790_000_000.0
PAID = {"singapore": "ap-southeast-1", "beijing": "cn-beijing"}


def jobs():
    """Every model's example and other sound jobs, in each tier and sound that has its own price."""
    for model in CATALOG.models.values():
        others = [job for word in OTHERS if word in model.name for job in OTHERS[word]]
        for number, job in enumerate((model.example, *others)):
            for priced in product(*(choices(*key) for key in model.terms(job).keys.items())):
                name = "-".join(str(value) for choice in priced for value in choice.values())
                changed = {key: value for choice in priced for key, value in choice.items()}
                yield pytest.param(model, job | changed, id=f"{model.name}-{number}-{name}")


def choices(key, takes):
    """What the key may say that bears on the price of a second; nothing, where it does not."""
    if isinstance(takes, Tier):
        return [{key: tier} for tier in takes.one_of]
    if isinstance(takes, Size):
        return [{key: sizes[0]} for sizes in takes.tiers.values()]
    return [{key: True}, {key: False}] if key == "audio" else [{}]


def rendered(model, body, region, seconds=0.0):
    """What the sandbox makes of a request body whose files are that long: the order, and the usage
    that it answers with.
    """
    played = sold_in(PAID[region], built_in())[model.name]
    orders.check_required(played, body)
    inputs = [
        Input(one.role, one.kind, one.url, name=one.name, seconds=seconds)
        for one in orders.media_in(played, body)
    ]
    order = orders.read(played, body, inputs, Random(1))
    done = Task(
        number=1, id="t-1", request_id="r-1", account="one", model=model.name, digest="",
        work=order, code=None, message=None, created=START, ready=START, run=9,
        status=Status.SUCCEEDED, scheduled=START, ended=START + 9,
    )  # fmt: skip
    urls = [f"http://127.0.0.1/{place}" for place in range(max(1, order.images))]
    return order, answers.task(played, done, urls, "r-2")["usage"]


@pytest.mark.parametrize("region", PAID)
@pytest.mark.parametrize(("model", "job"), [*jobs()])
def test_the_bill_of_the_sandbox_is_what_the_client_settles(model, job, region):
    """From the usage of the answer, in the currency of the region, and never above the price that
    was reserved.
    """
    request = model.request(job, {slot.path: Media(slot.source) for slot in model.slots(job)})
    price = model.price(request, region)
    order, usage = rendered(model, model.body(request, lambda medium: medium.source), region)
    if price is None:
        assert "singapore" not in model.regions, "a region that serves the model has a price"
        return
    cost = model.cost(request, usage, region)
    assert (cost.micro, cost.currency) == (order.cost, price.currency)
    assert 0 < cost.micro <= price.micro


@pytest.mark.parametrize(
    ("name", "changes", "media_type", "seconds"),
    [
        ("wan2.2-animate-move", {}, "video/mp4", 30.1),
        ("wan2.2-s2v", {}, "audio/wav", 19.99),
        ("wan2.7-videoedit", {"duration": 0}, "video/mp4", 10.1),
        ("wan2.6-r2v", {}, "video/mp4", 30.1),
        (
            "wan3.0-video",
            {"media": [{"type": "reference_video", "url": "a.mp4"}], "duration": 14},
            "video/mp4",
            15.1,
        ),
    ],
)
def test_a_file_that_is_a_little_long_costs_no_more_than_was_reserved(
    name, changes, media_type, seconds
):
    """Both sides take a clip that has some frames more than it is called, and bill all of it."""
    model = CATALOG.models[name]
    job = {**model.example, **changes}
    measured = Measured(1000, 1000, 1000, seconds)
    found = {
        slot.path: Media(slot.source, "00", media_type, measured=measured)
        if {"video", "audio"} & slot.kinds
        else Media(slot.source)
        for slot in model.slots(job)
    }
    assert model.check_media(job, found) == []
    request = model.request(job, found)
    order, usage = rendered(
        model, model.body(request, lambda medium: medium.source), "beijing", seconds
    )
    cost = model.cost(request, usage, "beijing")
    assert cost.micro == order.cost
    assert cost.micro <= model.price(request, "beijing").micro


def test_the_check_of_a_picture_costs_what_the_client_expects():
    """It is billed whatever it answers."""
    model = CATALOG.models["wan2.2-s2v"]
    request = model.request(
        {**model.example, "detect": True},
        {slot.path: Media(slot.source) for slot in model.slots(model.example)},
    )
    inspection = model.inspection(request)
    played = sold_in("cn-beijing", built_in())[inspection.model]
    body = inspection.body("https://example.com/speaker.png")
    assert orders.read(played, body, (), Random(1)).cost == inspection.price("CNY").micro


def test_the_sandbox_plays_every_model_of_the_catalog():
    """A job that plans is one that can be rehearsed."""
    assert CATALOG.models.keys() <= built_in().keys()


@pytest.mark.parametrize("model", CATALOG.models.values(), ids=repr)
def test_a_prompt_is_cut_where_the_client_says_so(model):
    """The limits of both tables are the same, where there is a prompt."""
    if takes := model.keys.get("prompt"):
        assert built_in()[model.name].prompt_limit == takes.max_length
