"""Turns argv into one call, and what comes of it into an exit code.

    main       the entry point, and the one place where a result or an error becomes an exit code
    commands   argv -> a call; a file a command: plan, run, status, models, schema,
               sandbox, completion
    options    what several commands take
    ending     an error -> words and a code

Those files import next to nothing, so that help and completion are instant. The calls themselves
are in ``batches`` (run), ``views`` (plan, status), ``catalogs`` (models, schema) and ``stand_in``
(sandbox), with ``manifests`` and ``signals``; they are imported when they are made.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Do what argv (the process's own by default) says, and return the exit code."""
    try:
        # Imported here, so that a Ctrl-C while Python still reads files is no traceback.
        from batchgen.cli.commands import parsed  # noqa: PLC0415

        return parsed(argv)()
    except BaseException as error:  # noqa: BLE001 - the edge: nothing leaves but an exit code
        from batchgen.cli.ending import ending  # noqa: PLC0415

        return ending(error)
