"""Limits that a workspace has set for itself (Update model rate limits, 2026). A key's account is
its workspace here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from batchgen.sandbox.database import Database

MINUTE = 60


class Limit(NamedTuple):
    """Requests, and usage, in so many seconds each; None where there is no limit."""

    requests: int | None = None
    request_period: int | None = None
    usage: int | None = None
    usage_period: int | None = None

    @property
    def seconds(self) -> int:
        """Of the requests; a minute where nothing was said."""
        return self.request_period or MINUTE


@dataclass(frozen=True, slots=True)
class Workspaces:
    database: Database

    def limit(self, account: str, model: str) -> Limit:
        rows = self.database.rows(
            "SELECT request_limit, request_limit_period, usage_limit, usage_limit_period"
            " FROM workspace_limit WHERE account = ? AND model = ?",
            (account, model),
        )
        return Limit(*rows[0]) if rows else Limit()

    def set(self, account: str, limits: dict[str, Limit]) -> None:
        """All of these models' limits, or none; an empty one is none at all."""
        with self.database.synced():
            for model, limit in limits.items():
                self.database.write(
                    "DELETE FROM workspace_limit WHERE account = ? AND model = ?",
                    (account, model),
                )
                if any(value is not None for value in limit):
                    self.database.write(
                        "INSERT INTO workspace_limit VALUES (?, ?, ?, ?, ?, ?)",
                        (account, model, *limit),
                    )
