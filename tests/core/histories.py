"""Random histories for the core: jobs, outcomes of actions in any order, restarts, clocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from batchgen.core import facts as f
from batchgen.core.actions import Action, Download, Poll, Seal, Submit
from batchgen.core.batch import Batch
from batchgen.core.job import Job
from batchgen.core.policy import LaneLimits, Policy
from batchgen.core.wishes import Wish, difference

MODELS = ("slow", "fast")


def policy(**changes) -> Policy:
    lanes = {
        "slow": LaneLimits(submits_per_second=2, max_in_flight=2, poll_seconds=15),
        "fast": LaneLimits(submits_per_second=5, max_in_flight=3, poll_seconds=10),
    }
    return Policy(**{"lanes": lanes, **changes})


def wishes(count: int, price: int = 100) -> list[Wish]:
    return [
        Wish(job=f"job{i}", request=f"r{i}", model=MODELS[i % 2], order=i, price=price)
        for i in range(count)
    ]


@dataclass
class World:
    """A runner without I/O: it takes decisions, and lets actions end as a test says."""

    batch: Batch
    now: float = 1_000_000.0
    log: list[f.Fact] = field(default_factory=list)
    posts: list[tuple[float, str]] = field(default_factory=list)
    polls: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, count: int, **changes) -> World:
        world = cls(Batch(policy(**changes)))
        world.start(wishes(count))
        return world

    def start(self, wanted: list[Wish]) -> None:
        self.note(f.RunStarted(at=self.now, account="a", version="test"))
        standing = self.batch.standing
        for fact in difference(standing, wanted, account="a", at=self.now).facts:
            self.note(fact)

    def note(self, *facts: f.Fact) -> None:
        for fact in facts:
            self.batch.after(fact)
            self.log.append(fact)

    def decide(self) -> tuple[Action, ...]:
        decision = self.batch.decide(self.now)
        self.log.extend(decision.facts)
        for action in decision.actions:
            if isinstance(action, Submit):
                self.posts.append((self.now, self.job(action).model))
            elif isinstance(action, Poll):
                self.polls.append(self.now)
        return decision.actions

    def crash(self) -> None:
        """The process dies and another takes over: only the facts are left."""
        self.batch = Batch(self.batch.policy, facts=self.log)
        self.note(f.RunStarted(at=self.now, account="a", version="test"))

    def job(self, action: Action) -> Job:
        return self.batch.standing.jobs[action.job]

    def finish(self, action: Action, *facts: f.Fact) -> None:
        self.note(*facts)
        self.batch.settle(action, self.now)

    def wait(self) -> None:
        wake = self.batch.wake_at(self.now)
        assert wake < float("inf"), "nothing is under way and nothing will ever be"
        self.now = wake

    def run(self, pick: Callable[[Action], int | None], steps: int = 400) -> None:
        """Go on until the run is settled; ``pick`` names the outcome of each action by its place
        in ``outcomes``, or None for an end without news."""
        for _ in range(steps):
            actions = self.decide()
            for action in actions:
                number = pick(action)
                facts = () if number is None else self.outcomes(action)[number]()
                self.finish(action, *facts)
            if not actions and not self.batch.settled:
                self.wait()

    def outcomes(self, action: Action) -> list[Callable[[], tuple[f.Fact, ...]]]:
        """Everything that may come of an action, the good end first."""
        job = self.job(action)
        says = {"at": self.now, "account": job.account, "job": job.id, "attempt": action.attempt}
        match action:
            case Submit():
                return [
                    lambda: (f.Submitted(**says, task_id=f"t-{job.id}", request_id="r"),),
                    lambda: (self._deferred(says), self._paused(job)),
                    lambda: (f.Refused(**says, code="InvalidParameter", message="no"),),
                    lambda: (f.SubmitLost(**says, reason="reset"),),
                    lambda: (self._deferred(says), self._stopped(job.model)),
                ]
            case Poll():
                return [
                    lambda: (self._rendered(says),),
                    lambda: (),
                    lambda: self._poll_outcome(job, f.RenderingStarted(**says)),
                    lambda: self._poll_outcome(
                        job, f.TaskFailed(**says, code="InternalError", message="oops")
                    ),
                    lambda: self._poll_outcome(job, f.TaskCanceled(**says)),
                    lambda: (self._gone(job, says),),
                    lambda: (f.Lost(**says, reason="not ours"),),
                ]
            case Download(index=index):
                later = {"until": self.now + 5, "reason": "cut", "index": index}
                return [
                    lambda: (f.Saved(**says, index=index, file={"path": "x", "bytes": 1}),),
                    lambda: (f.FetchDeferred(**says, **later),),
                    lambda: (f.LinkStale(**says, **later),),
                    lambda: (),
                    lambda: (f.Parked(**says, reason="in the way"),),
                ]
            case Seal():
                whole = all(result.state == "saved" for result in job.results)
                return [lambda: ((f.Sealed if whole else f.SealedInPart)(**says),)]

    def _deferred(self, says) -> f.Deferred:
        return f.Deferred(**says, until=self.now + 3, code="Throttling", message="later")

    def _paused(self, job: Job) -> f.LanePaused:
        return f.LanePaused(
            at=self.now, account=job.account, model=None, until=self.now + 3, reason="later"
        )

    def _stopped(self, model: str) -> f.LaneStopped:
        return f.LaneStopped(at=self.now, account="a", model=model, code="Arrearage", message="pay")

    def _rendered(self, says) -> f.Rendered:
        return f.Rendered(
            **says,
            results=(f.ResultRef(path="1"), f.ResultRef(path="2")),
            expires=self.now + 86400,
            usage=None,
            cost=90,
            submit_time=None,
            end_time=None,
            request_id=None,
            orig_prompt=None,
            actual_prompt=None,
            texts=(),
        )

    def _poll_outcome(self, job: Job, fact: f.Fact) -> tuple[f.Fact, ...]:
        """A task that was seen to succeed stays so: only its URLs are asked for anew."""
        return () if job.rendered else (fact,)

    def _gone(self, job: Job, says) -> f.Fact:
        return (f.Expired if job.rendered else f.Lost)(**says, reason="unknown")
