"""What an error that ends a command says, and the exit code that it has."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterable
from contextlib import suppress

import click

from batchgen.cli.process import Interrupted
from batchgen.errors import BatchgenError, ExitCode, MachineError
from batchgen.report.errors import bug_report, error_lines
from batchgen.report.stream import Stream

_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
"""What a disk or its permissions refuse is no bug, wherever it shows."""


def alone(error: BaseException) -> BaseException:
    """The one error in a task group's wrapping, or in click's, where it is one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    told = isinstance(error, click.Abort) and isinstance(error.__cause__, Interrupted)
    return error.__cause__ or error if told else error


def code_of(error: BaseException) -> ExitCode:
    """The exit code of an error that ends a command."""
    match error:
        case BatchgenError():
            return error.exit_code
        case click.ClickException():
            return ExitCode.MISTAKE
        case Interrupted():
            return error.code
        case KeyboardInterrupt() | click.Abort():
            return ExitCode.SIGINT
        case SystemExit():
            # Click ends so after a completion, and where nobody reads its help any more.
            return ExitCode.DONE
        case OSError(errno=number) if number in _MACHINE:
            return ExitCode.MACHINE
        case _:
            return ExitCode.BUG


def ending(error: BaseException) -> ExitCode:
    """Say what happened, on standard error, and return the exit code."""
    error = alone(error)
    code = code_of(error)
    match error:
        case BatchgenError():
            _say(error_lines(error))
        case click.ClickException():
            with suppress(OSError, ValueError):
                error.show()
        case KeyboardInterrupt() | click.Abort():
            _say(["batchgen: interrupted"])
        case OSError() if code is ExitCode.MACHINE:
            place = f"{error.filename}: " if error.filename else ""
            _say(error_lines(MachineError(f"{place}{error.strerror}")))
        case _ if code is ExitCode.BUG:
            _say(bug_report(error))
    return code


def _say(lines: Iterable[str]) -> None:
    """Without rich, which takes longer to import than most mistakes take to tell."""
    stream = Stream(sys.stderr)
    stream.write("".join(f"{line}\n" for line in lines))
    stream.flush()
