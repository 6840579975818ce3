"""A run while it lasts: a panel on a terminal, a line now and then in a log.

Rules of this file:

* Showing never holds up the run. On a terminal a thread of its own draws what it was last told, so
  that a terminal stopped with Ctrl-S, or a slow line, stops the drawing and not the downloads.
* Showing never ends the run: the console's stream keeps its trouble to itself (``stream``).
* Nothing is shown before there is something to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.text import Text

from batchgen.catalog import Money
from batchgen.report.money import spending
from batchgen.report.text import clean, clipped, count, counts, duration
from batchgen.runner.progress import Progress

QUIET = 30.0
"""Seconds between two lines of a log, unless something went wrong."""

Watcher = Callable[[Progress], None]


def watch(name: str, console: Console, *, quiet: bool) -> AbstractContextManager[Watcher]:
    """What shows the progress of the batch ``name`` on this console."""
    if quiet:
        return nullcontext(lambda _progress: None)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveProgress(name, console)
    return PlainProgress(name, console)


class LiveProgress:
    """A panel on a terminal that is redrawn in place, and gone at the end.

    ``wall`` is the clock of ``Progress.pause_until`` (Unix seconds), ``clock`` that of the time
    the run has taken.
    """

    def __init__(
        self,
        name: str,
        console: Console,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._name = clean(name)
        self._clock = clock
        self._wall = wall
        self._began = clock()
        self._progress: Progress | None = None
        self._live = Live(
            console=console,
            get_renderable=self._panel,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def __call__(self, progress: Progress) -> None:
        first = self._progress is None
        self._progress = progress
        if first:
            self._live.start()

    def _panel(self) -> RenderableType:
        progress = self._progress
        if progress is None:
            return Text()
        lines = [Text(line) for line in _details(progress, self._clock() - self._began)]
        if progress.pause is not None and progress.pause_until is not None:
            wait = duration(progress.pause_until - self._wall())
            paused = f"no new tasks for {wait}: {clipped(progress.pause)}"
            lines.append(Text(paused, style="yellow"))
        return Group(_bar(self._name, progress), *lines)


class PlainProgress:
    """Lines for a log: at the start, when something went wrong, and at most every 30 s else.

    ``clock`` gives seconds of any origin.
    """

    def __init__(
        self, name: str, console: Console, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = clean(name)
        self._console = console
        self._clock = clock
        self._began = clock()
        self._told_at = 0.0
        self._told: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        return None

    def __call__(self, progress: Progress) -> None:
        numbers = _numbers(progress)
        if numbers == self._told or not self._is_time(numbers):
            return
        self._told, self._told_at = numbers, self._clock()
        parts = [f"{self._name}: {counts(numbers)}", *_details(progress, None)]
        if progress.pause is not None:
            parts.append(f"paused: {clipped(progress.pause)}")
        self._console.print(Text("; ".join(parts)), soft_wrap=True)

    def _is_time(self, numbers: dict[str, int]) -> bool:
        worse = any(numbers[word] > self._told.get(word, 0) for word in _TROUBLE)
        return not self._told or worse or self._clock() >= self._told_at + QUIET


_TROUBLE = ("failed", "in need of a person")


def _numbers(progress: Progress) -> dict[str, int]:
    return {
        "waiting": progress.waiting,
        "at the service": progress.at_service,
        "downloading": progress.downloading,
        "done": progress.done,
        "failed": progress.failed,
        "in need of a person": progress.needs_a_person,
    }


def _details(progress: Progress, elapsed: float | None) -> list[str]:
    """Money and time, where they are known."""
    money = None
    if progress.currency is not None:
        spent = Money(progress.spent, progress.currency)
        money = spending(spent, Money(progress.reserved, progress.currency))
    times = [] if elapsed is None else [f"running for {duration(elapsed)}"]
    if progress.seconds_left:
        times.append(f"about {duration(progress.seconds_left)} left")
    return [line for line in (money, ", ".join(times)) if line]


def _bar(name: str, progress: Progress) -> RenderableType:
    """How far it has come; each line may break where a terminal is narrow."""
    settled = progress.done + progress.failed + progress.needs_a_person
    numbers = {word: number for word, number in _numbers(progress).items() if word != "done"}
    return Group(
        Text(f"{name}: {progress.done:,} of {count(progress.total, 'job')} done", style="bold"),
        # In a padding of nothing: a bar by itself does not end its line.
        Padding(ProgressBar(total=max(1, progress.total), completed=settled, width=40), 0),
        Text(counts(numbers)),
    )
