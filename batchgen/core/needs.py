"""What jobs need before they are sent: uploads of local files, and checks of inputs.

Rules of this file:

* A need is met once for all the jobs that have it, under one account and model. Its story is a
  subject of its own, folded here; a step that could not have happened is a bug of ours.
* An upload lives for two days at the service. It counts as good only while enough of that is left
  for a task to wait in the service's queue and still find its input.
* A check costs money, so the question is a fact before it leaves and its price is reserved. A lost
  answer keeps the reservation; as there is nothing to ask, the question is simply put again, a few
  times, for a fraction of a cent.
* What was refused is tried anew by the next run. The answer to a check has been paid for and stays,
  if what was looked at is known by its content; what lies at an address may be another next time.
* What was uploaded lies in the storage of one endpoint, for one key; another knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.policy import LONGEST_PAUSE, UPLOAD_LIFE, UPLOAD_MARGIN, Policy

FOR_EVER = float("inf")

MOST_LOST = 3
"""Answers to one check that may be lost before the jobs that need it are given up."""

NeedKey = tuple[str, f.Need]
"""An account and what is needed there."""


@dataclass(slots=True)
class Preparation:
    """The fold of the facts about one need. Read it; only ``after`` writes it."""

    good_until: float = 0.0
    url: str | None = None
    """Of an upload: how requests name it."""
    not_before: float = 0.0
    tries: int = 0
    """Failures in a row."""
    alike: int = 0
    """The last of them that had the same reason."""
    code: str | None = None
    """That reason; empty where nobody answered."""
    failing_since: float | None = None
    """When the first failure was that nothing good has followed yet in this run."""
    lost: int = 0
    """Answers to a check that never came."""
    refusal: tuple[str, str] | None = None
    """Code and message: it cannot be had."""
    final: bool = False
    """The answer to the check holds for ever."""
    asking: int = 0
    """The price of a question that is not answered yet."""
    reserved: int = 0
    spent: int = 0

    def after(self, fact: f.NeedFact) -> None:
        _CONSEQUENCES[type(fact)](self, fact)

    def failures(self, code: str) -> int:
        """How many in a row there will be with one more of this reason."""
        return self.alike + 1 if code == self.code else 1

    def reopen(self, now: float, life: float) -> None:
        """A new run: what was refused is tried anew, and no wait or life outlives its length."""
        self.tries, self.alike, self.code, self.failing_since = 0, 0, None, None
        self.not_before = min(self.not_before, now + LONGEST_PAUSE)
        if self.url is not None:
            self.good_until = min(self.good_until, now + life)
        elif not self.final:
            self.good_until = 0.0
        if not self.final:
            self.refusal, self.lost = None, 0


class Preparations:
    """All needs of a batch, by account."""

    def __init__(self, policy: Policy) -> None:
        self._margin = UPLOAD_MARGIN / policy.service_speed
        self._life = UPLOAD_LIFE / policy.service_speed
        self._endpoint: str | None = None
        self._known: dict[NeedKey, Preparation] = {}
        self.spent = 0
        """Micro-units billed for checks."""
        self.reserved = 0
        """Micro-units that checks without an answer may have cost."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Preparations):
            return NotImplemented
        return self._known == other._known

    __hash__ = None  # type: ignore[assignment]  # it changes with every fact

    def known(self) -> Iterable[tuple[NeedKey, Preparation]]:
        """Every need that something has happened to."""
        return self._known.items()

    def recall(self, endpoint: str | None, known: Iterable[tuple[NeedKey, Preparation]]) -> None:
        """Take up what is remembered of all needs, and where they were met."""
        self._endpoint = endpoint
        self._known.update(known)
        self.spent = sum(it.spent for it in self._known.values())
        self.reserved = sum(it.reserved for it in self._known.values())

    def after(self, fact: f.NeedFact) -> None:
        need = f.Need(kind=fact.kind, model=fact.model, content=fact.content)
        it = self._known.setdefault((fact.account, need), Preparation())
        spent, reserved = it.spent, it.reserved
        it.after(fact)
        self.spent += it.spent - spent
        self.reserved += it.reserved - reserved

    def reopen(self, now: float) -> None:
        """A new run begins."""
        for it in self._known.values():
            it.reopen(now, self._life)

    def connect(self, endpoint: str) -> None:
        """The run asks at an endpoint: what was uploaded to another is not there."""
        if endpoint != self._endpoint:
            for it in self._known.values():
                if it.url is not None:
                    it.good_until = 0.0
        self._endpoint = endpoint

    def of(self, key: NeedKey) -> Preparation:
        """What is known of a need; nothing has happened to one that is new."""
        return self._known.get(key) or Preparation()

    def url(self, account: str, model: str, content: str) -> str:
        """How a request of the model names an uploaded file; KeyError where it never lay there."""
        need = f.Need(kind=f.UPLOAD, model=model, content=content)
        url = self._known[account, need].url
        assert url is not None, "what was never uploaded is not good either"
        return url

    def is_good(self, key: NeedKey, now: float) -> bool:
        return now < self.of(key).good_until - self._margin

    def missing(self, job: Job, now: float) -> tuple[f.Need, ...]:
        """What to do next for a job; nothing: it can be sent.

        What a check needs comes first, then the check, and the rest only when that was passed: a
        file that is only uploaded for a job that fails its check is uploaded for nothing.
        """
        lacking = [need for need in job.needs if not self.is_good((job.account, need), now)]
        check = next((need for need in lacking if need.kind == f.CHECK), None)
        if check is None:
            return tuple(need for need in lacking if need.model == job.model)
        return tuple(n for n in lacking if n is not check and n.model == check.model) or (check,)

    def not_before(self, account: str, needs: Iterable[f.Need]) -> float:
        """The moment from which all of the needs may be tried."""
        return max((self.of((account, need)).not_before for need in needs), default=0.0)

    def ends(self, job: Job) -> float:
        """When the first of the job's uploads is no longer good."""
        own = [need for need in job.needs if need.kind == f.UPLOAD and need.model == job.model]
        lives = [self.of((job.account, need)).good_until - self._margin for need in own]
        return min(lives, default=FOR_EVER)

    def worst(self, job: Job) -> int:
        """The most that the job may still cost, with the checks that it lacks."""
        checks = sum(
            need.price
            for need in job.needs
            if need.price and self.of((job.account, need)).good_until != FOR_EVER
        )
        return checks + (job.price or 0)

    def obstacles(self, job: Job) -> Iterator[tuple[str, str]]:
        """Code and message of what the job needs and cannot have."""
        for need in job.needs:
            it = self.of((job.account, need))
            if it.refusal is not None:
                yield it.refusal
            elif it.lost >= MOST_LOST:
                yield "CheckLost", f"{it.lost} checks of the input were sent, none was answered"


def _uploaded(it: Preparation, fact: f.Uploaded) -> None:
    it.url, it.good_until = fact.url, fact.ends
    it.not_before, it.refusal = 0.0, None
    it.tries, it.alike, it.code, it.failing_since = 0, 0, None, None


def _deferred(it: Preparation, fact: f.UploadDeferred | f.CheckDeferred) -> None:
    _failed(it, fact.code, fact)
    it.reserved -= it.asking
    it.asking = 0


def _failed(
    it: Preparation, code: str, fact: f.UploadDeferred | f.CheckDeferred | f.CheckLost
) -> None:
    it.tries, it.alike, it.code = it.tries + 1, it.failures(code), code
    it.failing_since = fact.at if it.failing_since is None else it.failing_since
    it.not_before = fact.until


def _refused(it: Preparation, fact: f.UploadRefused | f.CheckRefused) -> None:
    it.refusal = (fact.code, fact.message)
    it.tries = 0
    it.reserved -= it.asking
    it.asking = 0


def _started(it: Preparation, fact: f.CheckStarted) -> None:
    it.asking = fact.price
    it.reserved += fact.price


def _lost(it: Preparation, fact: f.CheckLost) -> None:
    _failed(it, "", fact)
    it.lost += 1
    it.asking = 0


def _answered(it: Preparation, fact: f.CheckPassed | f.CheckFailed) -> None:
    it.spent += fact.cost
    it.reserved -= it.asking
    it.asking, it.tries, it.code = 0, 0, None
    it.final = fact.final
    if isinstance(fact, f.CheckFailed):
        it.refusal = (fact.code, fact.message)
    else:
        it.good_until = FOR_EVER


_CONSEQUENCES: Mapping[type[f.NeedFact], Callable[[Preparation, Any], None]] = {
    f.Uploaded: _uploaded,
    f.UploadDeferred: _deferred,
    f.UploadRefused: _refused,
    f.CheckStarted: _started,
    f.CheckPassed: _answered,
    f.CheckFailed: _answered,
    f.CheckDeferred: _deferred,
    f.CheckLost: _lost,
    f.CheckRefused: _refused,
}
