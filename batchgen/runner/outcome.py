"""What came of an action: facts, and what only this run needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batchgen.core.facts import Fact, LaneStopped, Need
from batchgen.core.job import Job
from batchgen.core.news import NOTHING, News
from batchgen.dashscope.answers import Refused
from batchgen.dashscope.refusals import RefusalKind
from batchgen.journal import LinkKey


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one action."""

    facts: tuple[Fact, ...] = ()
    links: Mapping[LinkKey, str] = field(default_factory=dict)
    """Signed URLs to keep until they are fetched."""
    heard: bool | None = None
    """Whether the service answered at all; None where it was not asked."""
    reason: str | None = None
    """Why nothing was heard."""
    hopeless: bool = False
    """Waiting will not help: the way to the service itself is refused."""
    news: News = NOTHING
    """What the decisions of this run should know of it."""
    bug: Exception | None = None
    """What nobody expected: the run goes on without the job, and raises it at its end."""


def about(job: Job, now: float) -> dict[str, Any]:
    """What every fact about this attempt says first."""
    return {"at": now, "account": job.account, "job": job.id, "attempt": job.attempt}


def about_need(job: Job, need: Need, now: float) -> dict[str, Any]:
    """What every fact about something that the job needs says first."""
    return {"at": now, "account": job.account, "model": need.model, "content": need.content}


def stop(job: Job, answer: Refused, now: float) -> LaneStopped:
    """A refusal that stops the job's model, or the whole account, until a person has acted."""
    return LaneStopped(
        at=now,
        account=job.account,
        model=job.model if answer.kind is RefusalKind.MODEL else None,
        code=code_of(answer),
        message=answer.message,
    )


def code_of(answer: Refused) -> str:
    """The service's own code, else the status."""
    return answer.code or f"HTTP {answer.status}"
