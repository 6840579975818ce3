"""``batchgen retry``."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from batchgen.cli import options
from batchgen.cli.options import Call

_EPILOG = """\b
Examples:
  batchgen retry jobs/overnight.yaml                          what has failed, or was cancelled
  batchgen retry jobs/overnight.yaml --in-doubt --only fox    may be bought twice
  batchgen retry jobs/overnight.yaml --expired                is paid for again"""


@click.command(short_help="Mark jobs that the next run sends again.", epilog=_EPILOG)
@options.one_manifest
@options.sandbox_option
@options.output_option
@options.catalog_option
@options.only_option
@click.option(
    "--in-doubt",
    is_flag=True,
    help="Jobs whose request was sent and never answered. If the service has taken it after all,"
    " they are bought twice; a run looks for their tasks first, free of charge.",
)
@click.option(
    "--expired",
    is_flag=True,
    help="Jobs that were made and paid for, and whose results can no longer be fetched, or are"
    " damaged for good. They are paid for again.",
)
@click.option(
    "--lost",
    is_flag=True,
    help="Jobs whose task the service does not know, or does not finish. If it ends well after"
    " all, they are bought twice.",
)
@click.option(
    "--partial",
    "in_part",
    is_flag=True,
    help="Jobs that gave only some of their results. They are paid for again as a whole.",
)
@options.json_option
def retry(*, in_doubt: bool, expired: bool, lost: bool, in_part: bool, **choices: Any) -> Call:
    """Mark jobs of MANIFEST to be sent again; the next `batchgen run` sends them.

    Without one of the options of that kind: those that failed or were cancelled, which were never
    billed. With one or several of them: those, and no others.

    Sends nothing and needs no key. What lies on disk of a job that is bought again is moved to
    .batchgen/replaced, and what its old task may still cost stays counted.
    """
    from batchgen.api.retrying import Choice  # noqa: PLC0415 - heavy
    from batchgen.cli.tending import mark  # noqa: PLC0415 - heavy

    asked = {
        Choice.IN_DOUBT: in_doubt,
        Choice.EXPIRED: expired,
        Choice.LOST: lost,
        Choice.PARTIAL: in_part,
    }
    chosen = [choice for choice, wanted in asked.items() if wanted]
    return options.answered(partial(mark, chosen=chosen, **choices), as_json=choices["as_json"])
