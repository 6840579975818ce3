"""The manifest held against what is known: which facts the difference makes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.lifecycle import UNPAID, State
from batchgen.core.standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the manifest asks for, as far as the core needs to know it.

    ``request`` is the request's identity, ``price`` the worst case in micro-units of ``currency``,
    None where no price is known; ``needs``, ``direct``, ``likeness`` and ``bytes`` are told as in
    ``Wanted``.
    """

    job: str
    request: str
    model: str
    order: int
    price: int | None = None
    currency: str | None = None
    needs: tuple[f.Need, ...] = ()
    direct: bool = False
    likeness: str = ""
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """What to write down, and which paid jobs the manifest has changed since."""

    facts: tuple[f.JobFact, ...]
    changed: frozenset[str]


def is_kept(standing: Standing, job: str, request: str) -> bool:
    """Whether a job was bought with this very request, so that there is nothing to compare."""
    known = standing.jobs.get(job)
    return known is not None and known.state not in UNPAID and known.request == request


def difference(
    standing: Standing,
    wishes: Iterable[Wish],
    *,
    account: str,
    at: float,
    kept: Collection[str] = (),
) -> Difference:
    """Compare. What was paid for stays as it was bought.

    A job whose request was changed before it was paid takes the new one; after, it is only named
    in ``changed``. A job that the manifest names no longer is withdrawn if nothing was paid, and
    is still collected otherwise. A job that failed before its request could leave is asked for
    again, except where a check that was paid for stands against it for ever.

    ``kept`` are jobs that the manifest names as well, and of which ``is_kept`` is true.
    """
    facts: list[f.JobFact] = []
    named, changed = set(kept), set()
    for wish in wishes:
        named.add(wish.job)
        job = standing.jobs.get(wish.job)
        if job is None or _is_news(standing, job, wish):
            facts.append(_wanted(wish, account=job.account if job else account, at=at))
        elif job.state not in UNPAID and job.request != wish.request:
            changed.add(job.id)
    facts.extend(
        f.Withdrawn(at=at, account=job.account, job=job.id)
        for job in standing.jobs.values()
        if job.id not in named and job.state in UNPAID and job.state is not State.WITHDRAWN
    )
    return Difference(tuple(facts), frozenset(changed))


def _is_news(standing: Standing, job: Job, wish: Wish) -> bool:
    if job.state not in UNPAID:
        return False
    if job.state is State.WITHDRAWN or job.request != wish.request:
        return True
    if job.state is State.FAILED and job.unsent:
        return not any(standing.preparations.obstacles(job))
    return job.state is State.PENDING and _terms(job) != _terms(wish)


def _terms(of: Job | Wish) -> tuple[object, ...]:
    """What may change about a job while its request stays the same."""
    needs = [(need, need.price) for need in of.needs]
    return of.price, of.order, of.direct, of.likeness, of.bytes, needs


def _wanted(wish: Wish, *, account: str, at: float) -> f.Wanted:
    return f.Wanted(
        at=at,
        account=account,
        job=wish.job,
        request=wish.request,
        model=wish.model,
        order=wish.order,
        price=wish.price,
        currency=wish.currency,
        needs=wish.needs,
        direct=wish.direct,
        likeness=wish.likeness,
        bytes=wish.bytes,
    )
