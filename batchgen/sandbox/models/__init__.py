"""The models the sandbox plays: a table of its own, so that it cannot share a mistake with the
client.
"""

from __future__ import annotations

from batchgen.sandbox.models.flaw import Flaw, invalid
from batchgen.sandbox.models.media import Form, InputKind, MediaRule, Slot
from batchgen.sandbox.models.model import Duration, Images, Model, Option, Path, Shape, Sound, Usage
from batchgen.sandbox.models.reader import built_in, read

__all__ = [
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
    "invalid",
    "read",
]
