"""The answers other than 200."""

from __future__ import annotations

from typing import Self

from batchgen.sandbox.models import Flaw


class Refusal(Exception):
    """An answer other than 200: HTTP status, the service's code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    @classmethod
    def of(cls, flaw: Flaw) -> Self:
        """A flaw where there is no task that could fail: in a synchronous call, or a strict
        sandbox.
        """
        return cls(400, flaw.code, flaw.message)
