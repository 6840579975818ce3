"""The group of all commands: argv to a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import click

from batchgen.cli.cancel import cancel
from batchgen.cli.collect import collect
from batchgen.cli.completion import completion
from batchgen.cli.models import models
from batchgen.cli.options import Call
from batchgen.cli.plan import plan
from batchgen.cli.rebuild import rebuild
from batchgen.cli.retry import retry
from batchgen.cli.run import run
from batchgen.cli.sandbox import sandbox
from batchgen.cli.schema import schema
from batchgen.cli.status import status
from batchgen.cli.verify import verify
from batchgen.errors import ExitCode
from batchgen.version import VERSION

COMPLETE_VARIABLE = "_BATCHGEN_COMPLETE"

_EPILOG = """\b
A night's work:
  batchgen plan jobs/detective.yaml             the price; sends nothing
  batchgen run jobs/detective.yaml --sandbox    a rehearsal: no key, no cost
  batchgen run jobs/detective.yaml              the real thing; run again to continue

\b
The morning after:
  batchgen status jobs/detective.yaml           what there is, and what to do next
  batchgen collect jobs/detective.yaml          only fetches what is paid for
  batchgen retry jobs/detective.yaml            what has failed is sent again by the next run
  batchgen verify jobs/detective.yaml           the files against what was saved

The API key comes from DASHSCOPE_API_KEY, or from the file named by DASHSCOPE_API_KEY_FILE_PATH, or
from ~/.dashscope/api_key. It is never an option.

Exit codes are listed by `batchgen run --help`."""


class _InOrder(click.Group):
    """Lists its commands in the order in which they are needed."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=_InOrder,
    invoke_without_command=True,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(VERSION, prog_name="batchgen", message="%(prog)s %(version)s")
@click.pass_context
def batchgen(context: click.Context) -> None:
    """Run a manifest of Wan video and image prompts through DashScope overnight.

    Every result ends up on disk with what it cost, and nothing is bought twice: what was
    interrupted goes on where it stood when the same command is run again.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (
    *(plan, run, status, collect, retry, cancel, verify, rebuild),
    *(models, schema, sandbox, completion),
):
    batchgen.add_command(command)


def parsed(argv: Sequence[str] | None) -> Callable[[], ExitCode]:
    """What argv asks for, ready to be done. Raises click's exceptions and SystemExit.

    Click parses and no more: a call made inside of it would have its broken pipes taken for
    those of standard output.
    """
    call = batchgen.main(
        argv, prog_name="batchgen", complete_var=COMPLETE_VARIABLE, standalone_mode=False
    )
    return partial(_called, call) if callable(call) else lambda: ExitCode.DONE


def _called(call: Call) -> ExitCode:
    from batchgen.report.screen import Screen  # noqa: PLC0415 - rich, for a call alone

    screen = Screen()
    code = call(screen)
    if screen.trouble is None:
        return code
    screen.say(f"batchgen: standard output could not be written: {screen.trouble}")
    return code or ExitCode.MACHINE
