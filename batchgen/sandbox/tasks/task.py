"""A task as the service knows it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from batchgen.sandbox.orders import Order


class Status(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True)
class Task:
    """The columns of `schema.sql`, which says more about them."""

    number: int
    id: str
    request_id: str
    account: str
    model: str
    digest: str
    work: Order | None
    code: str | None
    message: str | None
    created: float
    ready: float
    run: float | None
    status: Status = Status.PENDING
    scheduled: float | None = None
    ended: float | None = None
    key_id: str = "1"
    synchronous: bool = False

    @property
    def prompt(self) -> str:
        return self.work.prompt if self.work else ""

    def started(self, at: float) -> Task:
        return replace(self, status=Status.RUNNING, scheduled=at)

    def finished(self, at: float) -> Task:
        status = Status.FAILED if self.code else Status.SUCCEEDED
        scheduled = at if self.scheduled is None else self.scheduled
        return replace(self, status=status, ended=at, scheduled=scheduled)

    def canceled(self, at: float) -> Task:
        return replace(self, status=Status.CANCELED, ended=at)

    def foreseen(self) -> Task:
        """A task that is running, as it will have ended; any other as it is."""
        if self.scheduled is None or self.run is None or self.ended is not None:
            return self
        return self.finished(self.scheduled + self.run)
