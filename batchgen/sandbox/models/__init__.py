"""The models the sandbox plays: a table of its own, so that it cannot share a mistake with the
client.
"""

from __future__ import annotations

from batchgen.sandbox.models.flaw import Flaw, invalid
from batchgen.sandbox.models.media import PADDING, Form, InputKind, MediaRule, Slot
from batchgen.sandbox.models.model import Duration, Images, Model, Option, Path, Shape, Sound, Usage
from batchgen.sandbox.models.prices import Currency, currency_of
from batchgen.sandbox.models.reader import built_in, read, sold_in

__all__ = [
    "PADDING",
    "Currency",
    "Duration",
    "Flaw",
    "Form",
    "Images",
    "InputKind",
    "MediaRule",
    "Model",
    "Option",
    "Path",
    "Shape",
    "Slot",
    "Sound",
    "Usage",
    "built_in",
    "currency_of",
    "invalid",
    "read",
    "sold_in",
]
