"""What every handler of the API works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batchgen.sandbox.clock import Clock
from batchgen.sandbox.faults import Faults
from batchgen.sandbox.inputs import Pictures
from batchgen.sandbox.service.quotas import Quotas
from batchgen.sandbox.storage.signer import Signer
from batchgen.sandbox.tasks.scheduler import Scheduler
from batchgen.sandbox.tasks.store import Store


@dataclass(frozen=True, slots=True)
class Parts:
    """`keys` maps API keys to accounts; tasks are seen by their account alone."""

    keys: Mapping[str, str]
    region: str
    clock: Clock
    store: Store
    scheduler: Scheduler
    pictures: Pictures
    signer: Signer
    quotas: Quotas
    faults: Faults
