"""Misbehaviour on demand: rules, each naming a point of a request's way, what happens there, and to
which calls.

    Faults(
        Rule(Point.TASK_CREATED, Reset(), calls={1}),  # the first submit's answer is lost
        Rule(Point.SUBMIT, Answer(503, "Throttling", "..."), calls=range(2, 4)),
        Rule(Point.TASK, Fail(), prompt="forbidden"),  # moderation
        Rule(Point.QUERY, Page(Content.HTML, 502), calls=Chance(0.05)),
    )

    actions       what can go wrong, as values
    calls         which of a rule's calls
    rules         where, what and which together, and what a rule matches
    faults        all rules: what goes wrong now, and what went wrong so far
    requests      what a request is to the rules
    reply         an answer that is caught before it is sent
    changes       answers that arrive whole and say something else
    sending       the ways to send an answer badly
    misbehaviour  carries out what goes wrong with answers, for both applications
    refusals      the documented error codes, with their statuses and messages
    script        rules from a YAML file (entries: whose keys remember their places)
"""

from __future__ import annotations

from batchgen.sandbox.faults.actions import (
    Answer,
    Content,
    Corrupt,
    CutShort,
    Delay,
    Drip,
    Ending,
    Endless,
    Fail,
    Flap,
    Gzip,
    Lag,
    Limits,
    Omit,
    Page,
    Partial,
    Redirect,
    Reset,
    Slow,
    Stall,
    Stuck,
    WrongLength,
)
from batchgen.sandbox.faults.calls import Chance
from batchgen.sandbox.faults.entries import FaultScriptError
from batchgen.sandbox.faults.faults import Faults, Fired
from batchgen.sandbox.faults.misbehaviour import middleware
from batchgen.sandbox.faults.rules import Point, Rule
from batchgen.sandbox.faults.script import load

__all__ = [
    "Answer",
    "Chance",
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
    "Fired",
    "Flap",
    "Gzip",
    "Lag",
    "Limits",
    "Omit",
    "Page",
    "Partial",
    "Point",
    "Redirect",
    "Reset",
    "Rule",
    "Slow",
    "Stall",
    "Stuck",
    "WrongLength",
    "load",
    "middleware",
]
