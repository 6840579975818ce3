"""``batchgen run``."""

from __future__ import annotations

from functools import partial
from textwrap import fill
from typing import Any

import click

from batchgen.cli import options
from batchgen.cli.options import Call
from batchgen.errors import ExitCode

_DEFAULT_SPEED = 60.0


def _line(code: ExitCode) -> str:
    return fill(code.meaning, width=78, initial_indent=f"{code:>5}  ", subsequent_indent=" " * 7)


_CODES = "\n".join(map(_line, ExitCode))

_EPILOG = f"""\b
Examples:
  batchgen run jobs/detective.yaml --sandbox
  batchgen run jobs/detective.yaml --sandbox --speed 600 --faults jobs/faults/rough-night.yaml
  batchgen run jobs/*.yaml --budget 25 --quiet

\b
Exit codes:
{_CODES}"""


@click.command(short_help="Submit, wait, put the results on disk.", epilog=_EPILOG)
@click.argument("manifests", metavar="MANIFEST...", nargs=-1, required=True, type=options.MANIFEST)
@options.sandbox_option
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="Seconds that pass in the sandbox in one of ours; only with --sandbox."
    f" Default: {_DEFAULT_SPEED:g}, a minute of rendering takes a second.",
)
@options.faults_option
@options.region_option
@options.base_url_option
@click.option(
    "--max-in-flight",
    type=click.IntRange(min=1),
    metavar="N",
    help="Tasks to have at the service at once, over the whole batch; beats the manifest's.",
)
@click.option(
    "--budget",
    type=options.AMOUNT,
    metavar="AMOUNT",
    help="What all runs of a batch may spend, in the currency of the price list, such as 25 or"
    " 0.75; beats the manifest's. A job that could exceed it is not sent.",
)
@options.only_option
@options.output_option
@options.catalog_option
@click.option(
    "--give-up",
    type=options.DURATION,
    default=3_600.0,
    metavar="DURATION",
    help="How long the service may stay silent, such as 90s, 10m or 1h (the default).",
)
@options.json_option
@click.option(
    "-q",
    "--quiet",
    is_flag=True,
    help="No progress, and no summary where everything is done: for cron.",
)
def run(*, sandbox: bool, speed: float | None, **choices: Any) -> Call:
    """Submit the jobs of each MANIFEST, wait for them, and put the results on disk.

    Run the same command again to continue: nothing is bought twice, and a batch that is finished
    needs no key and no network. Several manifests are checked together, then run one after
    another.

    Ctrl-C stops submitting and leaves in good order, at once when it is pressed twice. The tasks
    go on at the service, and the next run collects them.
    """
    if speed is not None and not sandbox:
        raise click.UsageError("--speed needs --sandbox: the service has its own pace.")
    if choices["faults"] is not None and not sandbox:
        raise click.UsageError("--faults needs --sandbox: the service has its own.")
    options.refuse_places(sandbox=sandbox, region=choices["region"], base_url=choices["base_url"])
    from batchgen.cli.batches import Choices, run_batches  # noqa: PLC0415 - heavy

    chosen = Choices(sandbox=sandbox, speed=speed or _DEFAULT_SPEED, **choices)
    return options.answered(partial(run_batches, chosen), as_json=chosen.as_json)
