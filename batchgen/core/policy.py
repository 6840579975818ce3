"""The numbers: limits, back-off, polling cadence, budget. All durations are in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HOUR = 3600.0

RETENTION = 24 * HOUR
"""How long the service keeps a task and its results after completion (Wan text-to-video API
reference, 2026-01-26)."""

OVERDUE = 3 * HOUR
"""How long after its end a result is still asked for: clocks differ."""

UPLOAD_LIFE = 48 * HOUR
"""How long the service keeps an uploaded input (Get a temporary file URL, 2026-05-30)."""

UPLOAD_MARGIN = 2 * HOUR
"""What must be left of it when a request leaves that names the file: its task may have to queue
before the service looks for its inputs."""

LONGEST_PAUSE = 600.0
"""No back-off is longer, whatever a header asks for or a clock that was set back makes of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLimits:
    """What one account may do with one model."""

    submits_per_second: float
    running: int
    """How many tasks the service works on at once; more are accepted, and wait."""
    poll_seconds: float
    """The service's advice for the time between two looks at a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Which failed tasks are worth another paid attempt, and how many attempts a job may have.

    They are counted anew when a person wants the job bought again. A code matches itself and
    everything below it: ``InternalError`` matches ``InternalError.Timeout``.
    """

    attempts: int = 2
    codes: tuple[str, ...] = ("InternalError",)

    def allows(self, code: str, attempt: int) -> bool:
        """Whether the ``attempt``-th may be followed by another one."""
        worth = any(code == kind or code.startswith(f"{kind}.") for kind in self.codes)
        return worth and attempt < self.attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that is a choice and not a fact."""

    lanes: Mapping[str, LaneLimits]
    """By model: the catalog's numbers."""
    max_in_flight: int | None = None
    """Tasks submitted and not seen terminal, over the whole batch; replaces what is known of each
    model."""
    budget: int | None = None
    """Micro-units that all runs of the batch may spend; None for no limit."""
    disk_margin: int = 64 * 1024 * 1024
    """Bytes of the disk that stay free, whatever the results in flight may take."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    stop_after_failures: int | None = None
    """After so many jobs that failed one after another, this run submits nothing more."""
    settle: float = 30.0
    """How long after a POST whose answer was lost the service's list must still have no task of it,
    until that counts as proof that none was made."""
    exclusive_account: bool = False
    """Nobody else makes tasks with this account, so one that nothing else explains is ours."""
    queries_per_second: float = 20.0
    """Of questions about tasks, the list and cancelling together: what the service allows an
    account (Manage asynchronous tasks, 2026)."""
    queries_in_flight: int = 16
    downloads: int = 4
    preparations: int = 2
    """Uploads and checks at once."""
    service_speed: float = 1.0
    """Seconds that pass at the service in one of ours: 1, except against a stand-in that renders
    faster than life."""
    unknown_grace: float = 900.0
    """How long a task that was made may be unknown to the query before it counts as lost."""
    stuck_after: float = 4 * HOUR
    """A task seen running for longer will not finish: the service's own limit is 3 hours."""
    gone_after: float = RETENTION + 3 * HOUR
    """Nor will one that was submitted so long ago, whatever the answers about it say."""

    def lane(self, model: str) -> LaneLimits:
        """The limits of a model; 5 a second and 5 at once where the catalog no longer knows it."""
        return self.lanes.get(model) or LaneLimits(submits_per_second=5, running=5, poll_seconds=15)


def backoff(tries: int, jitter: float, *, hint: float | None = None, first: float = 2.0) -> float:
    """Seconds to wait after the ``tries``-th failure in a row.

    Exponential with full jitter (``jitter`` in 0..1, drawn by the caller), never under half the
    step, so that a crowd does not return at once; a hint of the service's is a lower bound.
    """
    step = min(first * 2.0 ** min(tries - 1, 20), LONGEST_PAUSE)
    wait = step * (0.5 + jitter / 2)
    return min(max(wait, hint or 0.0), LONGEST_PAUSE)
