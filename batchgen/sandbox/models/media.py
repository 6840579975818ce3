"""The media a model takes: of what kind, how large, how many, and which together.

Rules.
1. A `MediaRule` says what one file may be. A `Slot` says where a request may give such files, and
   what part they play. `Media` says how the slots of a model may be combined.
2. What a rule forbids is a `Flaw`: the service looks at media only after it has taken the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

CHECKED = ConfigDict(extra="forbid")
"""A key that nothing reads is a mistake of the table's author."""

INF = float("inf")


PADDING = 0.1
"""Seconds by which a file may miss its bounds: a clip of ten seconds often has a frame more
(*chosen*; Wan2.7 video editing, 2026, has a sample of 5.02).
"""


class InputKind(StrEnum):
    """What a given medium is."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"
    LINK = "link"


@dataclass(frozen=True, slots=True, config=CHECKED)
class MediaRule:
    """What one file may be."""

    kind: InputKind
    megabytes: int = 20
    sides: tuple[int, int] = (1, 1 << 20)
    """Shortest and longest side of a picture or video, in pixels."""
    ratio: float = INF
    """Of the longer side to the shorter, at most."""
    seconds: tuple[float, float] = (0.0, INF)
    below: float = INF
    """Seconds that are too many already, however little over."""
    formats: tuple[str, ...] = ()
    """Containers by their short names; empty where nothing is said."""
    alpha: bool = True
    """Whether a picture may be transparent."""
    inlined: bool = True
    """Whether it may be a `data:` URI; no page forbids that but one."""


@dataclass(frozen=True, slots=True, config=CHECKED)
class Slot:
    """A place of the request that holds media: a field of `input`, a `media[].type`, or the images
    of a message.
    """

    role: str
    """Its part in the result; `{}` stands for the kind, where several are taken."""
    takes: tuple[MediaRule, ...]
    """One rule for each kind of medium that may stand here."""
    most: int = 1
    called: str = ""
    """What a prompt calls them: `{}` stands for the number, counted over all slots that share the
    name.
    """
    shapes: bool = False
    """Lends its shape to the result, where the request leaves that open."""
    follows: str = ""
    """Another slot without which this one means nothing."""

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(self.role.format(rule.kind) for rule in self.takes)


@dataclass(frozen=True, slots=True, config=CHECKED)
class Sum:
    """How many media of these roles there may be together, and how long."""

    roles: tuple[str, ...]
    least: int = 0
    most: int = 1 << 20
    seconds: float = INF


class Form(StrEnum):
    """Where the media stand in `input`."""

    FIELDS = "fields"
    MEDIA = "media"
    MESSAGES = "messages"


@dataclass(frozen=True, slots=True, config=CHECKED)
class Media:
    """All that a model takes besides text."""

    form: Form = Form.FIELDS
    slots: Mapping[str, Slot] = field(default_factory=dict)
    groups: tuple[frozenset[str], ...] = ()
    """Slots that may stand together; empty where all may."""
    sums: tuple[Sum, ...] = ()
    one_text: bool = False
    """Messages hold one text and no more."""
    voices: MediaRule | None = None
    """The `reference_voice` that an item of `media` may carry."""

    def slot_of(self, role: str) -> Slot | None:
        return next((slot for slot in self.slots.values() if role in slot.roles), None)
