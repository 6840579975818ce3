"""What all the hands of a run know: whose batch it is, how requests read, and what time it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from batchgen.catalog import Catalog, Model, Request
from batchgen.core.job import Job
from batchgen.runner.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """``folder`` is the manifest's, from which local media count; ``region`` sets the prices."""

    manifest: str
    folder: Path
    catalog: Catalog
    region: str | None
    request_of: Callable[[str], Request]
    """The request of an identity: the manifest's own, or the journal's."""
    clock: Clock
    dice: Random = field(default_factory=Random)
    """For jitter; what is drawn is stored in a fact."""

    def request(self, job: Job) -> Request:
        return self.request_of(job.request)

    def model(self, job: Job) -> Model | None:
        """None where a newer or older catalog made the job."""
        return self.catalog.find(job.model)
