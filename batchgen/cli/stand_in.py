"""The stand-in of the service: how it starts, what its bill says, and the call of ``sandbox``."""

from __future__ import annotations

import errno
import shlex
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
from rich.text import Text

from batchgen.catalog import Money
from batchgen.cli.signals import heed
from batchgen.errors import ExitCode, MachineError, Mistake
from batchgen.report.screen import Screen
from batchgen.report.text import clean, count
from batchgen.sandbox import Bill, RenderingUnavailable, Sandbox


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
            raise Mistake(f"The sandbox cannot use this folder: {error}.") from None
        except OSError as error:
            raise _refusal(error) from None
        yield


def _refusal(error: OSError) -> Mistake | MachineError:
    if error.errno == errno.EADDRINUSE:
        return Mistake("The sandbox's port is taken.", hint="choose another with --port")
    return MachineError(f"The sandbox cannot start: {error.strerror or error}.")


def bill_line(bill: Bill) -> str:
    """The bill in a line, for standard error."""
    twice = "no request was made twice"
    if bill.equal_requests:
        twice = f"{count(bill.equal_requests, 'request')} made twice"
    parts = [
        count(bill.tasks_created, "task"),
        f"{count(bill.video_seconds, 'second')} of video",
        count(bill.images, "image"),
        f"{Money(bill.amount, bill.currency)} (not real money)",
        twice,
    ]
    return f"sandbox bill: {', '.join(parts)}"


def serve(
    screen: Screen, *, port: int, speed: float, accounts: Mapping[str, str], folder: Path | None
) -> ExitCode:
    """Run a sandbox until a signal. Raises Mistake, MachineError where it cannot start."""
    sandbox = Sandbox(folder, port=port, speed=speed, keys=accounts)
    anyio.run(partial(_serve, screen, sandbox, next(iter(accounts)), speed))
    return ExitCode.DONE


async def _serve(screen: Screen, sandbox: Sandbox, key: str, speed: float) -> None:
    async with opened(sandbox):
        screen.say(
            f"The sandbox listens until Ctrl-C; {speed:g} s pass in it in one of ours."
            " In another shell:"
        )
        lines = {"DASHSCOPE_HTTP_BASE_URL": sandbox.base_url, "DASHSCOPE_API_KEY": shlex.quote(key)}
        for name, value in lines.items():
            screen.tell(Text(f"export {name}={clean(value)}", no_wrap=True, overflow="ignore"))
        await _stopped()
        screen.say(bill_line(sandbox.bill()))


async def _stopped() -> None:
    """Until the first signal: being stopped is how a sandbox ends."""
    async with anyio.create_task_group() as tasks:

        def stop(_code: ExitCode) -> None:
            tasks.cancel_scope.cancel()

        await tasks.start(heed, stop, stop)
        await anyio.sleep_forever()
