"""Remembers: an append-only log of facts, in one SQLite file in the batch's folder.

``Journal`` is the whole of it for the rest of the program. Inside: ``log`` is the journal itself,
``database`` makes and opens the file, ``chain`` numbers and seals the rows, ``rows`` reads them,
``codec`` turns a fact into a row and back, ``folding`` (with ``fold.sql``) spares whoever opens a
long log the reading, ``beside`` reads the requests and links, ``lock`` keeps a second run out,
``belonging`` says whose a journal is, ``schema.sql`` says what is in the file, and ``views.sql``
shows it to people.

Against what may happen to the file: ``wal`` and ``reporting`` see damage and say it, ``migration``
takes up what an older batchgen wrote, ``surroundings`` warns of places that lose files. ``Remains``
is what is left of a damaged journal: ``pages`` finds records without SQLite, ``salvage`` says which
of them count, and ``renewal`` puts a new journal in the place of the old one.
"""

from __future__ import annotations

from batchgen.journal.database import Kind, Stamp
from batchgen.journal.log import Journal
from batchgen.journal.remains import Remains
from batchgen.journal.reporting import JournalDamaged
from batchgen.journal.salvage import Kept, LinkKey, Lost, Salvage

__all__ = [
    "Journal",
    "JournalDamaged",
    "Kept",
    "Kind",
    "LinkKey",
    "Lost",
    "Remains",
    "Salvage",
    "Stamp",
]
