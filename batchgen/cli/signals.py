"""SIGINT, SIGTERM, SIGHUP: the first ends a run in good order, the second at once."""

from __future__ import annotations

import signal
from collections.abc import Callable

import anyio
from anyio.abc import TaskStatus

from batchgen.errors import ExitCode

_CODES = {
    signal.SIGINT: ExitCode.SIGINT,
    signal.SIGTERM: ExitCode.SIGTERM,
    signal.SIGHUP: ExitCode.SIGHUP,
}


async def heed(
    stop: Callable[[ExitCode], None],
    leave: Callable[[ExitCode], None],
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Call ``stop`` at the first signal and ``leave`` at the next, with the code of the first."""
    first: ExitCode | None = None
    with anyio.open_signal_receiver(*_heeded()) as received:
        task_status.started()
        async for number in received:
            if first is None:
                first = _CODES[number]
                stop(first)
            else:
                leave(first)


def _heeded() -> list[signal.Signals]:
    """A SIGHUP that was ignored at the start, as under nohup, stays ignored."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in _CODES if not (ignored and number is signal.SIGHUP)]
