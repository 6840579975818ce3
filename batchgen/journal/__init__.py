"""Remembers: an append-only log of facts, in one SQLite file in the batch's folder.

``Journal`` is the whole of it for the rest of the program. Inside: ``log`` is the journal itself,
``database`` makes and opens the file, ``chain`` numbers and seals the rows, ``codec`` turns a fact
into a row and back, ``lock`` keeps a second run out, ``schema.sql`` says what is in
the file, and ``views.sql`` shows it to people.
"""

from __future__ import annotations

from batchgen.journal.database import Kind, Stamp
from batchgen.journal.log import Journal, LinkKey

__all__ = ["Journal", "Kind", "LinkKey", "Stamp"]
