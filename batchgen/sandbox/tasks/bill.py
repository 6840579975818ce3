"""The bill: what the service would charge, and for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bill:
    """What the service would charge, and for what; only tasks that succeeded cost anything."""

    tasks_created: int
    succeeded: int
    failed: int
    canceled: int
    video_seconds: int
    images: int
    amount: int
    """Micro-units of the currency."""
    equal_requests: int
    """Tasks with the same request as an earlier one of their account."""
    currency: str = "USD"
