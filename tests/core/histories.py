"""Random histories for the core: jobs, outcomes of actions in any order, restarts, clocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from batchgen.core import facts as f
from batchgen.core.actions import (
    Action,
    AskLimits,
    Download,
    Poll,
    Prepare,
    Seal,
    Search,
    Submit,
    Survey,
)
from batchgen.core.batch import Batch
from batchgen.core.job import Job
from batchgen.core.news import NOTHING, News
from batchgen.core.policy import LaneLimits, Policy
from batchgen.core.wishes import Wish, difference

MODELS = ("slow", "fast")
SIZE = 1000


def policy(**changes) -> Policy:
    lanes = {
        "slow": LaneLimits(submits_per_second=2, running=1, poll_seconds=15),
        "fast": LaneLimits(submits_per_second=5, running=2, poll_seconds=10),
    }
    return Policy(**{"lanes": lanes, **changes})


def wishes(count: int, price: int = 100) -> list[Wish]:
    """Plain jobs, of two models in turn, each with a prompt of its own."""
    return [
        Wish(
            job=f"job{i}",
            request=f"r{i}",
            model=MODELS[i % 2],
            order=i,
            price=price,
            likeness=f"p{i}",
            bytes=SIZE,
        )
        for i in range(count)
    ]


def upload(content: str, model: str) -> f.Need:
    return f.Need(kind=f.UPLOAD, model=model, content=content)


def check(content: str, model: str = "judge", price: int = 4) -> f.Need:
    return f.Need(kind=f.CHECK, model=model, content=content, price=price)


def needy(number: int, model: str) -> tuple[f.Need, ...]:
    """Each of these is shared by several jobs: two files, a file to be checked, nothing."""
    return (
        (),
        (upload("sky", model),),
        (upload("sky", model), upload("sea", model)),
        (upload("face", "judge"), check("face"), upload("face", model)),
        (check("link"),),
    )[number]


@dataclass
class World:
    """A runner without I/O: it takes decisions, and lets actions end as a test says."""

    batch: Batch
    now: float = 1_000_000.0
    log: list[f.Fact] = field(default_factory=list)
    posts: list[tuple[float, str]] = field(default_factory=list)
    polls: list[float] = field(default_factory=list)

    searches: list[tuple[float, str]] = field(default_factory=list)
    free: int | None = None
    wanted: list[Wish] = field(default_factory=list)

    @classmethod
    def of(cls, count: int, **changes) -> World:
        return cls.wanting(wishes(count), **changes)

    @classmethod
    def wanting(cls, wanted: list[Wish], **changes) -> World:
        world = cls(Batch(policy(**changes)), wanted=wanted)
        world.start(wanted)
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
        """What is to be done; the service never tells its limits."""
        self.batch.see_disk(self.free)
        decision = self.batch.decide(self.now)
        self.log.extend(decision.facts)
        asked = [action for action in decision.actions if isinstance(action, AskLimits)]
        for action in asked:
            self.batch.settle(action, self.now)
        for action in decision.actions:
            match action:
                case Submit():
                    self.check_needs(self.job(action))
                    self.check_likeness(self.job(action))
                    self.posts.append((self.now, self.job(action).model))
                case Poll() | Survey():
                    self.polls.append(self.now)
                case Search():
                    self.searches.append((self.now, action.model))
        self.check_room([action for action in decision.actions if isinstance(action, Submit)])
        return tuple(action for action in decision.actions if action not in asked)

    def check_likeness(self, job: Job) -> None:
        """No request leaves that the list could not tell from one that is sought there."""
        for doubt in self.batch.doubts(*job.lane):
            assert doubt.id != job.id
            unlike = {doubt.likeness, job.likeness, ""}
            assert job.direct or len(unlike) == 3, f"{job.id} looks like {doubt.id}"

    def check_room(self, submits: list[Submit]) -> None:
        """Whatever is begun fits on the disk, with everything that was begun before."""
        if submits and self.free is not None:
            ahead = self.batch.standing.bytes_ahead
            assert self.free - ahead >= self.batch.policy.disk_margin

    def check_needs(self, job: Job) -> None:
        """No request leaves without what it needs, of its own model and account, and alive."""
        preparations = self.batch.standing.preparations
        for need in job.needs:
            if need.kind == f.CHECK:
                assert preparations.is_good((job.account, need), self.now)
            elif need.model == job.model:
                assert preparations.of((job.account, need)).good_until > self.now + 3600
                assert preparations.url(job.account, job.model, need.content)

    def crash(self, *renewed: str) -> None:
        """The process dies and another takes over: only the facts are left. In between a person
        may want some jobs bought again."""
        self.batch = Batch(self.batch.policy, facts=self.log)
        for job in map(self.batch.standing.jobs.__getitem__, renewed):
            says = {"at": self.now, "account": job.account, "job": job.id, "attempt": job.attempt}
            self.note(f.Renewed(**says, reason="somebody wants it"))
        self.note(f.RunStarted(at=self.now, account="a", version="test"))

    def job(self, action: Action) -> Job:
        return self.batch.standing.jobs[action.job]

    def finish(self, action: Action, *facts: f.Fact, news: News = NOTHING) -> None:
        self.note(*facts)
        self.batch.settle(action, self.now, news)

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
        if isinstance(action, Search):
            return self._findings(self.batch.doubts(action.account, action.model))
        if isinstance(action, Survey):
            return [lambda: ()]
        job = self.job(action)
        if isinstance(action, Prepare):
            return self._preparations(job, action.need)
        says = {**self.says(job), "attempt": action.attempt}
        match action:
            case Submit() if job.direct:
                return [
                    lambda: (self._rendered(says),),
                    lambda: (self._deferred(says), self._paused(job)),
                    lambda: (f.Refused(**says, code="InvalidParameter", message="no"),),
                    lambda: (f.SubmitLost(**says, reason="reset"),),
                ]
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

    def _findings(self, doubts: list[Job]) -> list[Callable[[], tuple[f.Fact, ...]]]:
        """The same for all doubts, a part of them, or the service does not answer this key."""
        kinds = (self._adopted, self._absent, self._in_vain, self._untold, self._blind, self._held)
        return [
            *(lambda kind=kind: tuple(map(kind, doubts)) for kind in kinds),
            *(lambda kind=kind: tuple(map(kind, doubts[:1])) for kind in kinds),
            lambda: (),
        ]

    def says(self, job: Job) -> dict[str, object]:
        """What every fact about this attempt says first."""
        return {"at": self.now, "account": job.account, "job": job.id, "attempt": job.attempt}

    def _adopted(self, job: Job) -> f.Fact:
        name = f"found-{job.id}-{job.attempt}"
        return f.Adopted(**self.says(job), task_id=name, request_id=None)

    def _absent(self, job: Job) -> f.Fact:
        return f.FoundAbsent(**self.says(job), reason="no task")

    def _in_vain(self, job: Job, *, absent: bool = True, blind: bool = False) -> f.Fact:
        says = {**self.says(job), "until": self.now + 30, "absent": absent, "blind": blind}
        return f.SoughtInVain(**says, reason="not yet")

    def _untold(self, job: Job) -> f.Fact:
        return self._in_vain(job, absent=False)

    def _blind(self, job: Job) -> f.Fact:
        return self._in_vain(job, absent=False, blind=True)

    def _held(self, job: Job) -> f.Fact:
        return f.Held(**self.says(job), reason="nobody can say")

    def _preparations(self, job: Job, need: f.Need) -> list[Callable[[], tuple[f.Fact, ...]]]:
        says = {"at": self.now, "account": job.account}
        about = {**says, "model": need.model, "content": need.content}
        later = {"until": self.now + 5, "reason": "cut"}
        no = {"code": "InvalidImage", "message": "no"}
        ends = self.now + 48 * 3600
        changed = [
            lambda: (f.Barred(**says, job=job.id, code="InputChanged", message="another"),),
            lambda: (self._stopped(job.model),),
            lambda: (),
        ]
        if need.kind == f.UPLOAD:
            return [
                lambda: (f.Uploaded(**about, url=f"oss://{need.content}", ends=ends),),
                lambda: (f.UploadDeferred(**about, **later),),
                lambda: (f.UploadRefused(**about, **no),),
                *changed,
            ]
        return [
            lambda: (f.CheckPassed(**about, cost=3),),
            lambda: (f.CheckDeferred(**about, **later),),
            lambda: (f.CheckRefused(**about, **no),),
            lambda: (f.CheckFailed(**about, **no, cost=4),),
            lambda: (f.CheckLost(**about, **later),),
            *changed,
        ]

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
