"""``batchgen models``."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from batchgen.cli import options
from batchgen.cli.options import Call

_EPILOG = """\b
Examples:
  batchgen models
  batchgen models wan2.6-r2v
  batchgen models --region cn-beijing --json"""


@click.command(short_help="Show the models, and what one of them takes.", epilog=_EPILOG)
@click.argument("model", required=False)
@options.region_option
@options.catalog_option
@options.json_option
def models(**choices: Any) -> Call:
    """List the models, or show all that MODEL takes: keys, limits, prices, and an example job.

    Prices are those of the region: the one of --region, else of DASHSCOPE_API_REGION, else the
    default one. With --region, only the models that are served there are listed.
    """
    from batchgen.cli.catalogs import show_models  # noqa: PLC0415 - heavy

    return options.answered(partial(show_models, **choices), as_json=choices["as_json"])
