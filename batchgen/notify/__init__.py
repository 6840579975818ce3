"""Hands over: what came of a command, to whoever was not there.

``file``     one JSON document under a name, the old one or the new one, never half of it
``command``  a command line of the owner's with the document on its standard input, bounded

Neither knows what the document says, and neither can harm what it tells of: what goes wrong here is
returned in words, and changes no result and no exit code.
"""

from __future__ import annotations

from batchgen.notify.command import Ended, run_command
from batchgen.notify.file import refuse_unfit, write_file

__all__ = ["Ended", "refuse_unfit", "run_command", "write_file"]
