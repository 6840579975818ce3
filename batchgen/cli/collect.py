"""``batchgen collect``."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from batchgen.cli import options
from batchgen.cli.options import Call

_EPILOG = """\b
Examples:
  batchgen collect jobs/overnight.yaml
  batchgen collect jobs/*.yaml --until 09:00 --quiet"""


@click.command(short_help="Only fetch what is paid for; submit nothing.", epilog=_EPILOG)
@click.argument("manifests", metavar="MANIFEST...", nargs=-1, required=True, type=options.MANIFEST)
@options.sandbox_option
@options.speed_option
@options.faults_option
@options.region_option
@options.base_url_option
@options.output_option
@options.catalog_option
@options.give_up_option("1h")
@options.json_option
@options.quiet_option
@options.unattended
def collect(*, sandbox: bool, speed: float | None, **choices: Any) -> Call:
    """Fetch what the batch of each MANIFEST has at the service, and wait for what is rendering.

    Nothing is submitted, and nothing is bought: what was paid for is looked up in the journal. So a
    job that was edited or removed since is fetched as well, and a mistake in the manifest, which is
    told, is no obstacle. What was sent and never answered is searched for at the service.

    The exit code is 0 when all that was paid for is on disk, also where jobs were never sent or
    have failed.
    """
    options.refuse_without_sandbox(sandbox=sandbox, speed=speed, faults=choices["faults"])
    options.refuse_places(sandbox=sandbox, region=choices["region"], base_url=choices["base_url"])
    from batchgen.cli.batches import Choices, run_batches  # noqa: PLC0415 - heavy

    chosen = Choices(
        sandbox=sandbox,
        speed=speed or options.DEFAULT_SPEED,
        max_in_flight=None,
        budget=None,
        only=None,
        collect=True,
        **choices,
    )
    return options.answered(partial(run_batches, chosen), as_json=chosen.as_json)
