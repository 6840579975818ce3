"""Turns argv into one call, and what comes of it into an exit code.

    main       the entry point, and the one place where a result or an error becomes an exit code
    commands   argv -> a call; a file a command: plan, run, status, collect, retry, cancel,
               verify, rebuild, models, schema, sandbox, completion
    options    what several commands take
    ending     an error -> words and a code

    process    the process that a command has for itself: standard streams, signals

Those files import next to nothing, so that help and completion are instant. The calls themselves
are in ``batches`` (run, collect), ``views`` (plan, status), ``tending`` (retry, cancel, verify,
rebuild), ``catalogs`` (models, schema) and ``stand_in`` (sandbox); they are imported when they are
made. ``sequence``, ``signals``, ``hours`` and ``owner`` see a night of batches through: one after
another, until a signal or an hour that was set, and tell whoever was not there.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Do what argv says, and return the exit code.

    Without argv it is the process's own, and so are the process's streams and signals.
    """
    own = argv is None
    try:
        # Imported here, so that a Ctrl-C while Python still reads files is no traceback.
        from batchgen.cli.process import (  # noqa: PLC0415
            fill_streams,
            let_go,
            refuse_plugins,
            take_signals,
        )

        if own:
            fill_streams()
            refuse_plugins()
            take_signals()
        from batchgen.cli.commands import parsed  # noqa: PLC0415

        code = parsed(argv)()
        if own:
            let_go()
    except BaseException as error:  # noqa: BLE001 - the edge: nothing leaves but an exit code
        from batchgen.cli.ending import ending  # noqa: PLC0415

        return ending(error)
    return code
