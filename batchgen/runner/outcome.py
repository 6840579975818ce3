"""What came of an action: facts, and what only this run needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batchgen.core.facts import Fact
from batchgen.core.job import Job
from batchgen.journal import LinkKey


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one action."""

    facts: tuple[Fact, ...] = ()
    links: Mapping[LinkKey, str] = field(default_factory=dict)
    """Signed URLs to keep until they are fetched."""
    heard: bool | None = None
    """Whether the service answered at all; None where it was not asked."""
    reason: str | None = None
    """Why nothing was heard."""
    hopeless: bool = False
    """Waiting will not help: the way to the service itself is refused."""
    queries_wait: float | None = None
    """The service asked its queries to wait until then."""
    key_refused: bool = False
    """The service answers this key no more, not even queries."""


def about(job: Job, now: float) -> dict[str, Any]:
    """What every fact about this attempt says first."""
    return {"at": now, "account": job.account, "job": job.id, "attempt": job.attempt}
