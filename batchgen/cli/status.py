"""``batchgen status``."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from batchgen.cli import options
from batchgen.cli.options import Call

_EPILOG = """\b
Examples:
  batchgen status jobs/overnight.yaml
  batchgen status jobs/overnight.yaml --json"""


@click.command(short_help="Show where a batch stands.", epilog=_EPILOG)
@options.one_manifest
@options.sandbox_option
@options.output_option
@options.catalog_option
@options.json_option
def status(**choices: Any) -> Call:
    """Show where the batch of MANIFEST stands: its jobs by state, its troubles, its cost.

    Reads the journal and changes nothing, also while a run is at it.
    """
    from batchgen.cli.views import show_status  # noqa: PLC0415 - heavy

    return options.answered(partial(show_status, **choices), as_json=choices["as_json"])
