"""How long nothing was heard from the service, and when that is long enough to give up.

What is heard ends the silence, but for one thing: an answer to a search does not end that of the
requests whose tasks it was made for. Else a gateway that swallows every request, and lets the
questions through, would be borne without end.
"""

from __future__ import annotations

import math

from batchgen.core.actions import Action, Search
from batchgen.errors import ServiceUnreachable
from batchgen.runner.outcome import Outcome


class Silence:
    """``give_up`` is how many seconds of it a run bears."""

    def __init__(self, give_up: float) -> None:
        self._give_up = give_up
        self._since: dict[bool, float] = {}
        """By whether it was the list that did not answer."""
        self._reason = ""

    @property
    def ends_at(self) -> float:
        """When a run gives up if nothing more is heard; infinite while all is well."""
        return min(self._since.values(), default=math.inf) + self._give_up

    def note(self, action: Action, outcome: Outcome, now: float) -> None:
        """An action has ended: was anything heard?"""
        listing = isinstance(action, Search)
        if outcome.heard and listing:
            self._since.pop(listing, None)
        elif outcome.heard:
            self._since.clear()
        elif outcome.heard is False:
            since = now - (self._give_up if outcome.hopeless else 0.0)
            self._since[listing] = min(self._since.get(listing, since), since)
            self._reason = outcome.reason or ""

    def check(self, now: float) -> None:
        """Raises ServiceUnreachable when it has lasted too long."""
        if now < self.ends_at:
            return
        raise ServiceUnreachable(
            f"The service could not be reached: {self._reason}.",
            hint="Run again when it can be reached; results wait 24 hours at the service.",
        )
