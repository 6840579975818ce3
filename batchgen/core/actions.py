"""The I/O that is wanted now. What comes of an action is facts: the runner turns it into them."""

from __future__ import annotations

from dataclasses import dataclass

from batchgen.core.facts import Need


@dataclass(frozen=True, slots=True)
class Submit:
    """Send the job's request: the one action that costs money."""

    job: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask the service where the job's task stands."""

    job: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Download:
    """Fetch one result into the tree, whole and durable."""

    job: str
    attempt: int
    index: int


@dataclass(frozen=True, slots=True)
class Seal:
    """Write the job's sidecar: all its results lie in the tree."""

    job: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Prepare:
    """Meet a need of the job, which other jobs may share: upload a file, or have it checked."""

    job: str
    need: Need


@dataclass(frozen=True, slots=True)
class Search:
    """Ask the service's task list about all the doubts of one account and model."""

    account: str
    model: str


@dataclass(frozen=True, slots=True)
class Survey:
    """Ask the service's task list which tasks of an account and model render, and, where
    ``waiting``, which wait.
    """

    account: str
    model: str
    waiting: bool


@dataclass(frozen=True, slots=True)
class AskLimits:
    """Ask the service what it allows an account for a model."""

    account: str
    model: str


JobAction = Prepare | Submit | Poll | Download | Seal
"""What is done for one job."""

LaneAction = Search | Survey | AskLimits
"""What is asked for many at once."""

Action = JobAction | LaneAction
