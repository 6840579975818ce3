"""Facts of a model that stand by themselves: how it answers, how fast it may be asked, its end."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import PositiveFloat, PositiveInt

from batchgen.catalog.data import Data


class ResultShape(StrEnum):
    """Where the results stand in a finished task's ``output``."""

    VIDEO_URL = "video_url"
    """``video_url``: one video."""
    RESULTS_VIDEO_URL = "results.video_url"
    """``results.video_url``, where ``results`` is an object: one video."""
    RESULTS = "results"
    """``results[]``: an item an image, each with a ``url`` or with its own ``code`` and
    ``message``."""
    CHOICES = "choices"
    """``choices[].message.content[]``: an ``image`` (a URL) in each choice, or all of them in
    one, between parts of ``text``."""

    @property
    def repeats_prompt(self) -> bool:
        """Whether such an answer says what was asked for (``orig_prompt``), where a prompt was.

        Some models leave it out all the same (General image editing, 2026-05).
        """
        return self in {ResultShape.VIDEO_URL, ResultShape.RESULTS}


class Limits(Data):
    """What the service allows one account for one model, and the cadence of looking."""

    source: str
    submits_per_second: PositiveFloat
    running: PositiveInt
    """Tasks that render at once; more are accepted and queue."""
    poll_seconds: PositiveFloat
    """The advised time between two looks at a task."""
    typical_seconds: PositiveFloat | None = None
    """What one task takes to render, by the reference's own samples (the slowest of them, since
    nothing promises more); None where there is none."""


class Retirement(Data):
    """The end of a model, as somebody has announced it."""

    source: str
    date: dt.date
    """The last day."""
    words: str = "is announced to end"
    """What is announced, in words that the date follows."""

    @property
    def phrase(self) -> str:
        """The announcement in words that follow the model's name."""
        return f"{self.words} on {self.date} ({self.source})"
