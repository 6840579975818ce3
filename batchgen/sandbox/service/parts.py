"""What every handler of the API works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batchgen.sandbox.clock import Clock
from batchgen.sandbox.database import Database
from batchgen.sandbox.faults import Faults
from batchgen.sandbox.inputs import Inputs
from batchgen.sandbox.models import Model
from batchgen.sandbox.service.quotas import Quotas
from batchgen.sandbox.storage.signer import Signer
from batchgen.sandbox.storage.uploads import Uploads
from batchgen.sandbox.tasks.scheduler import Scheduler
from batchgen.sandbox.tasks.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """Where the service's ways are not one, or not known."""

    strict: bool = False
    """Refuse at submit what would fail as a task, and headers in the wrong place."""
    shared_queries: bool = False
    """One allowance for query, list and cancel together."""
    steady_rise: bool = False
    """Refuse a rate of submits that more than doubles from one second to the next."""
    failure_rate: float = 0.0
    """How many of all tasks fail by chance, from 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`keys` maps API keys to accounts; tasks are seen by their account alone."""

    keys: Mapping[str, str]
    region: str
    models: Mapping[str, Model]
    conduct: Conduct
    clock: Clock
    database: Database
    store: Store
    scheduler: Scheduler
    inputs: Inputs
    uploads: Uploads
    signer: Signer
    quotas: Quotas
    faults: Faults
