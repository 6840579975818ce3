"""``batchgen sandbox``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from batchgen.cli.options import Call

_EPILOG = """\b
Examples:
  batchgen sandbox --speed 60
  batchgen sandbox --port 9000 --folder rehearsal --key sk-alice=studio --key sk-bob=studio"""


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
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    metavar="X",
    help="Seconds that pass in the sandbox in one of ours: with 60, a minute of rendering takes a"
    " second. Default: 1, as slow as the service.",
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
    help="Keep tasks, bill and clock in this folder. Default: they go with the sandbox.",
)
def sandbox(*, port: int, speed: float, keys: Sequence[str], folder: Path | None) -> Call:
    """Run a local stand-in of the service until Ctrl-C, then show its bill.

    It takes the requests of Wan video and image models, renders real files, and has the quotas and
    refusals of the service. No money is real.
    """
    accounts = dict(_account(key) for key in keys or ("sk-sandbox",))
    from batchgen.cli.stand_in import serve  # noqa: PLC0415 - heavy

    return partial(serve, port=port, speed=speed, accounts=accounts, folder=folder)


def _account(key: str) -> tuple[str, str]:
    name, _, account = key.partition("=")
    if not name:
        raise click.BadParameter("a key needs at least a character.", param_hint="--key")
    return name, account or "sandbox"
