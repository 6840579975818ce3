"""What requests can cost and what their usage is billed, by the published lists."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from batchgen.catalog import Measured, Media, Severity, load
from batchgen.catalog.keys import Integer, Size, Steps, Switch, Tier

CATALOG = load()
MODELS = CATALOG.models
OTHERS = yaml.safe_load((Path(__file__).parent / "sound_jobs.yaml").read_text())


def requested(name, values, **seconds):
    """The request of a job, with files of so many seconds where these are named."""
    model = MODELS[name]
    found = {slot.path: medium(slot.source, seconds) for slot in model.slots(values)}
    return model.request(values, found)


def medium(source, seconds):
    if source not in seconds:
        return Media(source)
    length = seconds[source]
    media_type = "video/mp4" if length else "image/png"
    return Media(source, "00", media_type, measured=Measured(1000, seconds=length or None))


def price(name, region=None, **values):
    return str(MODELS[name].price(requested(name, values), region))


def cost(name, usage, region=None, **values):
    billed = MODELS[name].cost(requested(name, values), usage, region)
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


REFERENCES = {"prompt": "x", "reference_urls": ["v"], "size": "1280*720", "duration": 5}
VIDEO = [{"type": "video", "url": "v"}]
CLIPS = [{"type": "reference_video", "url": "v"}, {"type": "reference_video", "url": "w"}]


@pytest.mark.parametrize(
    ("name", "values", "seconds", "cny"),
    [
        # Of the videos that go in, up to five seconds in all; nothing for pictures.
        ("wan2.6-r2v", REFERENCES, {}, "6.60"),
        ("wan2.6-r2v", REFERENCES, {"v": 0}, "3.00"),
        ("wan2.6-r2v", REFERENCES, {"v": 2.5}, "5.40"),
        ("wan2.6-r2v", REFERENCES, {"v": 29.0}, "6.60"),
        ("wan2.6-r2v-flash", {**REFERENCES, "audio": False}, {"v": 29.0}, "1.65"),
        ("wan2.7-r2v", {"prompt": "x", "media": CLIPS, "resolution": "720P"}, {}, "6.60"),
        # Source and result, cut to the duration.
        ("wan2.7-videoedit", {"media": VIDEO, "resolution": "720P", "duration": 5}, {}, "6.60"),
        ("wan2.7-videoedit", {"media": VIDEO, "resolution": "720P"}, {"v": 5.02}, "7.80"),
        ("wan2.7-videoedit", {"media": VIDEO, "resolution": "720P"}, {}, "12.60"),
        # Every second of every reference video, and never more than thirty with the result. A
        # video that is not measured counts as the longest there may be.
        ("wan3.0-video", {"prompt": "x", "resolution": "720P"}, {}, "3.00"),
        ("wan3.0-video", {"prompt": "x", "resolution": "720P", "duration": -1}, {}, "18.00"),
        ("wan3.0-video", {"media": CLIPS, "resolution": "480P"}, {"v": 3.2, "w": 4.0}, "4.20"),
        ("wan3.0-video", {"media": CLIPS, "resolution": "480P"}, {}, "6.30"),
        ("wan3.0-video", {"media": CLIPS, "resolution": "480P", "duration": -1}, {}, "9.30"),
        # As long as the sound or the video, or the most that these may last, in the same way.
        ("wan2.2-s2v", {"image_url": "i", "audio_url": "v"}, {"v": 18.13}, "10.00"),
        ("wan2.2-s2v", {"image_url": "i", "audio_url": "v"}, {}, "10.50"),
        ("wan2.2-s2v", {"image_url": "i", "audio_url": "v", "detect": True}, {}, "10.504"),
        (
            "wan2.2-animate-move",
            {"image_url": "i", "video_url": "v", "mode": "wan-std"},
            {},
            "12.40",
        ),
        (
            "wan2.2-animate-mix",
            {"image_url": "i", "video_url": "v", "mode": "wan-pro"},
            {"v": 5.2},
            "6.30",
        ),
        ("wan2.2-kf2v-flash", {"first_frame_url": "i"}, {}, "1.00"),
        ("wanx2.1-kf2v-plus", {"first_frame_url": "i"}, {}, "3.50"),
        ("wanx2.1-vace-plus", dict(MODELS["wanx2.1-vace-plus"].example), {}, "3.50"),
        # Pictures: those that are asked for, and the most that a sequence or a story may have.
        ("wan2.7-image-pro", {"prompt": "x", "n": 2}, {}, "1.00"),
        ("wan2.7-image", {"prompt": "x", "enable_sequential": True, "n": 12}, {}, "2.40"),
        ("wan2.6-image", {"prompt": "x", "enable_interleave": True, "max_images": 5}, {}, "1.00"),
        ("wan2.6-image", {"prompt": "x", "images": ["i"]}, {}, "0.20"),
        ("wanx2.1-imageedit", dict(MODELS["wanx2.1-imageedit"].example), {}, "0.14"),
        ("wanx2.0-t2i-turbo", {"prompt": "x", "n": 4}, {}, "0.16"),
    ],
)
def test_the_worst_case_counts_what_goes_in(name, values, seconds, cny):
    """What is measured counts as it is, what is not as the most that it may be; and a second for
    the frames by which a file may be longer.
    """
    assert MODELS[name].check(values, region=None) == []
    request = requested(name, values, **seconds)
    assert str(MODELS[name].price(request, "beijing")) == f"CNY {cny}"


@pytest.mark.parametrize(
    ("name", "region", "amount"),
    [
        ("wan2.2-animate-move", "singapore", "USD 0.12"),
        ("wan2.2-animate-mix", "singapore", "USD 0.18"),
        ("wan2.1-kf2v-plus", "singapore", "USD 0.10"),
        ("wan2.1-vace-plus", "singapore", "USD 0.10"),
        ("wan3.0-video", "singapore", "USD 0.10"),
        ("wan3.0-video-prime", "tokyo", "USD 0.14"),
        ("wan2.2-s2v", "singapore", None),
    ],
)
def test_a_unit_costs_what_the_region_s_list_says(name, region, amount):
    """A region whose list does not have the model has no price for it."""
    model = MODELS[name]
    request = requested(name, {**model.example})
    whole = model.price(request, region)
    if amount is None:
        assert whole is None
    else:
        assert str(whole).startswith("USD ")
        assert whole.micro == int(float(amount[4:]) * 1e6) * model.prices.quantity(request)


@pytest.mark.parametrize(
    ("name", "usage", "cny"),
    [
        ("wan3.0-video", {"duration": 10.0, "SR": 1080, "ratio": "3368:3409"}, "12.00"),
        ("wan2.7-videoedit", {"duration": 10.04, "SR": 720, "video_count": 1}, "6.024"),
        ("wan2.2-s2v", {"duration": 18.13, "SR": 480, "size": "512*640"}, "9.065"),
        ("wan2.2-animate-move", {"video_duration": 5.2, "video_ratio": "standard"}, "2.08"),
        ("wan2.2-kf2v-flash", {"video_duration": 5, "video_count": 1, "SR": 480}, "0.50"),
        ("wan2.7-image", {"image_count": 3, "size": "2048*2048", "output_tokens": 9}, "0.60"),
        ("wan2.6-image", {"image_count": 2, "total_tokens": 100}, "0.40"),
    ],
)
def test_the_documented_usages_are_billed(name, usage, cny):
    """The answers of the reference's samples, priced by the list of Beijing."""
    model = MODELS[name]
    assert str(model.cost(requested(name, model.example), usage, "beijing")) == f"CNY {cny}"


@pytest.mark.parametrize("model", MODELS.values(), ids=repr)
def test_every_model_has_a_price_in_every_region_that_serves_it(model):
    """So that a budget can hold each of them."""
    request = requested(model.name, model.example)
    for region in model.regions:
        assert model.price(request, region).micro > 0
        assert model.price(request, region).currency == CATALOG.region(region).currency


# -- whatever is asked for, no answer costs more than was reserved ------------------------------


COSTLY = {"duration", "n", "size", "resolution", "mode", "audio", "max_images", "detect"}


@st.composite
def bought(draw):
    """A sound job, its request as planned, and the seconds that its files really have."""
    model = draw(st.sampled_from(list(MODELS.values())))
    others = [job for word in OTHERS if word in model.name for job in OTHERS[word]]
    values = dict(draw(st.sampled_from([model.example, *others])))
    for key, takes in model.terms(values).keys.items():
        if key in COSTLY and draw(st.booleans()):
            values[key] = draw(choices(takes))
    real = {slot.path: draw(lengths(model, slot)) for slot in model.slots(values)}
    found = {}
    for slot in model.slots(values):
        known = draw(st.booleans())
        kind = draw(st.sampled_from(sorted(slot.kinds)))
        if kind == "image":
            real[slot.path] = 0.0
        measured = Measured(1000, seconds=real[slot.path] or None) if known else None
        found[slot.path] = Media(
            slot.source, None, f"{kind}/x" if known else None, None, None, measured
        )
    assume(not any(c.severity is Severity.ERROR for c in model.check(values, region=None)))
    return model, values, model.request(values, found), real


def choices(takes):
    match takes:
        case Integer():
            return st.integers(takes.minimum, takes.maximum) | st.sampled_from(
                [takes.minimum, *takes.besides]
            )
        case Steps() | Tier():
            return st.sampled_from(takes.one_of)
        case Switch():
            return st.booleans()
        case Size():
            return st.sampled_from(takes.sizes)
        case _:
            return st.just(takes.default)


def lengths(model, slot):
    """Seconds that the medium may have, by the reference."""
    [accepts, *others] = model.keys[slot.path[0]].accepted(slot.role)
    accepts = others[-1] if others else accepts
    if accepts.kind not in ("audio", "video"):
        return st.just(0.0)
    if accepts.below_seconds:
        return st.floats(0.1, accepts.below_seconds, exclude_max=True)
    return st.floats(accepts.min_seconds or 0.1, (accepts.max_seconds or 15) + 0.1)


def billed_seconds(model, values, real, made, more):
    """What the price list counts, told once more in other words than the catalog's, for files that
    are really so long; ``more`` of them may be billed than that.
    """
    videos = sum(real[slot.path] for slot in model.slots(values) if "video" in slot.kinds)
    if "r2v" in model.name:
        return made + min(5, videos) + more * (videos > 0)
    if "videoedit" in model.name:
        cut = values.get("duration", 0) or videos
        return 2 * min(cut, videos) + more
    if "wan3.0" in model.name:
        return min(30, made + videos) + more * (videos > 0)
    if "s2v" in model.name or "animate" in model.name:
        return max(real.values()) + more
    return made


@given(bought(), st.data())
def test_no_answer_costs_more_than_was_reserved(job, data):
    """For any sound job and any usage within what it asks for, the cost is within the price, even
    if some more frames of its files are billed than they are said to have.
    """
    model, values, request, real = job
    region = data.draw(st.sampled_from(model.regions))
    if model.kind == "image":
        usage = {"image_count": data.draw(st.integers(0, request.results))}
    else:
        asked = request.parameters.get("duration", 5)
        made = data.draw(st.floats(2, 30)) if asked == -1 else asked
        seconds = billed_seconds(model, values, real, made, data.draw(st.floats(0, 0.9)))
        usage = {"duration": data.draw(st.sampled_from([seconds, math.floor(seconds), 0]))}
    assert model.cost(request, usage, region).micro <= model.price(request, region).micro
