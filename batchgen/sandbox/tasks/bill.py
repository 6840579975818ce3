"""The bill: what the service would charge, and for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BillLine:
    """What one account has had of one model."""

    account: str
    model: str
    tasks: int
    succeeded: int
    failed: int
    canceled: int
    seconds: float
    """Of video."""
    images: int
    amount: int
    """Micro-units of the currency."""


@dataclass(frozen=True, slots=True)
class Equal:
    """The tasks, oldest first, that one account made with one and the same request."""

    account: str
    model: str
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bill:
    """What the service would charge, and for what; only tasks that succeeded cost anything. What a
    POST has made and answered itself counts as a task.
    """

    tasks_created: int
    succeeded: int
    failed: int
    canceled: int
    video_seconds: float
    images: int
    amount: int
    """Micro-units of the currency."""
    equal_requests: int
    """Tasks with the same request as an earlier one of their account."""
    models: tuple[BillLine, ...]
    equal: tuple[Equal, ...]
    """The latest of the requests that were made several times."""
    currency: str
    """By its ISO 4217 code."""
