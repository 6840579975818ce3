"""The process that a command has for itself: its standard streams, and signals outside of a loop.

Rules of this file:

* While a loop runs, ``signals.heed`` takes the signals one by one. Before and after it they are
  exceptions, as SIGINT is by itself (``take_signals``), so that whoever was told to go still says
  so.
* A SIGHUP that was ignored at the start, as under nohup, stays ignored.
* When all is done a signal ends the process by itself (``let_go``): Python tears down without a
  word, and the exit status is that of the signal.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from batchgen.errors import ExitCode

CODES = {
    signal.SIGINT: ExitCode.SIGINT,
    signal.SIGTERM: ExitCode.SIGTERM,
    signal.SIGHUP: ExitCode.SIGHUP,
}


class Interrupted(KeyboardInterrupt):
    """A signal came where no loop heeds it."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(code.meaning)
        self.code = code


def fill_streams() -> None:
    """Open what of the three standard streams was closed at the start, on nothing.

    The next file to be opened would get its number: a journal as standard error is written by
    whatever complains there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)


def refuse_plugins() -> None:
    """Let pydantic look for no plugins among all installed packages: none is of use here, and the
    search takes as long as reading the catalog.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def heeded() -> list[signal.Signals]:
    """The signals that end a command."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in CODES if not (ignored and number is signal.SIGHUP)]


@contextmanager
def raised() -> Iterator[None]:
    """In this block the signals raise Interrupted, except where ``signals.heed`` takes them."""
    with as_before():
        take_signals()
        yield


def take_signals() -> None:
    """From now on the signals raise Interrupted."""
    for number in heeded():
        signal.signal(number, _interrupt)


@contextmanager
def as_before() -> Iterator[None]:
    """What is done at a signal is the same after the block as before."""
    before = {number: signal.getsignal(number) for number in heeded()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def let_go() -> None:
    """The work is done, and so is the exit code: from now on a signal just ends the process."""
    for number in heeded():
        signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted(CODES[signal.Signals(number)])
