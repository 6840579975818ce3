"""Batches one after another, until the end, the first signal, or the hour that was set."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio

from batchgen.api import Place, Run, Settings, Summary
from batchgen.api.summary import worst
from batchgen.cli.ending import alone
from batchgen.cli.hours import in_words
from batchgen.cli.owner import Owner
from batchgen.cli.process import CODES
from batchgen.cli.rehearsal import Rehearsal
from batchgen.cli.signals import heed
from batchgen.errors import BatchgenError, BatchHeld, ExitCode
from batchgen.manifest import Manifest
from batchgen.report.errors import bug_report, error_lines, refusal_data
from batchgen.report.progress import watch
from batchgen.report.screen import Screen
from batchgen.report.summary import summary_data, summary_view
from batchgen.report.text import clean


class BatchSequence:
    """Runs batches one after another, and ends in good order when it is told to."""

    def __init__(
        self,
        place: Place,
        screen: Screen,
        owner: Owner,
        *,
        faults: Path | None,
        as_json: bool,
        quiet: bool,
        if_idle: bool,
    ) -> None:
        self._place = place
        self._screen = screen
        self._owner = owner
        self._faults = faults
        self._as_json = as_json
        self._quiet = quiet
        self._if_idle = if_idle
        self._running: Run | None = None
        self._told_to_end: ExitCode | None = None

    async def run(
        self, batches: Sequence[tuple[Manifest, Settings]], *, end: float | None
    ) -> ExitCode:
        """The worst of the batches' exit codes. ``end``, in Unix seconds, is when to end early."""
        codes: list[ExitCode] = []
        async with anyio.create_task_group() as tasks:
            await tasks.start(heed, self._stop, self._leave)
            if end is not None:
                tasks.start_soon(self._end_at, end)
            for manifest, settings in batches:
                if self._told_to_end is not None:
                    break
                codes.append(await self._batch(manifest, settings))
                if codes[-1] in _ENDS_ALL:
                    break
            tasks.cancel_scope.cancel()
        left = tuple(manifest.name for manifest, _ in batches[len(codes) :])
        if left:
            self._screen.say(f"batchgen: not started: {', '.join(map(clean, left))}")
            self._owner.note_left(left)
        if self._told_to_end in CODES.values() or left:
            codes += [self._told_to_end] if self._told_to_end is not None else []
        return worst(codes)

    async def _batch(self, manifest: Manifest, settings: Settings) -> ExitCode:
        rehearsal = Rehearsal(manifest, settings, self._faults) if settings.sandbox else None
        try:
            with watch(manifest.name, self._screen.notes, quiet=self._quiet) as watcher:
                self._running = Run(
                    manifest,
                    settings,
                    connect=rehearsal.connect if rehearsal else None,
                    place=self._place,
                    on_progress=watcher,
                    on_caution=self._caution,
                )
                summary = await self._running.run()
        except BatchgenError as error:
            self._tell_refusal(manifest, error)
            return error.exit_code
        finally:
            self._running = None
        self._tell(summary)
        if rehearsal and rehearsal.bill and not self._quiet:
            self._screen.say(rehearsal.bill)
        return summary.exit_code

    def _caution(self, words: str) -> None:
        if not self._quiet:
            self._screen.say(f"warning: {clean(words)}")

    async def _end_at(self, end: float) -> None:
        await anyio.sleep(end - time.time())
        if self._told_to_end is None:
            if not self._quiet:
                self._screen.say(f"batchgen: it is {in_words(end)}. {_ENDING_IN_TIME}")
            self._end(ExitCode.MORE_TO_DO)

    def _stop(self, code: ExitCode) -> None:
        self._screen.say(f"batchgen: stopping. {_ENDING} The next signal leaves at once.")
        self._end(code)

    def _end(self, code: ExitCode) -> None:
        self._told_to_end = code
        if self._running is not None:
            self._running.stop(code)

    def _leave(self, code: ExitCode) -> None:
        """Now: the journal survives that, and so do the tasks at the service."""
        self._screen.restore()
        os._exit(code)

    def _tell(self, summary: Summary) -> None:
        if summary.error is not None:
            self._screen.say(*error_lines(summary.error))
        if summary.bug is not None:
            self._screen.say(*bug_report(alone(summary.bug)))
        self._owner.note(partial(summary_data, summary))
        if self._as_json:
            self._screen.tell_json(summary_data(summary))
        elif not (self._quiet and summary.exit_code is ExitCode.DONE):
            self._screen.tell(summary_view(summary))

    def _tell_refusal(self, manifest: Manifest, error: BatchgenError) -> None:
        """What kept a run from its start; there is no summary then."""
        self._owner.note(partial(refusal_data, error, manifest.name))
        if self._if_idle and isinstance(error, BatchHeld):
            return
        self._screen.say(*error_lines(error))
        if self._as_json:
            self._screen.tell_json(refusal_data(error, manifest.name))


_ENDS_ALL = {ExitCode.MACHINE, ExitCode.UNREACHABLE}
"""What the next batch would only meet again."""

_ENDING = (
    "Nothing more is submitted; answers under way are waited for, 10 s at most."
    " Tasks at the service go on: run the same command again to collect them."
)
_ENDING_IN_TIME = (
    "Nothing more is submitted, and answers under way are waited for."
    " Tasks at the service go on: run the same command again to collect them."
)
