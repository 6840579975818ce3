"""What an error that ends a command says, and the exit code that it has."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterable
from contextlib import suppress

import click

from batchgen.errors import BatchgenError, ExitCode, MachineError
from batchgen.report.errors import bug_report, error_lines
from batchgen.report.stream import Stream

_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
"""What a disk or its permissions refuse is no bug, wherever it shows."""


def ending(error: BaseException) -> ExitCode:
    """Say what happened, on standard error, and return the exit code."""
    match error:
        case BatchgenError():
            _say(error_lines(error))
            return error.exit_code
        case click.ClickException():
            with suppress(OSError, ValueError):
                error.show()
            return ExitCode.MISTAKE
        case KeyboardInterrupt() | click.Abort():
            _say(["batchgen: interrupted"])
            return ExitCode.SIGINT
        case SystemExit():
            # Click ends so after a completion, and where nobody reads its help any more.
            return ExitCode.DONE
        case OSError(errno=number) if number in _MACHINE:
            place = f"{error.filename}: " if error.filename else ""
            _say(error_lines(MachineError(f"{place}{error.strerror}")))
            return ExitCode.MACHINE
        case _:
            _say(bug_report(error))
            return ExitCode.BUG


def _say(lines: Iterable[str]) -> None:
    """Without rich, which takes longer to import than most mistakes take to tell."""
    stream = Stream(sys.stderr)
    stream.write("".join(f"{line}\n" for line in lines))
    stream.flush()
