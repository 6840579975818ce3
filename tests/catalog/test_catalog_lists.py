"""The published lists, written down once more: a figure of the data that differs fails here.

Prices: Model pricing, 2026-05. Limits: Rate limits, 2026-05-30. Rendering: the samples of the API
references, the slowest of each.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from batchgen.catalog import load

MODELS = load().models

MAINLINE = "720P 0.60 0.10, 1080P 1.00 0.15"
FLASH = "720P 0.30 0.05, 1080P 0.50 0.075"
SILENT = "720P 0.15 0.025, 1080P 0.25 0.0375"
ALL_TIERS = "480P 0.30 0.05, 720P 0.60 0.10, 1080P 1.00 0.15"
PLUS_22 = "480P 0.14 0.02, 1080P 0.70 0.10"
FLASH_22 = "480P 0.10 0.015, 720P 0.20 0.036, 1080P 0.48 0.0864"
TURBO_21 = "480P 0.24 0.036, 720P 0.24 0.036"
PLUS_21 = "720P 0.70 0.10"

PRICES = {
    MAINLINE: """wan2.7-t2v wan2.7-t2v-2026-04-25 wan2.7-t2v-2026-06-12 wan2.7-i2v
        wan2.7-i2v-2026-04-25 wan2.7-r2v wan2.7-r2v-2026-06-12 wan2.7-videoedit wan2.6-t2v
        wan2.6-t2v-us wan2.6-i2v wan2.6-i2v-us wan2.6-r2v""",
    f"audio=False {SILENT}; {FLASH}": "wan2.6-i2v-flash wan2.6-r2v-flash",
    ALL_TIERS: "wan2.5-t2v-preview wan2.5-i2v-preview",
    PLUS_22: "wan2.2-t2v-plus wan2.2-i2v-plus",
    FLASH_22: "wan2.2-i2v-flash wan2.2-kf2v-flash",
    TURBO_21: "wanx2.1-t2v-turbo wan2.1-t2v-turbo wanx2.1-i2v-turbo wan2.1-i2v-turbo",
    PLUS_21: """wanx2.1-t2v-plus wan2.1-t2v-plus wanx2.1-i2v-plus wan2.1-i2v-plus
        wanx2.1-kf2v-plus wan2.1-kf2v-plus""",
    "all 0.70 0.10": "wanx2.1-vace-plus wan2.1-vace-plus",
    "480P 0.50 -, 720P 0.90 -": "wan2.2-s2v",
    "wan-std 0.40 0.12, wan-pro 0.60 0.18": "wan2.2-animate-move",
    "wan-std 0.60 0.18, wan-pro 0.90 0.26": "wan2.2-animate-mix",
    "480P 0.30 0.05, 720P 0.60 0.10, 1080P 1.20 0.20": "wan3.0-video",
    "480P 0.408 0.068, 720P 0.84 0.14, 1080P 1.68 0.28": "wan3.0-video-prime",
    "all 0.50 0.076584": "wan2.7-image-pro",
    "all 0.20 0.03": """wan2.7-image wan2.6-image wan2.6-t2i wan2.5-t2i-preview
        wan2.5-i2i-preview""",
    "all 0.20 0.05": "wan2.2-t2i-plus wanx2.1-t2i-plus wan2.1-t2i-plus",
    "all 0.14 0.025": "wan2.2-t2i-flash wanx2.1-t2i-turbo wan2.1-t2i-turbo",
    "all 0.14 -": "wanx2.1-imageedit",
    "all 0.04 -": "wanx2.0-t2i-turbo",
}
"""Tier, amount in CNY (Beijing) and in USD (Singapore): a second of video, or an image."""

IMAGES = """wan2.7-image wan2.7-image-pro wan2.6-image wan2.6-t2i wan2.5-t2i-preview
    wan2.5-i2i-preview wan2.2-t2i-plus wan2.2-t2i-flash wanx2.1-t2i-plus wan2.1-t2i-plus
    wanx2.1-t2i-turbo wan2.1-t2i-turbo wanx2.1-imageedit wanx2.0-t2i-turbo"""

LIMITS = {
    (5, 5): """wan2.7-t2v wan2.7-t2v-2026-04-25 wan2.7-t2v-2026-06-12 wan2.7-i2v
        wan2.7-i2v-2026-04-25 wan2.7-r2v wan2.7-r2v-2026-06-12 wan2.7-videoedit wan2.6-t2v
        wan2.6-t2v-us wan2.6-i2v wan2.6-i2v-us wan2.6-i2v-flash wan2.6-r2v wan2.6-r2v-flash
        wan2.5-t2v-preview wan2.5-i2v-preview wan3.0-video wan3.0-video-prime wan2.7-image
        wan2.7-image-pro wan2.6-image wan2.5-t2i-preview wan2.5-i2i-preview""",
    (1, 5): "wan2.6-t2i",
    (2, 2): """wan2.2-t2v-plus wan2.2-i2v-plus wan2.2-i2v-flash wan2.2-kf2v-flash
        wanx2.1-t2v-turbo wan2.1-t2v-turbo wanx2.1-t2v-plus wan2.1-t2v-plus wanx2.1-i2v-turbo
        wan2.1-i2v-turbo wanx2.1-i2v-plus wan2.1-i2v-plus wanx2.1-kf2v-plus wanx2.1-vace-plus
        wan2.1-vace-plus wan2.2-t2i-plus wan2.2-t2i-flash wanx2.1-t2i-plus wan2.1-t2i-plus
        wanx2.1-t2i-turbo wan2.1-t2i-turbo wanx2.0-t2i-turbo wanx2.1-imageedit""",
    (1, 2): "wan2.1-kf2v-plus",
    (5, 1): "wan2.2-s2v wan2.2-animate-move wan2.2-animate-mix",
}
"""Submits a second, and tasks that run at once."""

SECONDS = {
    718: "wan3.0-video wan3.0-video-prime",
    699: "wan2.7-t2v wan2.7-t2v-2026-04-25 wan2.7-t2v-2026-06-12",
    90: "wan2.7-i2v wan2.7-i2v-2026-04-25",
    1003: "wan2.7-r2v wan2.7-r2v-2026-06-12",
    628: "wan2.7-videoedit",
    301: "wan2.6-t2v wan2.6-t2v-us wan2.5-t2v-preview",
    73: "wan2.6-i2v wan2.6-i2v-us wan2.6-i2v-flash wan2.5-i2i-preview",
    276: "wan2.6-r2v wan2.6-r2v-flash",
    576: "wan2.5-i2v-preview",
    489: "wan2.2-kf2v-flash wanx2.1-kf2v-plus wan2.1-kf2v-plus",
    325: "wanx2.1-vace-plus wan2.1-vace-plus",
    147: "wan2.2-animate-move wan2.2-animate-mix",
    166: "wan2.2-s2v",
    60: "wan2.7-image wan2.7-image-pro",
    28: "wan2.6-t2i",
    21: "wan2.6-image",
    12: """wanx2.1-t2i-turbo wan2.1-t2i-turbo wanx2.1-t2i-plus wan2.1-t2i-plus
        wanx2.1-imageedit""",
    None: """wan2.2-t2v-plus wan2.2-i2v-plus wan2.2-i2v-flash wanx2.1-t2v-turbo
        wan2.1-t2v-turbo wanx2.1-t2v-plus wan2.1-t2v-plus wanx2.1-i2v-turbo wan2.1-i2v-turbo
        wanx2.1-i2v-plus wan2.1-i2v-plus wan2.5-t2i-preview wan2.2-t2i-plus wan2.2-t2i-flash
        wanx2.0-t2i-turbo""",
}
"""What one task takes to render; None: there is no sample."""


def by_name(table):
    return {name: value for value, names in table.items() for name in names.split()}


def rates_of(text):
    """``audio=False 720P 0.15 0.025; 720P 0.30 0.05`` as conditions, tiers and amounts."""
    rates = []
    for rate in text.split("; "):
        when = {"audio": False} if rate.startswith("audio=False ") else {}
        rows = [row.split() for row in rate.removeprefix("audio=False ").split(", ")]
        rates.append(
            (
                when,
                {
                    currency: {row[0]: row[place] for row in rows if row[place] != "-"}
                    for place, currency in ((1, "CNY"), (2, "USD"))
                    if rows[0][place] != "-"
                },
            )
        )
    return rates


def told(amounts):
    tiers = amounts if isinstance(amounts, Mapping) else {"all": amounts}
    return {tier: float(amount) for tier, amount in tiers.items()}


@pytest.mark.parametrize("table", [PRICES, LIMITS, SECONDS], ids=["prices", "limits", "seconds"])
def test_a_list_has_every_model(table):
    """No figure of a model escapes."""
    assert by_name(table).keys() == MODELS.keys()


@pytest.mark.parametrize(("name", "text"), by_name(PRICES).items())
def test_the_amounts_are_those_of_the_list(name, text):
    """Each model in each tier and currency, with and without sound."""
    prices = MODELS[name].prices
    assert prices.unit == ("image" if name in IMAGES.split() else "second")
    assert [
        (dict(rate.when), {currency: told(amounts) for currency, amounts in rate.amounts.items()})
        for rate in prices.rates
    ] == [
        (
            when,
            {currency: {t: float(a) for t, a in tiers.items()} for currency, tiers in of.items()},
        )
        for when, of in rates_of(text)
    ]


@pytest.mark.parametrize(("name", "limits"), by_name(LIMITS).items())
def test_the_limits_are_those_of_the_list(name, limits):
    """With the advised cadence: 15 seconds for videos, 10 for images."""
    known = MODELS[name].limits
    assert (known.submits_per_second, known.running) == limits
    assert known.poll_seconds == (10 if name in IMAGES.split() else 15)


@pytest.mark.parametrize(("name", "seconds"), by_name(SECONDS).items())
def test_a_rendering_takes_what_the_samples_took(name, seconds):
    """A plan's forecast stands on it."""
    assert MODELS[name].limits.typical_seconds == seconds
