"""``batchgen rebuild``."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from batchgen.cli import options
from batchgen.cli.options import Call

_EPILOG = """\b
Examples:
  batchgen rebuild jobs/overnight.yaml
  batchgen rebuild jobs/overnight.yaml --json"""


@click.command(short_help="Make a damaged or lost journal anew.", epilog=_EPILOG)
@options.one_manifest
@options.sandbox_option
@options.output_option
@options.catalog_option
@options.json_option
def rebuild(**choices: Any) -> Call:
    """Make the journal of MANIFEST anew, where it is damaged or lost.

    From what is whole of the old journal, which is moved aside and never deleted, and from the
    results and their sidecars. Says of each job what was concluded: done, still at the service, in
    doubt where a request may have been sent (the next run looks for its task), pending only where
    surely nothing was sent. Sends nothing, needs no key, and leaves a whole journal alone.

    The exit code is 0 when everything is known, and 3 when jobs are in doubt.
    """
    from batchgen.cli.tending import rebuild_journal  # noqa: PLC0415 - heavy

    return options.answered(partial(rebuild_journal, **choices), as_json=choices["as_json"])
