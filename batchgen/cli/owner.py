"""Tells the owner, who was not there: a summary file, and a command of theirs at the end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from batchgen.cli.ending import alone
from batchgen.cli.signals import heed
from batchgen.errors import ExitCode
from batchgen.notify import Ended, refuse_unfit, run_command, write_file
from batchgen.report.handover import Handover, handover_data
from batchgen.report.screen import Screen
from batchgen.report.text import clean

_MOST_LINES = 20
"""Of what the owner's command prints: a mail of cron's is to be read."""


class Owner:
    """What a command will tell in the end. Raises Mistake where the file could not be written."""

    def __init__(
        self, command: str, screen: Screen, *, summary: Path | None, on_finish: str | None
    ) -> None:
        self._command = command
        self._screen = screen
        # What a link leads to is replaced, not the link; and the current folder may change.
        self._summary = summary.resolve() if summary else None
        self._on_finish = on_finish
        self._began_at = time.time()
        self._batches: list[Mapping[str, Any]] = []
        self._not_started: tuple[str, ...] = ()
        if self._summary:
            refuse_unfit(self._summary)

    def note(self, batch: Callable[[], Mapping[str, Any]]) -> None:
        """A batch has ended; its data is made where there is somebody to be told."""
        if self._listens:
            self._batches.append(batch())

    def note_left(self, names: tuple[str, ...]) -> None:
        """These batches were not come to."""
        self._not_started = names

    def tell(self, code: ExitCode, error: BaseException | None = None) -> None:
        """The command ends with this code, whatever becomes of the telling."""
        if not self._listens:
            return
        handover = Handover(
            command=self._command,
            began_at=self._began_at,
            ended_at=time.time(),
            exit_code=code,
            batches=self._batches,
            not_started=self._not_started,
            error=alone(error) if error else None,
        )
        document = json.dumps(handover_data(handover)).encode() + b"\n"
        if self._summary:
            self._write(self._summary, document)
        if self._on_finish:
            self._run(self._on_finish, document, code)

    @property
    def _listens(self) -> bool:
        return self._summary is not None or self._on_finish is not None

    def _write(self, path: Path, document: bytes) -> None:
        try:
            write_file(path, document)
        except OSError as error:
            words = f"the summary could not be written: {path}: {error.strerror}"
            self._screen.say(f"batchgen: {clean(words)}")

    def _run(self, line: str, document: bytes, code: ExitCode) -> None:
        environ = {**os.environ, "BATCHGEN_EXIT_CODE": str(int(code))}
        ended = anyio.run(_heeding, partial(run_command, line, document, environ=environ))
        lines = ended.output.splitlines()
        self._screen.say(*(f"on finish: {clean(one)}" for one in lines[:_MOST_LINES]))
        if ended.dropped or len(lines) > _MOST_LINES:
            self._screen.say("on finish: ... (the rest of what it printed is not shown)")
        if ended.trouble:
            self._screen.say(f"batchgen: the command of --on-finish {ended.trouble}")


async def _heeding(command: Callable[[], Awaitable[Ended]]) -> Ended:
    """How the command ended. A signal ends it at once, whoever has sent it, and nothing else: what
    the batches came to is known by then.
    """
    ended = Ended("", None)
    async with anyio.create_task_group() as tasks:

        def stop(code: ExitCode) -> None:
            nonlocal ended
            ended = Ended("", f"was ended when {code.name} came")
            tasks.cancel_scope.cancel()

        await tasks.start(heed, stop, stop)
        ended = await command()
        tasks.cancel_scope.cancel()
    return ended
