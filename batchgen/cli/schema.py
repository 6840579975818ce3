"""``batchgen schema``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from batchgen.cli import options
from batchgen.cli.options import Call

_EPILOG = """\b
Examples:
  batchgen schema > manifest.schema.json

\b
In the first line of a manifest, for editors with yaml-language-server:
  # yaml-language-server: $schema=manifest.schema.json"""


@click.command(short_help="Print a JSON Schema of the manifest, for editors.", epilog=_EPILOG)
@options.catalog_option
def schema(*, catalog_files: Sequence[Path]) -> Call:
    """Print a JSON Schema (draft 2020-12) of the manifest, with what each model takes.

    Editors complete and check with it. What a schema cannot say (what is in a file, what the
    region serves, what is there twice) `batchgen plan` says.
    """
    from batchgen.cli.catalogs import show_schema  # noqa: PLC0415 - heavy

    return partial(show_schema, catalog_files=catalog_files)
