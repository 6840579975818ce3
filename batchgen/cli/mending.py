"""The call of ``rebuild``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio

from batchgen.api import Settings
from batchgen.api.rebuilding import rebuild
from batchgen.errors import ExitCode
from batchgen.manifest import load
from batchgen.report.rebuild import rebuilt_data, rebuilt_view
from batchgen.report.screen import Screen


def rebuild_journal(
    screen: Screen,
    *,
    manifest: Path,
    sandbox: bool,
    output: Path | None,
    catalog_files: Sequence[Path],
    as_json: bool,
) -> ExitCode:
    """Raises Mistake for a wrong manifest, BatchHeld, MachineError."""
    checked = load(manifest, catalog_files=catalog_files, check_region=False)
    settings = Settings(output=output, sandbox=sandbox)
    rebuilt = anyio.run(partial(rebuild, checked, settings, now=time.time()))
    if as_json:
        screen.tell_json(rebuilt_data(rebuilt))
    else:
        screen.tell(rebuilt_view(rebuilt))
    return ExitCode.NEEDS_A_PERSON if rebuilt.unsettled else ExitCode.DONE
