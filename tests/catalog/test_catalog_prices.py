"""What requests can cost and what their usage is billed, by the published lists."""

from __future__ import annotations

import pytest

from batchgen.catalog import load

MODELS = load().models


def price(name, region=None, **values):
    return str(MODELS[name].price(MODELS[name].request(values, {}), region))


def cost(name, usage, region=None, **values):
    billed = MODELS[name].cost(MODELS[name].request(values, {}), usage, region)
    return billed and str(billed)


@pytest.mark.parametrize(
    ("name", "values", "usd", "cny"),
    [
        ("wan2.7-t2v", {}, "0.75", "5.00"),
        ("wan2.7-t2v", {"resolution": "720P", "duration": 15}, "1.50", "9.00"),
        ("wan2.6-t2v", {"size": "1280*720", "duration": 10}, "1.00", "6.00"),
        ("wan2.6-t2v", {}, "0.75", "5.00"),
        ("wan2.5-t2v-preview", {"size": "624*624"}, "0.25", "1.50"),
        ("wan2.2-t2v-plus", {"size": "832*480"}, "0.10", "0.70"),
        ("wan2.2-t2v-plus", {}, "0.50", "3.50"),
        ("wan2.1-t2v-turbo", {"size": "480*832"}, "0.18", "1.20"),
        ("wanx2.1-t2v-plus", {}, "0.50", "3.50"),
        ("wan2.6-i2v", {"resolution": "720P", "duration": 2}, "0.20", "1.20"),
        ("wan2.6-i2v-flash", {}, "0.375", "2.50"),
        ("wan2.6-i2v-flash", {"audio": False}, "0.1875", "1.25"),
        ("wan2.6-i2v-flash", {"audio": False, "resolution": "720P"}, "0.125", "0.75"),
        ("wan2.2-i2v-flash", {}, "0.18", "1.00"),
        ("wan2.2-i2v-flash", {"resolution": "480P"}, "0.075", "0.50"),
        ("wan2.2-i2v-plus", {"resolution": "480P"}, "0.10", "0.70"),
        ("wanx2.1-i2v-turbo", {"duration": 3}, "0.108", "0.72"),
        ("wan2.6-t2i", {}, "0.03", "0.20"),
        ("wan2.5-t2i-preview", {"n": 4}, "0.12", "0.80"),
        ("wan2.2-t2i-flash", {"n": 2}, "0.05", "0.28"),
        ("wan2.2-t2i-plus", {}, "0.05", "0.20"),
        ("wan2.1-t2i-turbo", {}, "0.025", "0.14"),
        ("wanx2.1-t2i-plus", {}, "0.05", "0.20"),
    ],
)
def test_the_price_before_the_spend(name, values, usd, cny):
    """Tier, seconds, images and sound make the price of the published list, in each currency."""
    assert price(name, **values) == price(name, "singapore", **values) == f"USD {usd}"
    assert price(name, "us-east-1", **values) == f"USD {usd}"
    assert price(name, "beijing", **values) == f"CNY {cny}"


@pytest.mark.parametrize(
    ("name", "usage", "usd"),
    [
        ("wan2.6-t2v", {"duration": 10, "SR": 720, "size": "1280*720", "video_count": 1}, "1.00"),
        ("wan2.6-t2v", {"duration": 10.0, "SR": 720.0}, "1.00"),
        ("wan2.6-t2v", {"duration": 4.06, "SR": "720"}, "0.406"),
        ("wan2.6-t2v", {"duration": 5}, "0.75"),
        ("wan2.6-t2v", {"duration": 5, "SR": 4320}, "0.75"),
        ("wan2.1-t2v-turbo", {"video_duration": 5, "video_ratio": "standard"}, "0.18"),
        ("wan2.6-i2v-flash", {"duration": 5, "SR": 720, "audio": False}, "0.125"),
        ("wan2.6-i2v-flash", {"duration": 5, "SR": 720, "audio": True}, "0.25"),
        ("wan2.6-t2i", {"image_count": 2, "size": "1280*1280", "total_tokens": 0}, "0.06"),
        ("wan2.2-t2i-flash", {"image_count": 0}, "0.00"),
    ],
)
def test_the_cost_after_the_answer(name, usage, usd):
    """The usage decides; where it is silent on tier or sound, the request does."""
    assert cost(name, usage) == f"USD {usd}"


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"SR": 720},
        {"duration": None},
        {"duration": "5"},
        {"duration": True},
        {"duration": -1},
        {"duration": float("nan")},
        {"duration": float("inf")},
        {"duration": 10**400},
        {"image_count": 1},
    ],
)
def test_a_usage_that_says_no_amount_has_no_cost(usage):
    """Nonsense from outside becomes an unknown cost, never a wrong one and never a crash."""
    assert cost("wan2.6-t2v", usage) is None


def test_a_tier_of_the_usage_that_is_no_text_or_number_is_passed_over():
    """The request's own tier stands in for one that cannot be read."""
    assert cost("wan2.6-t2v", {"duration": 5, "SR": [720]}, size="1280*720") == "USD 0.50"


def test_an_unknown_region_has_no_price_list():
    """A caller that skipped the check of the region hears about it."""
    with pytest.raises(KeyError):
        price("wan2.6-t2v", "atlantis")
