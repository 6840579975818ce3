"""``python -m batchgen``: the same as ``batchgen``."""

from __future__ import annotations

import sys

from batchgen.cli import main

if __name__ == "__main__":
    sys.exit(main())
