"""Knows: what one key of a job takes: its type, its bounds, its default, its place in the request.

A key's class is chosen by ``type:`` in the data. ``faults(value)`` says what is wrong with a value
in words that follow "<key> of <model>"; the model makes complaints of them. A value is plain
Python as a manifest gives it; nothing is converted, because a silent conversion is a guess about
what somebody pays for.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from batchgen.catalog.keys.accepts import Accepts
from batchgen.catalog.keys.drawings import Boxes, Palette
from batchgen.catalog.keys.key import Fault, Key, Place
from batchgen.catalog.keys.media import (
    Address,
    Item,
    MediaFile,
    MediaKey,
    MediaList,
)
from batchgen.catalog.keys.numbers import Integer, Number, Steps, Switch
from batchgen.catalog.keys.sizes import Pixels, Size
from batchgen.catalog.keys.typed_media import TypedMedia
from batchgen.catalog.keys.words import Choice, Text, Tier, Words

Parameter = (
    Integer | Steps | Number | Switch | Choice | Tier | Words | Size | Pixels | Boxes | Palette
)
"""The keys that are settings, and may have a default."""

AnyKey = Annotated[
    Text | MediaFile | MediaList | TypedMedia | Parameter, Field(discriminator="type")
]

__all__ = [
    "Accepts",
    "Address",
    "AnyKey",
    "Boxes",
    "Choice",
    "Fault",
    "Integer",
    "Item",
    "Key",
    "MediaFile",
    "MediaKey",
    "MediaList",
    "Number",
    "Palette",
    "Parameter",
    "Pixels",
    "Place",
    "Size",
    "Steps",
    "Switch",
    "Text",
    "Tier",
    "TypedMedia",
    "Words",
]
