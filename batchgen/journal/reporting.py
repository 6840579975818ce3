"""What went wrong with a journal, in words for a person, and what to do about it.

Every error of SQLite or of the file system leaves the room as a JournalError (``reported``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from batchgen.errors import JournalError
from batchgen.journal.chain import Broken
from batchgen.journal.codec import Unreadable
from batchgen.journal.salvage import salvage

BUSY_SECONDS = 5.0


class JournalDamaged(JournalError):
    """A journal holds something else than what was written to it."""


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn what can go wrong with the journal at ``path`` into a JournalError for a person."""
    try:
        yield
    except (Broken, Unreadable, UnicodeDecodeError) as error:
        raise _damage(path, str(error)) from error
    except apsw.Error as error:
        for kind, (words, hint) in _WORDS.items():
            if isinstance(error, kind):
                raise JournalError(f"the journal {path} {words} ({error})", hint=hint) from error
        raise _damage(path, str(error)) from error
    except OSError as error:
        raise JournalError(
            f"the journal {path} cannot be used: {error.strerror}", hint=_LOOK_AT_THE_DISK
        ) from error


def _damage(path: Path, what: str) -> JournalDamaged:
    try:
        remains = salvage(path)
    except OSError as error:
        left = f"it cannot be read: {error.strerror}"
    else:
        left = remains.words
    return JournalDamaged(f"the journal {path} is damaged: {what}; {left}", hint=_REBUILD)


_REBUILD = (
    "nothing more was sent; put back the journal from a backup of this very moment if there is one,"
    " else batchgen rebuild MANIFEST makes a new one of what is whole, of the results and of their"
    " sidecars, and keeps this one; and look at the disk"
)
_LOOK_AT_THE_DISK = "nothing more was sent; mend the disk or the permissions, then run again"
_WORDS: dict[type[apsw.Error], tuple[str, str]] = {
    apsw.FullError: (
        "cannot grow: the disk is full",
        "nothing more was sent and what was written is safe; free some space, then run again",
    ),
    apsw.BusyError: (
        f"was kept locked by another program for {BUSY_SECONDS:g} s",
        "nothing more was sent; close what has the file open (a database browser?), then run again",
    ),
    apsw.ConstraintError: (
        "was changed by another program",
        "nothing more was sent; run again, and leave the file to batchgen",
    ),
    apsw.ReadOnlyError: ("cannot be written", _LOOK_AT_THE_DISK),
    apsw.CantOpenError: ("cannot be opened", _LOOK_AT_THE_DISK),
    apsw.PermissionsError: ("cannot be opened", _LOOK_AT_THE_DISK),
    apsw.AuthError: ("cannot be opened", _LOOK_AT_THE_DISK),
    apsw.IOError: ("cannot be used: the disk is failing, or full", _LOOK_AT_THE_DISK),
    apsw.NoMemError: ("cannot be used: there is no memory left", _LOOK_AT_THE_DISK),
}
