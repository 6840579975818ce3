"""The program, with signals to itself at the moment when it touches something.

``python interrupted.py NUMBER TIMES EVENT MARKER ARGUMENTS...``: at the first audit event of that
name whose first argument contains the marker, the process is sent the signal so many times.
"""

from __future__ import annotations

import os
import sys

from batchgen.cli import main

number, to_come = int(sys.argv[1]), int(sys.argv[2])
event, marker = sys.argv[3], sys.argv[4]
sys.argv = ["batchgen", *sys.argv[5:]]


def heard(name: str, arguments: tuple) -> None:
    global to_come
    if name == event and to_come and arguments and marker in str(arguments[0]):
        left, to_come = to_come, 0
        for _ in range(left):
            os.kill(os.getpid(), number)


sys.addaudithook(heard)
sys.exit(main())
