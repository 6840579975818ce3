"""What is concluded of a batch from what is left of its journal, its sidecars and its manifest.

Rules of this file:

* A sidecar outweighs a journal that knows less of the same task.
* A job is pending only where surely nothing was sent for it. Where a request may have been sent and
  nobody knows what became of it, the job is in doubt, and the next run looks for its task.
* A task whose newest facts may be lost gets no automatic second attempt: it may have had it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from batchgen.api.arrival import ACCOUNT
from batchgen.api.rebuilding.retelling import Retelling
from batchgen.api.rebuilding.testimony import Sidecar, sidecars
from batchgen.api.settings import Settings, policy_of
from batchgen.api.standing import wishes_of
from batchgen.artifacts import Tree
from batchgen.catalog import Money, Request
from batchgen.core import facts as f
from batchgen.core.job import IllegalStep, Job, ResultState
from batchgen.core.lifecycle import State
from batchgen.core.policy import Policy
from batchgen.core.standing import Standing
from batchgen.core.wishes import difference
from batchgen.journal import LinkKey, Salvage
from batchgen.manifest import Manifest

_UNANSWERED = "its request was sent, and what came of it is not in the journal"
_SENT = "its request may have been sent: that part of the journal is lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What was concluded of one job, and from what."""

    job: str
    state: State
    task_id: str | None
    words: str


@dataclass
class Retold:
    """The facts of a batch, and what they were concluded from."""

    salvage: Salvage
    testimony: Mapping[str, Sidecar]
    wishes: Mapping[str, f.Wanted]
    documents: Mapping[str, Request]
    """The manifest's, by identity."""
    policy: Policy
    began: float
    """A moment before which nothing was sent that nobody remembers (Unix seconds)."""
    now: float
    facts: list[f.Fact] = field(default_factory=list)
    conclusions: list[Conclusion] = field(default_factory=list)
    requests: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    links: dict[LinkKey, str] = field(default_factory=dict)
    tasks: list[str] = field(default_factory=list)
    standing: Standing = field(init=False)

    @classmethod
    async def of(
        cls, salvage: Salvage, tree: Tree, manifest: Manifest, settings: Settings, now: float
    ) -> Retold:
        policy = policy_of(manifest, settings, manifest.catalog)
        testimony = await sidecars(tree, manifest.name, sorted(tree.folder.glob("*.json")))
        wishes = difference(Standing(policy), wishes_of(manifest), account=ACCOUNT, at=now).facts
        retold = cls(
            salvage,
            testimony,
            {wish.job: wish for wish in wishes if isinstance(wish, f.Wanted)},
            {job.identity: job.request for job in manifest.jobs},
            policy,
            _began(tree, testimony.values()),
            now,
        )
        retold.requests = dict(salvage.requests)
        retold._tell(await _unlike(tree, testimony))
        return retold

    @property
    def words(self) -> str:
        """What was found, for the person whose run goes on with it."""
        counts = Counter(str(conclusion.state) for conclusion in self.conclusions)
        jobs = ", ".join(f"{count:,} {state}" for state, count in counts.items())
        return (
            "the journal of this batch is missing, but there are results of it: what has a sidecar"
            f" is taken as done, and what may have been sent besides is looked for ({jobs})"
        )

    def told(self) -> dict[str, Any]:
        """What a person wants to know of it."""
        currency = self.standing.currency
        return {
            "jobs": tuple(self.conclusions),
            "tasks": tuple(self.tasks),
            "spent": Money(self.standing.spent, currency) if currency else None,
            "reserved": Money(self.standing.reserved, currency) if currency else None,
        }

    def _tell(self, unlike: Mapping[str, str]) -> None:
        self.standing = Standing(self.policy)
        stories: defaultdict[str, list[f.JobFact]] = defaultdict(list)
        for kept in self.salvage.kept:
            if isinstance(kept.fact, f.JobFact):
                stories[kept.fact.job].append(kept.fact)
            else:
                self._take([kept.fact])
        names = {**self.wishes, **stories, **self.testimony}
        for name in names:
            self._tell_job(name, stories[name], unlike.get(name, ""))
        for job in self.standing.jobs.values():
            if job.request in self.documents:
                self.requests[job.request] = self.documents[job.request].document()

    def _tell_job(self, name: str, known: Sequence[f.JobFact], unlike: str) -> None:
        story = self._story(name, known)
        before = story.job.state
        if (sidecar := self.testimony.get(name)) and _knows_more(sidecar, story.job):
            story, words = self._testified(sidecar), "its sidecar says so"
        elif before is State.NEW and name not in self.wishes:
            self.tasks += [fact.task_id for fact in known if isinstance(fact, f.Submitted)]
            return
        else:
            story, words = self._settled(story)
        story.ask_anew(self.now)
        self._take(story.facts)
        if story.job.state is State.NEW:
            words = "nothing was sent for it"
        elif story.job.task_id is None:
            self._keep_links(story.job)
        self.conclusions.append(
            Conclusion(
                job=name,
                state=State.PENDING if story.job.state is State.NEW else story.job.state,
                task_id=story.job.task_id,
                words=f"{words}; {unlike}" if unlike else words,
            )
        )

    def _story(self, name: str, known: Sequence[f.JobFact]) -> Retelling:
        """What the journal still tells of a job."""
        story = Retelling(name, known[0].account if known else ACCOUNT)
        if known and not isinstance(known[0], f.Wanted) and name in self.wishes:
            story.tell(replace(self.wishes[name], at=known[0].at))
        for fact in known:
            story.tell(fact)
        return story

    def _settled(self, story: Retelling) -> tuple[Retelling, str]:
        """End the story of a job without a sidecar, and say why it ends so."""
        job, subject = story.job, f"job/{story.job.id}"
        if job.state is State.SUBMITTING:
            story.doubt(self.now, self.now, _UNANSWERED)
            return story, _UNANSWERED
        if not self.salvage.may_have_lost(subject):
            return story, "as the journal says"
        if job.state is State.RENDERING:
            return self._used_up(story), "its task is known; what came of it since is asked for"
        if not self._would_send(job):
            return story, "as the journal says"
        if job.state in {State.NEW, State.CANCELED, State.WITHDRAWN}:
            story.tell(self.wishes[job.id])
        since = self.salvage.since(subject) or self.began
        story.doubt(since, self.now, _SENT)
        return story, _SENT

    def _would_send(self, job: Job) -> bool:
        """Whether the next run would send a request for the job without being asked."""
        wish = self.wishes.get(job.id)
        match job.state:
            case State.NEW | State.WITHDRAWN:
                return wish is not None
            case State.PENDING:
                return True
            case State.FAILED if job.unsent or self.policy.retry.allows(
                job.code or "", job.attempt
            ):
                return True
            case State.FAILED | State.CANCELED:
                return wish is not None and wish.request != job.request
        return False

    def _used_up(self, story: Retelling) -> Retelling:
        """The story with its newest attempt as the last that may be made without asking."""
        more = max(self.policy.retry.attempts - story.job.attempt, 0)
        told = Retelling(story.job.id, story.job.account)
        for fact in story.facts:
            if isinstance(fact, f.AttemptFact):
                told.tell(replace(fact, attempt=fact.attempt + more))
            else:
                told.tell(fact)
        return told

    def _testified(self, sidecar: Sidecar) -> Retelling:
        story = Retelling(sidecar.job, ACCOUNT)
        for fact in sidecar.facts(self._bought(sidecar)):
            story.tell(fact)
        return story

    def _bought(self, sidecar: Sidecar) -> f.Wanted:
        """What the manifest wanted when the job was bought."""
        wish, currency = self.wishes.get(sidecar.job), None
        if sidecar.cost is not None:
            currency = sidecar.cost.currency
        at = sidecar.submitted_at.timestamp()
        if wish and sidecar.tells_of(self.documents[wish.request]):
            currency = currency or wish.currency
            price = wish.price if sidecar.micros is None else sidecar.micros
            return replace(wish, at=at, price=price, currency=currency, needs=())
        request = self._known_request(sidecar) or sidecar.request()
        identity = request.identity()
        self.requests.setdefault(identity, request.document())
        return f.Wanted(
            at=at,
            account=ACCOUNT,
            job=sidecar.job,
            request=identity,
            model=sidecar.model,
            order=wish.order if wish else len(self.wishes),
            price=sidecar.micros,
            currency=currency,
            direct=sidecar.task_id is None,
        )

    def _known_request(self, sidecar: Sidecar) -> Request | None:
        """Of the old journal: it tells more than a sidecar does."""
        for document in self.salvage.requests.values():
            with suppress(KeyError, TypeError, ValueError):
                request = Request.from_document(document)
                if sidecar.tells_of(request):
                    return request
        return None

    def _keep_links(self, job: Job) -> None:
        """Without a task there is nobody who could be asked for new ones."""
        for index, result in enumerate(job.results):
            key = (job.id, job.attempt, index)
            if result.state is ResultState.WANTED and key in self.salvage.links:
                self.links[key] = self.salvage.links[key]

    def _take(self, facts: Iterable[f.Fact]) -> None:
        for fact in facts:
            with suppress(IllegalStep):
                self.standing.after(fact)
                self.facts.append(fact)


def _knows_more(sidecar: Sidecar, job: Job) -> bool:
    """Whether a sidecar tells what the journal does not."""
    if job.state in {State.DONE, State.PARTIAL}:
        return False
    return job.task_id is None or job.task_id == sidecar.task_id


def _began(tree: Tree, testimony: Iterable[Sidecar]) -> float:
    """When the batch began, by what is older than any doubt: its first request that is known, and
    what the first run put beside its journal. 0 where nothing tells.
    """
    moments = [sidecar.submitted_at.timestamp() for sidecar in testimony]
    moments += [path.stat().st_mtime for path in (tree.folder / ".batchgen").glob("*")]
    return min(moments, default=0.0)


async def _unlike(tree: Tree, testimony: Mapping[str, Sidecar]) -> dict[str, str]:
    """Which files are not what their sidecars say, in words, by job."""
    found = {}
    for name, sidecar in testimony.items():
        for file in sidecar.files:
            there = await tree.checksum(file.path)
            if there is None or there.sha256 != file.sha256:
                what = "is missing" if there is None else "is not what its sidecar says"
                found[name] = f"but {file.path} {what}: batchgen verify"
    return found
