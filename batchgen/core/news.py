"""What comes of an action besides facts: what only this run needs to know, and the next can ask."""

from __future__ import annotations

from dataclasses import dataclass

from batchgen.core.allowance import ServiceLimits
from batchgen.core.roll import Census


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Of an action that has ended; all of it is None, or as usual, where it asked nothing."""

    answered: bool = True
    """Whether a question was answered, with whatever words, but for those that ask for fewer."""
    unclear: bool = False
    """A poll has brought nothing about its task, and was not throttled."""
    wait_until: float | None = None
    """The service wants no question before that."""
    key_refused: bool = False
    """It answers this key no more, not even questions."""
    lateness: float | None = None
    """Seconds at the service from a task's end until it told of it."""
    census: Census | None = None
    """What the list said; None where it could not be had."""
    limits: ServiceLimits | None = None


NOTHING = News()
