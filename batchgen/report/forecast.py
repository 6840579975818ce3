"""How long the rest of a batch takes under the service's limits: an estimate.

A model renders so many tasks at once and takes so many requests a second; its tasks are made wave
after wave, each as long as one task typically takes. Models do not wait for one another, unless
the manifest limits what is at the service over the whole batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from batchgen.api.standing import BatchReport
from batchgen.catalog import Limits
from batchgen.core.lifecycle import State
from batchgen.manifest import Manifest

_AT_SERVICE = {State.SUBMITTING, State.RENDERING}


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds from now."""

    seconds: float
    """Of all models that are measured."""
    by_model: Mapping[str, float | None]
    """None where nobody has measured how long a model renders."""

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """The models that ``seconds`` leaves out."""
        return tuple(model for model, seconds in self.by_model.items() if seconds is None)


def forecast(manifest: Manifest, report: BatchReport) -> Forecast:
    """The time for what is to buy and what is at the service already."""
    jobs = [*report.to_buy, *(job for job in report.jobs if job.state in _AT_SERVICE)]
    numbers = Counter(job.model for job in jobs if job.model in manifest.catalog.models)
    limits = {name: manifest.catalog.models[name].limits for name in numbers}
    at_once = manifest.max_in_flight
    lanes = {name: _lane(number, limits[name], at_once) for name, number in numbers.items()}
    slowest = max(filter(None, lanes.values()), default=0.0)
    work = sum(number * (limits[name].typical_seconds or 0) for name, number in numbers.items())
    return Forecast(max(slowest, work / at_once) if at_once else slowest, lanes)


def _lane(number: int, limits: Limits, at_once: int | None) -> float | None:
    if limits.typical_seconds is None:
        return None
    waves = ceil(number / min(limits.running, at_once or limits.running))
    sending = (number - 1) / limits.submits_per_second
    return max((waves - 1) * limits.typical_seconds, sending) + limits.typical_seconds
