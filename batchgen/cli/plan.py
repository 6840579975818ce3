"""``batchgen plan``."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from batchgen.cli import options
from batchgen.cli.options import Call

_EPILOG = """\b
Examples:
  batchgen plan jobs/detective.yaml
  batchgen plan jobs/overnight.yaml --all --only 'heron-*'
  batchgen plan jobs/overnight.yaml --rerun-changed"""


@click.command(short_help="Check, and show what a run would buy; sends nothing.", epilog=_EPILOG)
@options.one_manifest
@options.sandbox_option
@options.region_option
@options.base_url_option
@options.output_option
@options.catalog_option
@options.only_option
@options.rerun_changed_option
@click.option("--all", "every_job", is_flag=True, help="Show each job, however many there are.")
@options.json_option
def plan(*, sandbox: bool, **choices: Any) -> Call:
    """Check MANIFEST and show what the next run would buy, and for how much.

    Sends nothing and needs no key. Every mistake in the manifest is named with its line and column
    (exit code 2).
    """
    options.refuse_places(sandbox=sandbox, region=choices["region"], base_url=choices["base_url"])
    from batchgen.cli.views import show_plan  # noqa: PLC0415 - heavy

    call = partial(show_plan, sandbox=sandbox, **choices)
    return options.answered(call, as_json=choices["as_json"])
