"""``batchgen verify``."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from batchgen.cli import options
from batchgen.cli.options import Call

_EPILOG = """\b
Examples:
  batchgen verify jobs/overnight.yaml
  batchgen verify jobs/overnight.yaml --no-fix --json"""


@click.command(short_help="Compare the files with the journal, and mend them.", epilog=_EPILOG)
@options.one_manifest
@options.sandbox_option
@options.region_option
@options.base_url_option
@options.output_option
@options.catalog_option
@options.only_option
@click.option(
    "--fix/--no-fix",
    default=True,
    help="Mend what is free: sidecars are written again, and results fetched again while the"
    " service has them, 24 hours. What is damaged is moved to .batchgen/replaced. The default.",
)
@options.give_up_option("2m")
@options.json_option
@options.quiet_option
def verify(*, sandbox: bool, fix: bool, give_up: float, **choices: Any) -> Call:
    """Read every file of the finished jobs of MANIFEST, and compare it with what was saved.

    Each must be there, have the bytes that were saved, and be a whole picture or video; each
    sidecar must say what the journal says. Nothing is bought: what is lost for good is named with
    what it cost.

    The exit code is 0 when all is whole or was mended, and 3 when something is not.
    """
    options.refuse_places(sandbox=sandbox, region=choices["region"], base_url=choices["base_url"])
    from batchgen.cli.tending import Errand, verify_files  # noqa: PLC0415 - heavy

    errand = Errand(sandbox=sandbox, **choices)
    call = partial(verify_files, errand=errand, fix=fix, give_up=give_up)
    return options.answered(call, as_json=errand.as_json)
