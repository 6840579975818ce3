"""``batchgen cancel``."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from batchgen.cli import options
from batchgen.cli.options import Call

_EPILOG = """\b
Examples:
  batchgen cancel jobs/overnight.yaml
  batchgen cancel jobs/overnight.yaml --only 'heron-*'"""


@click.command(short_help="Cancel the tasks that have not begun.", epilog=_EPILOG)
@options.one_manifest
@options.sandbox_option
@options.region_option
@options.base_url_option
@options.output_option
@options.catalog_option
@options.only_option
@options.json_option
def cancel(*, sandbox: bool, **choices: Any) -> Call:
    """Cancel the tasks of MANIFEST that are still PENDING at the service: they are not billed.

    The service cancels no task that is rendering. What could not be cancelled is named with the
    reason, goes on, and is fetched by the next `batchgen run` or `collect`. Stop a run that is at
    the batch first (exit code 4).

    The exit code is 0 when nothing is left at the service of what was to be cancelled, and 7 when
    something goes on.
    """
    options.refuse_places(sandbox=sandbox, region=choices["region"], base_url=choices["base_url"])
    from batchgen.cli.tending import Errand, cancel_tasks  # noqa: PLC0415 - heavy

    errand = Errand(sandbox=sandbox, **choices)
    return options.answered(partial(cancel_tasks, errand=errand), as_json=errand.as_json)
