"""What a run comes to: one value for people, programs and cron."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from batchgen.api.standing import JobReport, lacking
from batchgen.catalog import Money
from batchgen.core.lifecycle import NEEDS_A_PERSON, State
from batchgen.errors import BatchgenError, ExitCode

PRECEDENCE = (
    ExitCode.SIGINT,
    ExitCode.SIGTERM,
    ExitCode.SIGHUP,
    ExitCode.BUG,
    ExitCode.MACHINE,
    ExitCode.ACCOUNT,
    ExitCode.UNREACHABLE,
    ExitCode.MISTAKE,
    ExitCode.HELD,
    ExitCode.NEEDS_A_PERSON,
    ExitCode.SOME_FAILED,
    ExitCode.MORE_TO_DO,
    ExitCode.DONE,
)
"""Where several are true, the first of these counts."""

_UNFETCHED = frozenset({State.SUBMITTING, State.RENDERING, State.READY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The end of a run. ``jobs`` are those that were asked for; ``seconds`` is how long it took."""

    name: str
    folder: Path
    jobs: tuple[JobReport, ...] = field(repr=False)  # asyncio shows what a task returns to itself
    changed: tuple[str, ...]
    """Jobs whose request was changed after it was paid for; their old results stay."""
    submitted: int
    """Requests that this run has sent and that the service may have taken; what was found absent
    and sent again counts once."""
    saved: int
    """Files that this run has put on disk."""
    spent: Money | None
    """By all runs of the batch."""
    reserved: Money | None
    """What tasks under way, or in doubt, may still cost."""
    seconds: float
    stops: tuple[str, ...] = ()
    """What the account has stopped, in the service's words."""
    budget: Money | None = None
    """The cap that counts, over all runs of the batch."""
    budget_reached: bool = False
    """Jobs are left that the budget does not allow."""
    error: BatchgenError | None = None
    """What ended the run early."""
    bug: Exception | None = None
    """What nobody expected: a bug of batchgen. What the run could do without it is done."""
    signal: ExitCode | None = None
    """What asked the run to end early; MORE_TO_DO is the hour that was set for it."""
    disk_needed: int | None = None
    """Bytes that the jobs left need where the results go; None where the disk was no obstacle."""
    disk_free: int | None = None
    """Bytes free there, in the same case."""
    failing: bool = False
    """So many jobs failed one after another that nothing more was submitted."""
    collect: bool = False
    """Only what is paid for was asked for: what was never sent is nothing to go on with."""

    def count(self, *states: str) -> int:
        return sum(job.state in states for job in self.jobs)

    @property
    def nothing_done(self) -> bool:
        """The run found nothing to do."""
        failure = self.error or self.bug
        return not self.submitted and not self.saved and failure is None

    @property
    def failed(self) -> tuple[JobReport, ...]:
        return self._in({State.FAILED, State.PARTIAL})

    @property
    def need_a_person(self) -> tuple[JobReport, ...]:
        return self._in(NEEDS_A_PERSON)

    @property
    def unfinished(self) -> tuple[JobReport, ...]:
        """The jobs that a later run of the same kind has to go on with."""
        return self._in(_UNFETCHED if self.collect else _UNFETCHED | {State.PENDING})

    @property
    def unfetched(self) -> tuple[JobReport, ...]:
        """What is paid for and not on disk, and can still be fetched: soonest deadline first."""
        waiting = [job for job in self.jobs if job.deadline is not None]
        return tuple(sorted(waiting, key=lambda job: job.deadline or 0.0))

    @property
    def adopted(self) -> int:
        """Jobs whose task was found at the service, after the answer to its request was lost."""
        return sum(job.adopted for job in self.jobs)

    @property
    def missing(self) -> Money | None:
        """What the budget lacks for the worst case of all that is still to buy."""
        prices = [job.price for job in self.jobs if job.again or job.state == State.PENDING]
        return lacking(self.budget, [self.spent, self.reserved, *prices])

    @property
    def exit_code(self) -> ExitCode:
        """By the table in the README."""
        return worst(self._codes())

    def _in(self, states: frozenset[State] | set[State]) -> tuple[JobReport, ...]:
        return tuple(job for job in self.jobs if job.state in states)

    def _codes(self) -> list[ExitCode]:
        codes = {
            # Nothing was billed for what collect has not fetched of it.
            ExitCode.SOME_FAILED: self.failed and not self.collect,
            ExitCode.NEEDS_A_PERSON: self.need_a_person or self.changed,
            ExitCode.ACCOUNT: self.stops or self.budget_reached,
            ExitCode.BUG: self.bug is not None,
            ExitCode.MACHINE: self.disk_needed is not None,
            ExitCode.MORE_TO_DO: self.unfinished,
        }
        found = [code for code, reason in codes.items() if reason]
        found += [self.error.exit_code] if self.error else []
        stopped = self.signal is not None and self.signal is not ExitCode.MORE_TO_DO
        return [*found, self.signal] if stopped and self.signal else found


def worst(codes: Sequence[ExitCode]) -> ExitCode:
    """The one that counts; DONE where there is none."""
    known = [code for code in PRECEDENCE if code in codes]
    return known[0] if known else next(iter(codes), ExitCode.DONE)
