"""``batchgen sandbox``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from batchgen.cli import options
from batchgen.cli.options import Call

_EPILOG = """\b
Examples:
  batchgen sandbox --speed 60
  batchgen sandbox --port 9000 --folder rehearsal --key sk-alice=studio --key sk-bob=studio
  batchgen sandbox --speed 600 --faults jobs/faults/rough-night.yaml"""

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(short_help="Run a local stand-in of the service.", epilog=_EPILOG)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8765,
    show_default=True,
    metavar="P",
    help="Port on this machine; 0 takes a free one.",
)
@click.option(
    "--speed",
    default=1.0,
    metavar="X",
    help="Seconds that pass in the sandbox in one of ours: with 60, a minute of rendering takes a"
    " second. At most 1,000,000. Default: 1, as slow as the service.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="K[=ACCOUNT]",
    help="A key to accept, and the account it belongs to; may be given several times. Default:"
    " sk-sandbox.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep tasks, uploads, bill and clock in this folder. Default: they go with the sandbox.",
)
@click.option(
    "--region",
    default="ap-southeast-1",
    show_default=True,
    metavar="R",
    help="The region whose prices it has, and that lists and events name.",
)
@click.option(
    "--models",
    type=_FILE,
    metavar="FILE",
    help="YAML with models to add to those it plays, or to put in their place.",
)
@options.faults_option
@click.option(
    "--failures",
    "failure_rate",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="P",
    help="How many of all tasks fail by chance, such as 0.05; the same ones each time.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Refuse at once what the service would accept and fail later, and headers in the wrong"
    " place.",
)
@click.option(
    "--shared-queries",
    is_flag=True,
    help="Count queries, lists and cancels together: 20 a second for all three, not for each.",
)
@click.option(
    "--steady-rise",
    is_flag=True,
    help="Refuse submits whose rate more than doubles from one second to the next"
    " (Throttling.BurstRate).",
)
@click.option(
    "--events",
    metavar="URL",
    help="Tell this URL on this machine of every task that has ended, as EventBridge does.",
)
def sandbox(*, keys: tuple[str, ...], **choices: Any) -> Call:
    """Run a local stand-in of the service until Ctrl-C, then show its bill.

    It takes the requests of Wan video and image models, renders real files, and has the quotas and
    refusals of the service. Its address in a browser shows what is there. No money is real.

    A signal to stop (SIGINT, SIGTERM, SIGHUP) is how it ends: with exit code 0.
    """
    accounts = dict(_account(key) for key in keys or ("sk-sandbox",))
    from batchgen.cli.stand_in import serve  # noqa: PLC0415 - heavy

    return partial(serve, accounts=accounts, **choices)


def _account(key: str) -> tuple[str, str]:
    name, _, account = key.partition("=")
    if not name:
        raise click.BadParameter("a key needs at least a character.", param_hint="--key")
    return name, account or "sandbox"
