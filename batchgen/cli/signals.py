"""SIGINT, SIGTERM, SIGHUP in a loop: the first ends a run in good order, the second at once."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from anyio.abc import TaskStatus

from batchgen.cli.process import CODES, as_before, heeded
from batchgen.errors import ExitCode


async def heed(
    stop: Callable[[ExitCode], None],
    leave: Callable[[ExitCode], None],
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Call ``stop`` at the first signal and ``leave`` at the next, with the code of the first.

    A SIGHUP that was ignored at the start, as under nohup, stays ignored.
    """
    first: ExitCode | None = None
    # The loop forgets what was done at a signal before it.
    with as_before(), anyio.open_signal_receiver(*heeded()) as received:
        task_status.started()
        async for number in received:
            if first is None:
                first = CODES[number]
                stop(first)
            else:
                leave(first)
