"""One result of an attempt: a small machine of its own under the job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from batchgen.core import facts as f


class ResultState(StrEnum):
    """Where one result of an attempt stands."""

    WANTED = "wanted"
    SAVED = "saved"
    FAILED = "failed"


@dataclass(slots=True)
class Result:
    """One file that the attempt should give."""

    state: ResultState = ResultState.WANTED
    not_before: float = 0.0
    stale: bool = False
    """Its URL leads nowhere: it is fetched when the task has given a new one."""
    tries: int = 0
    """Downloads in a row that broke."""
    name: str | None = None
    bytes: int = 0
    trouble: str | None = None

    def told(self, ref: f.ResultRef) -> None:
        """The task says where it is now, or why there is none."""
        if self.state is ResultState.WANTED and ref.path is None:
            self.state, self.trouble = ResultState.FAILED, f"{ref.code}: {ref.message}"
        if self.stale:
            self.stale, self.not_before = False, 0.0

    def broke(self, fact: f.FetchDeferred | f.LinkStale) -> None:
        """Its download did not come to an end."""
        self.not_before = fact.until
        self.stale = isinstance(fact, f.LinkStale)
        self.tries += 1
        self.trouble = fact.reason

    def saved(self, fact: f.Saved) -> None:
        """It lies in the tree."""
        self.state, self.stale, self.trouble = ResultState.SAVED, False, None
        self.name, self.bytes = str(fact.file["path"]), int(fact.file["bytes"])


def is_any(results: Sequence[Result], state: ResultState) -> bool:
    """Whether one of them stands there."""
    return any(result.state is state for result in results)


def next_look(results: Sequence[Result]) -> float | None:
    """When the task should be asked for new URLs; None while no result needs one."""
    return min((result.not_before for result in results if result.stale), default=None)


def are_beyond_reach(results: Sequence[Result]) -> bool:
    """Nothing more can be fetched without new URLs."""
    wanted = [result for result in results if result.state is ResultState.WANTED]
    return bool(wanted) and all(result.stale for result in wanted)
