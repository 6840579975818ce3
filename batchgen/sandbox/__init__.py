"""A local stand-in of DashScope's Wan video and image service, for rehearsals, demonstrations and
tests.

It shares no code and no catalog with the client, so that the two cannot share a misunderstanding.
"""

from __future__ import annotations

from batchgen.sandbox.clock import Clock
from batchgen.sandbox.faults import (
    Answer,
    Chance,
    Content,
    Corrupt,
    CutShort,
    Delay,
    Drip,
    Ending,
    Endless,
    Fail,
    Faults,
    FaultScriptError,
    Flap,
    Gzip,
    Lag,
    Limits,
    Omit,
    Page,
    Partial,
    Point,
    Redirect,
    Reset,
    Rule,
    Slow,
    Stall,
    Stuck,
    WrongLength,
)
from batchgen.sandbox.faults import load as load_faults
from batchgen.sandbox.models import read as read_models
from batchgen.sandbox.render import RenderingUnavailable
from batchgen.sandbox.sandbox import Sandbox, UnknownModels
from batchgen.sandbox.tasks.bill import Bill, BillLine

__all__ = [
    "Answer",
    "Bill",
    "BillLine",
    "Chance",
    "Clock",
    "Content",
    "Corrupt",
    "CutShort",
    "Delay",
    "Drip",
    "Ending",
    "Endless",
    "Fail",
    "FaultScriptError",
    "Faults",
    "Flap",
    "Gzip",
    "Lag",
    "Limits",
    "Omit",
    "Page",
    "Partial",
    "Point",
    "Redirect",
    "RenderingUnavailable",
    "Reset",
    "Rule",
    "Sandbox",
    "Slow",
    "Stall",
    "Stuck",
    "UnknownModels",
    "WrongLength",
    "load_faults",
    "read_models",
]
