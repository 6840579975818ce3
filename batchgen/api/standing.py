"""A batch as its journal tells it, held against its manifest: what ``plan`` and ``status`` show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from batchgen.api.settings import Settings, policy_of
from batchgen.catalog import Answer, Money
from batchgen.core.job import Job
from batchgen.core.lifecycle import NEEDS_A_PERSON, UNPAID, State
from batchgen.core.policy import RETENTION
from batchgen.core.prompts import likeness
from batchgen.core.standing import Standing
from batchgen.core.wishes import Wish
from batchgen.manifest import Manifest, output_folder
from batchgen.runner.needs import needs_of
from batchgen.runner.prompts import repeated_prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """One job, for a person or a program. ``state`` is the word that people read."""

    id: str
    state: str
    model: str
    price: Money | None
    """The most that an attempt can cost."""
    spent: Money | None
    task_id: str | None
    submitted_at: float | None
    """Of the newest attempt, in Unix seconds."""
    files: tuple[str, ...]
    code: str | None
    message: str | None
    listed: bool = True
    """The manifest names it; False where only the journal still does."""
    again: bool = False
    """Bought anew by the next run, as the settings say: it was changed after it was paid for."""
    adopted: bool = False
    """The answer to its request was lost, and its task was found on the service's list."""
    held: bool = False
    """In doubt, and the service's list could not settle it: a person must decide."""
    look_again_at: float | None = None
    """In doubt and not held: when the list is asked again, in Unix seconds."""
    deadline: float | None = None
    """Until when what it has at the service can be fetched, in Unix seconds: of a task that is
    rendering the earliest that it can be. None where nothing is known to be there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """Where a batch stands. ``holder`` names the run that is at it just now."""

    name: str
    folder: Path
    holder: str | None
    jobs: tuple[JobReport, ...]
    spent: Money | None
    reserved: Money | None

    @property
    def counts(self) -> Mapping[str, int]:
        """Jobs by state."""
        return Counter(job.state for job in self.jobs)

    @property
    def to_collect(self) -> tuple[JobReport, ...]:
        """The jobs that have something at the service, or may have."""
        there = {State.SUBMITTING, State.IN_DOUBT, State.RENDERING, State.READY}
        mine = [job for job in self.jobs if job.state in there or job.deadline is not None]
        return tuple(job for job in mine if not job.held)

    @property
    def deadline(self) -> float | None:
        """When the first of what is at the service may be gone, in Unix seconds."""
        return min((job.deadline for job in self.jobs if job.deadline), default=None)

    @property
    def adopted(self) -> int:
        """Jobs whose lost task was found on the service's list."""
        return sum(job.adopted for job in self.jobs)

    @property
    def to_buy(self) -> tuple[JobReport, ...]:
        """The jobs that the next run would submit."""
        waiting = {State.NEW, State.PENDING}
        return tuple(job for job in self.jobs if (job.state in waiting and job.listed) or job.again)

    @property
    def to_spend(self) -> Mapping[str, Money]:
        """The worst case of the next run, by model; models without a known price are left out."""
        totals: dict[str, Money] = {}
        for job in self.to_buy:
            if job.price is not None:
                known = totals.get(job.model)
                totals[job.model] = job.price if known is None else known + job.price
        return totals


def lacking(budget: Money | None, amounts: Iterable[Money | None]) -> Money | None:
    """How much more than the budget the amounts are; None: no more."""
    if budget is None:
        return None
    counted = [amount.micro for amount in amounts if amount and amount.currency == budget.currency]
    missing = sum(counted) - budget.micro
    return Money(missing, budget.currency) if missing > 0 else None


CHANGED = "changed"
"""The word for a job whose request was changed after it was paid for."""

RERUN = frozenset({State.DONE, State.PARTIAL, State.EXPIRED})
"""Where a changed job can be bought anew: all that was bought has come, or will come no more. A
task whose end is not known is waited for first, or given up by a person (``retry``)."""


def look(manifest: Manifest, settings: Settings | None = None) -> BatchReport:
    """Where the batch of a manifest stands, also while a run is at it; changes nothing.

    Raises JournalError where the journal cannot be read.
    """
    settings = settings or Settings()
    folder = output_folder(manifest, settings.output, sandbox=settings.sandbox)
    policy = policy_of(manifest, settings, manifest.catalog)
    standing = Standing(policy)
    holder = None
    if folder.exists():
        # Of a batch that was never run there is nothing to open, and a plan is to come at once.
        from batchgen.journal import Journal  # noqa: PLC0415

        if (journal := Journal.peek(folder)) is not None:
            with journal:
                holder = journal.holder
                standing = journal.recall(policy)
                for fact in journal.replay(standing.taken):
                    standing.after(fact)
    return BatchReport(
        name=manifest.name,
        folder=folder,
        holder=holder,
        jobs=tuple(
            _reports(manifest, standing, running=holder is not None, rerun=settings.rerun_changed)
        ),
        spent=_money(standing.spent, standing),
        reserved=_money(standing.reserved, standing),
    )


def wishes_of(manifest: Manifest, kept: Collection[str] = ()) -> Iterable[Wish]:
    """The manifest as the core sees it, without the jobs that are ``kept`` as they are."""
    for job in manifest.jobs:
        if job.id in kept:
            continue
        currency = job.price.currency if job.price else None
        needs = needs_of(job.model, job.request, currency or "")
        checks = sum(need.price for need in needs)
        yield Wish(
            job=job.id,
            request=job.identity,
            model=job.model.name,
            order=job.order,
            price=job.price.micro - checks if job.price else None,
            currency=currency,
            needs=needs,
            direct=job.request.answer is not Answer.TASK,
            likeness=likeness(repeated_prompt(job.model, job.request)),
            bytes=job.model.bytes(job.request),
        )


def _reports(
    manifest: Manifest, standing: Standing, *, running: bool, rerun: bool
) -> Iterable[JobReport]:
    for wanted in manifest.jobs:
        job = standing.jobs.get(wanted.id)
        if job is None or job.state is State.WITHDRAWN:
            yield JobReport(
                id=wanted.id,
                state=State.NEW,
                model=wanted.model.name,
                price=wanted.price,
                spent=None,
                task_id=None,
                submitted_at=None,
                files=(),
                code=None,
                message=None,
            )
        else:
            changed = job.request != wanted.identity
            report = report_of(job, changed=changed, running=running, price=wanted.price)
            yield replace(report, again=rerun and changed and job.state in RERUN)
    named = {job.id for job in manifest.jobs}
    for job in standing.jobs.values():
        if job.id not in named and job.state is not State.WITHDRAWN:
            yield replace(report_of(job, running=running), listed=False)


# A batch has few amounts and many jobs: equal ones are one object.
_amount = lru_cache(maxsize=1000)(Money)


def report_of(
    job: Job, *, changed: bool = False, running: bool = True, price: Money | None = None
) -> JobReport:
    """What there is to say about a job that the journal knows."""
    searched = job.state is State.IN_DOUBT and not job.held and job.searches > 0
    known = _amount(job.price, job.currency) if job.price is not None and job.currency else None
    return JobReport(
        id=job.id,
        state=_word(job, changed=changed, running=running),
        model=job.model,
        price=price or known,
        spent=_amount(job.spent, job.currency) if job.currency and job.rendered else None,
        task_id=job.task_id,
        submitted_at=job.submitted_at or None,
        files=tuple(result.name for result in job.results if result.name),
        code=job.code,
        message=job.message,
        adopted=job.adopted,
        held=job.held and job.state is State.IN_DOUBT,
        look_again_at=job.not_before if searched else None,
        deadline=_deadline(job),
    )


_RENDERED = frozenset({State.READY, State.PARKED, State.LOST})
"""Where a result may be made, paid for, and not on disk."""


def _deadline(job: Job) -> float | None:
    if job.state is State.RENDERING:
        return job.submitted_at + RETENTION
    if job.state not in _RENDERED or not job.rendered or job.whole:
        return None
    return job.expires


def _word(job: Job, *, changed: bool, running: bool) -> str:
    if job.state is State.SUBMITTING and not running:
        return State.IN_DOUBT
    if changed and job.state not in NEEDS_A_PERSON:
        return State.PENDING if job.state in UNPAID else CHANGED
    return job.state


def _money(micro: int, standing: Standing) -> Money | None:
    return Money(micro, standing.currency) if standing.currency else None
