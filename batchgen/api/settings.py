"""What a caller may choose about a run, and the policy that comes of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from batchgen.catalog import Catalog, Money
from batchgen.core.policy import HOUR, LaneLimits, Policy
from batchgen.manifest import Manifest

if TYPE_CHECKING:
    from batchgen.journal import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Choices for one run; each beats what the manifest says of the same.

    ``sandbox`` keeps a rehearsal apart from the real batch, in a folder and a journal of its own.
    ``only`` is a glob over job ids: others are not submitted. ``give_up`` is how many seconds the
    service may stay silent. ``service_speed`` is 60 where a minute at the service takes a second.
    ``collect`` fetches what is paid for and submits nothing, whatever the manifest says by now.
    ``rerun_changed`` buys jobs anew whose request was changed after they were paid for.
    """

    output: Path | None = None
    sandbox: bool = False
    max_in_flight: int | None = None
    budget: Money | None = None
    only: str | None = None
    give_up: float = HOUR
    service_speed: float = 1.0
    collect: bool = False
    rerun_changed: bool = False

    @property
    def kind(self) -> Kind:
        """Whose journal it is."""
        return "sandbox" if self.sandbox else "service"


def policy_of(manifest: Manifest, settings: Settings, catalog: Catalog) -> Policy:
    """The numbers of this run: the catalog's, changed by the manifest, changed by the caller."""
    lanes = {
        name: LaneLimits(
            submits_per_second=model.limits.submits_per_second,
            running=model.limits.running,
            poll_seconds=model.limits.poll_seconds,
        )
        for name, model in catalog.models.items()
    }
    budget = settings.budget or manifest.budget
    default = Policy(lanes=lanes)
    return Policy(
        lanes=lanes,
        max_in_flight=settings.max_in_flight or manifest.max_in_flight,
        budget=budget.micro if budget else None,
        retry=manifest.retry or default.retry,
        settle=default.settle if manifest.settle is None else manifest.settle,
        queries_per_second=manifest.queries_per_second or default.queries_per_second,
        service_speed=settings.service_speed,
        exclusive_account=manifest.exclusive_account,
        stop_after_failures=manifest.stop_after_failures,
    )


def chosen_jobs(manifest: Manifest, only: str | None) -> Collection[str] | None:
    """The ids that a glob chooses; None where there is no glob, and all are chosen."""
    if only is None:
        return None
    return {job.id for job in manifest.jobs if matches(job.id, only)}


def matches(job: str, only: str | None) -> bool:
    """Whether a glob, if there is one, chooses the job of this id."""
    return only is None or fnmatchcase(job, only)
