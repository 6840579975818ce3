"""``batchgen run``."""

from __future__ import annotations

from functools import partial
from textwrap import fill
from typing import Any

import click

from batchgen.cli import options
from batchgen.cli.options import Call
from batchgen.errors import ExitCode


def _line(code: ExitCode) -> str:
    return fill(code.meaning, width=78, initial_indent=f"{code:>5}  ", subsequent_indent=" " * 7)


_CODES = "\n".join(map(_line, ExitCode))

_EPILOG = f"""\b
Examples:
  batchgen run jobs/detective.yaml --sandbox
  batchgen run jobs/detective.yaml --sandbox --speed 600 --faults jobs/faults/rough-night.yaml
  batchgen run jobs/*.yaml --budget 25 --until 07:00 --quiet

\b
Exit codes:
{_CODES}"""


@click.command(short_help="Submit, wait, put the results on disk.", epilog=_EPILOG)
@click.argument("manifests", metavar="MANIFEST...", nargs=-1, required=True, type=options.MANIFEST)
@options.sandbox_option
@options.speed_option
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
@options.rerun_changed_option
@options.output_option
@options.catalog_option
@options.give_up_option("1h")
@options.json_option
@options.quiet_option
@options.unattended
def run(*, sandbox: bool, speed: float | None, **choices: Any) -> Call:
    """Submit the jobs of each MANIFEST, wait for them, and put the results on disk.

    Run the same command again to continue: nothing is bought twice, and a batch that is finished
    needs no key and no network. Several manifests are checked together, then run one after
    another.

    Ctrl-C stops submitting and leaves in good order, at once when it is pressed twice. The tasks
    go on at the service, and the next run collects them.
    """
    options.refuse_without_sandbox(sandbox=sandbox, speed=speed, faults=choices["faults"])
    options.refuse_places(sandbox=sandbox, region=choices["region"], base_url=choices["base_url"])
    from batchgen.cli.batches import Choices, run_batches  # noqa: PLC0415 - heavy

    chosen = Choices(sandbox=sandbox, speed=speed or options.DEFAULT_SPEED, **choices)
    return options.answered(partial(run_batches, chosen), as_json=chosen.as_json)
