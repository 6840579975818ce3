"""The stand-in of the service: how it starts, what its bill says, and the call of ``sandbox``."""

from __future__ import annotations

import errno
import re
import shlex
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
from rich.text import Text

from batchgen.catalog import Money
from batchgen.cli.signals import heed
from batchgen.errors import ExitCode, MachineError, ManifestError, Mistake, Problem
from batchgen.report.screen import Screen
from batchgen.report.text import clean, count
from batchgen.sandbox import (
    Bill,
    BillLine,
    Faults,
    RenderingUnavailable,
    Sandbox,
    UnknownModels,
    load_faults,
    read_models,
)

_AT = re.compile(r"(?P<file>[^:]+):(?:(?P<line>\d+):(?P<column>\d+):)? (?P<message>.*)")
"""A complaint about a file of the sandbox."""

_Read = TypeVar("_Read")


def made(folder: Path | None, **choices: Any) -> Sandbox:
    """A sandbox with these choices. Raises Mistake where there can be none."""
    try:
        return Sandbox(folder, **choices)
    except ValueError as error:
        raise Mistake(f"There is no such sandbox: {error}.") from None


@asynccontextmanager
async def opened(sandbox: Sandbox) -> AsyncIterator[None]:
    """The sandbox, started. Raises Mistake or MachineError where it cannot start."""
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(sandbox)
        except RenderingUnavailable:
            raise Mistake(
                "The sandbox renders real files, and the packages for that are not installed.",
                hint="pip install 'batchgen[sandbox]'",
            ) from None
        except ValueError as error:
            again = isinstance(error, UnknownModels)
            raise Mistake(
                f"The sandbox cannot use this folder: {error}.",
                hint="give the file of these models again, with --models" if again else None,
            ) from None
        except OSError as error:
            raise _refusal(error) from None
        yield


def _refusal(error: OSError) -> Mistake | MachineError:
    if error.errno == errno.EADDRINUSE:
        return Mistake("The sandbox's port is taken.", hint="choose another with --port")
    return MachineError(f"The sandbox cannot start: {error.strerror or error}.")


def faults_of(path: Path | None) -> Faults:
    """The faults of a script; none without one. Raises Mistake with all that is wrong with it."""
    return _read(load_faults, path, "the faults") if path else Faults()


def _read(reader: Callable[[Path], _Read], path: Path, what: str) -> _Read:
    try:
        return reader(path)
    except ValueError as error:
        raise ManifestError([*map(_problem, str(error).splitlines())], what) from None
    except OSError as error:
        raise Mistake(f"{path} cannot be read: {error.strerror or error}.") from None


def _problem(line: str) -> Problem:
    found = _AT.fullmatch(line)
    if found is None:
        return Problem("", 0, 0, line)
    place = int(found["line"] or 0), int(found["column"] or 0)
    return Problem(found["file"], *place, found["message"])


def bill_line(bill: Bill) -> str:
    """The bill in a line, for standard error."""
    twice = "no request was made twice"
    if bill.equal_requests:
        twice = f"{count(bill.equal_requests, 'request')} made twice"
    parts = [
        count(bill.tasks_created, "task"),
        f"{_seconds(bill.video_seconds)} of video",
        count(bill.images, "image"),
        f"{Money(bill.amount, bill.currency)} (not real money)",
        twice,
    ]
    return f"sandbox bill: {', '.join(parts)}"


def bill_lines(bill: Bill) -> list[str]:
    """The bill with a line for each model, where there are several."""
    several = len({line.account for line in bill.models}) > 1
    rows = [tuple(_cells(line, bill.currency, account=several)) for line in bill.models]
    return [bill_line(bill), *(_aligned(rows) if len(rows) > 1 else ())]


def _cells(line: BillLine, currency: str, *, account: bool) -> Iterator[str]:
    if account:
        yield clean(line.account)
    yield clean(line.model)
    yield count(line.tasks, "task")
    yield count(line.images, "image") if line.images else _seconds(line.seconds)
    yield str(Money(line.amount, currency))


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield f"  {'  '.join(cells)}".rstrip()


def _seconds(seconds: float) -> str:
    return count(round(seconds), "second")


def serve(
    screen: Screen,
    *,
    accounts: Mapping[str, str],
    folder: Path | None,
    models: Path | None,
    faults: Path | None,
    **choices: Any,
) -> ExitCode:
    """Run a sandbox until a signal; `choices` are those of `Sandbox`. Raises Mistake, MachineError
    where it cannot start.
    """
    try:
        played = _read(read_models, models, "the models") if models else None
        played_badly = faults_of(faults)
    except ManifestError as error:
        # Where nothing is ever sent, these words alone tell what came of the mistake.
        screen.say(*(clean(str(problem)) for problem in error.problems))
        raise Mistake(f"The sandbox was not started: {error.message}.") from None
    sandbox = made(folder, keys=accounts, models=played, faults=played_badly, **choices)
    anyio.run(partial(_serve, screen, sandbox, next(iter(accounts))))
    return ExitCode.DONE


async def _serve(screen: Screen, sandbox: Sandbox, key: str) -> None:
    async with opened(sandbox):
        screen.say(
            f"The sandbox listens until Ctrl-C; {sandbox.clock.speed:g} s pass in it in one of"
            f" ours. {sandbox.face_url} shows what is there. In another shell:"
        )
        lines = {"DASHSCOPE_HTTP_BASE_URL": sandbox.base_url, "DASHSCOPE_API_KEY": shlex.quote(key)}
        for name, value in lines.items():
            screen.tell(Text(f"export {name}={clean(value)}", no_wrap=True, overflow="ignore"))
        await _stopped()
        screen.say(*bill_lines(sandbox.bill()))


async def _stopped() -> None:
    """Until the first signal: being stopped is how a sandbox ends."""
    async with anyio.create_task_group() as tasks:

        def stop(_code: ExitCode) -> None:
            tasks.cancel_scope.cancel()

        await tasks.start(heed, stop, stop)
        await anyio.sleep_forever()
