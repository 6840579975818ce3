"""A local stand-in of DashScope's Wan video and image service, for rehearsals, demonstrations and
tests.

It shares no code and no catalog with the client, so that the two cannot share a misunderstanding.
"""

from __future__ import annotations

from batchgen.sandbox.clock import Clock
from batchgen.sandbox.faults import Answer, CutShort, Fail, Faults, Point, Reset, Rule, Stuck
from batchgen.sandbox.render import RenderingUnavailable
from batchgen.sandbox.sandbox import Sandbox
from batchgen.sandbox.tasks.bill import Bill

__all__ = [
    "Answer",
    "Bill",
    "Clock",
    "CutShort",
    "Fail",
    "Faults",
    "Point",
    "RenderingUnavailable",
    "Reset",
    "Rule",
    "Sandbox",
    "Stuck",
]
