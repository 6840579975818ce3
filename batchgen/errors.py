"""Every error a person can see, grouped by who must act.

    BatchgenError
    |-- Mistake              you: the manifest, the command line or the set-up is wrong (exit 2)
    |   `-- ManifestError    every problem of a manifest at once, each at its place
    |-- BatchHeld            nobody: another run holds this batch, let it finish (exit 4)
    |-- MachineError         you, on this machine: disk, permissions (exit 6)
    |   `-- JournalError     the batch's journal cannot be read or written (exit 6)
    `-- ServiceUnreachable   the network or the service (exit 8)

Anything else that escapes is a bug of ours (exit 70) and the only case that shows a traceback.
Texts are whole sentences for a person. They never hold a key or the query of a signed URL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What a finished command tells its caller; cron jobs act on it."""

    DONE = 0
    SOME_FAILED = 1
    MISTAKE = 2
    NEEDS_A_PERSON = 3
    HELD = 4
    ACCOUNT = 5
    MACHINE = 6
    MORE_TO_DO = 7
    UNREACHABLE = 8
    BUG = 70
    SIGHUP = 129
    SIGINT = 130
    SIGTERM = 143

    @property
    def meaning(self) -> str:
        """The sentence that the README prints for this code."""
        return _MEANING[self]


_MEANING = {
    ExitCode.DONE: "everything that was asked for is on disk",
    ExitCode.SOME_FAILED: "finished, but some jobs failed for good; each is named with the "
    "service's words",
    ExitCode.MISTAKE: "the manifest, the command line or the set-up is wrong; nothing was sent",
    ExitCode.NEEDS_A_PERSON: "finished, but some jobs need a person: in doubt, expired, stuck, "
    "cancelled elsewhere, or changed after they were paid for",
    ExitCode.HELD: "another run holds this batch; nothing was done",
    ExitCode.ACCOUNT: "stopped by the account: key refused, arrears, nothing purchased, or the "
    "budget is reached; what is paid and reachable was collected",
    ExitCode.MACHINE: "stopped by this machine: disk, permissions or the journal",
    ExitCode.MORE_TO_DO: "stopped early as asked, more to do: run again",
    ExitCode.UNREACHABLE: "nothing was heard from the service for the time that `--give-up` allows",
    ExitCode.BUG: "a bug of batchgen: a traceback and a report to paste",
    ExitCode.SIGHUP: "stopped by SIGHUP; run again to continue",
    ExitCode.SIGINT: "stopped by SIGINT (Ctrl-C); run again to continue",
    ExitCode.SIGTERM: "stopped by SIGTERM; run again to continue",
}


class BatchgenError(Exception):
    """Something a person can understand and act on; shown without a traceback.

    ``hint`` says what to do next, in a sentence, where the message alone does not.
    """

    exit_code: ExitCode = ExitCode.BUG

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Mistake(BatchgenError):
    """The manifest, the command line or the set-up is wrong; nothing was sent."""

    exit_code = ExitCode.MISTAKE


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a manifest, at its place. Lines and columns count from 1; 0 is unknown."""

    file: str
    line: int
    column: int
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{place}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class ManifestError(Mistake):
    """All the problems of a manifest, in the order of their places.

    ``where`` is what they are in, if not in a manifest: the files of models that it builds on.
    ``warnings`` are what a person should know besides.
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        where: str = "the manifest",
        warnings: Sequence[Problem] = (),
    ) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in {where}")

    def __str__(self) -> str:
        return "\n".join([*map(str, self.problems), self.message])


class BatchHeld(BatchgenError):
    """Another run holds this batch."""

    exit_code = ExitCode.HELD


class MachineError(BatchgenError):
    """This machine refuses: disk full, no permission, read-only file system."""

    exit_code = ExitCode.MACHINE


class JournalError(MachineError):
    """The journal of a batch cannot be read or written."""


class ServiceUnreachable(BatchgenError):
    """Nothing was heard from the service for the give-up time."""

    exit_code = ExitCode.UNREACHABLE
