"""Writes the sidecar of a job from its facts, and says that the job is done.

Everything comes from the journal, not from memory: a sidecar that is lost can be written again by
any later run, and says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from batchgen.artifacts import Occupied, Tree, sidecar
from batchgen.catalog import Media, Model, Request
from batchgen.catalog.keys import MediaFile
from batchgen.core import facts as f
from batchgen.core.job import Job, ResultState
from batchgen.journal import Journal
from batchgen.runner.errand import Errand
from batchgen.runner.outcome import Outcome, about
from batchgen.version import VERSION

FactT = TypeVar("FactT", bound=f.Fact)


class Sealer:
    """Turns a job whose results are settled into its sidecar."""

    def __init__(self, errand: Errand, journal: Journal, tree: Tree) -> None:
        self._errand = errand
        self._journal = journal
        self._tree = tree

    async def document(self, job: Job) -> dict[str, Any]:
        """What the job's sidecar says, by the journal."""
        story = Story(await self._journal.story(job.id))
        request, model = self._errand.request(job), self._errand.model(job)
        return story.sidecar(self._errand.manifest, request, _inputs(request, model))

    async def seal(self, job: Job) -> Outcome:
        """Write the sidecar. Raises MachineError when the disk refuses."""
        document = await self.document(job)
        says = about(job, self._errand.clock.now())
        try:
            await self._tree.write_sidecar(job.id, document)
        except Occupied as error:
            return Outcome((f.Parked(**says, reason=f"{error.message} {error.hint}"),))
        complete = all(result.state is ResultState.SAVED for result in job.results)
        return Outcome(((f.Sealed if complete else f.SealedInPart)(**says),))


class Story:
    """What a job's facts say of its newest attempt, and how each attempt ended."""

    def __init__(self, facts: Iterable[f.Fact]) -> None:
        self._newest: dict[type[f.Fact], f.Fact] = {}
        self._saved: dict[int, f.Saved] = {}
        self._attempts: list[dict[str, Any]] = []
        self._request_id: str | None = None
        """Of the newest request."""
        self._adopted = False
        for fact in facts:
            self._newest[type(fact)] = fact
            self._take(fact)

    def sidecar(self, manifest: str, request: Request, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The document that lies beside the results."""
        wanted, rendered = self._the(f.Wanted), self._the(f.Rendered)
        return sidecar(
            job=wanted.job,
            manifest=manifest,
            model=request.model,
            prompt=request.prompt,
            negative_prompt=request.inputs.get("negative_prompt"),
            cut=request.cut,
            parameters={**request.parameters, **request.extra_parameters},
            inputs=inputs,
            task_id=self._attempts[-1]["task_id"],
            request_id=self._request_id,
            adopted=self._adopted,
            submitted_at=self._the(f.SubmitStarted).at,
            finished_at=rendered.end_time or rendered.at,
            saved_at=max(fact.at for fact in self._saved.values()),
            orig_prompt=rendered.orig_prompt,
            actual_prompt=rendered.actual_prompt,
            usage=rendered.usage,
            cost_micros=wanted.price if rendered.cost is None else rendered.cost,
            currency=wanted.currency,
            cost_estimated=rendered.cost is None,
            files=[dict(self._saved[index].file) for index in sorted(self._saved)],
            attempts=self._attempts,
            text=rendered.texts,
            version=VERSION,
        )

    def _the(self, kind: type[FactT]) -> FactT:
        newest = self._newest[kind]
        assert isinstance(newest, kind)
        return newest

    def _take(self, fact: f.Fact) -> None:
        match fact:
            case f.SubmitStarted():
                self._saved = {}
            case f.Saved():
                self._saved[fact.index] = fact
            case f.ResultsVanished():
                for index in fact.indexes:
                    self._saved.pop(index, None)
            case f.AttemptFact():
                self._take_attempt(fact)

    def _take_attempt(self, fact: f.AttemptFact) -> None:
        match fact:
            case f.Submitted() | f.Adopted():
                self._begin(fact, fact.task_id)
            case f.Renewed() if not self._knows(fact.attempt):
                self._attempts.append(_attempt(fact.attempt, None, fact.reason))
            case f.TaskFailed():
                self._attempts[-1] |= {
                    "outcome": "FAILED",
                    "code": fact.code,
                    "message": fact.message,
                }
            case f.TaskCanceled():
                self._attempts[-1]["outcome"] = "CANCELED"
            case f.Rendered():
                if not self._knows(fact.attempt):
                    self._begin(fact, None)  # the answer to the request was the result itself
                self._attempts[-1]["outcome"] = "SUCCEEDED"
            case _:
                pass

    def _begin(self, fact: f.Submitted | f.Adopted | f.Rendered, task_id: str | None) -> None:
        self._request_id = fact.request_id
        self._adopted = isinstance(fact, f.Adopted)
        self._attempts.append(_attempt(fact.attempt, task_id))

    def _knows(self, attempt: int) -> bool:
        return bool(self._attempts) and self._attempts[-1]["attempt"] == attempt


def _attempt(number: int, task_id: str | None, message: str | None = None) -> dict[str, Any]:
    told = {"attempt": number, "task_id": task_id, "outcome": None}
    return {**told, "code": None, "message": message}


def _inputs(request: Request, model: Model | None) -> dict[str, Any]:
    """What each media key named: one input, or a list of them where the key takes a list."""
    told = {}
    for key, items in request.media.items():
        alone = len(items) == 1 if model is None else isinstance(model.keys.get(key), MediaFile)
        told[key] = _input(items[0]) if alone else [_input(item) for item in items]
    return told


def _input(item: Media) -> dict[str, Any]:
    told: dict[str, Any] = {"source": item.source, "sha256": item.sha256}
    if item.role is not None:
        told["type"] = item.role
    if item.voice is not None:
        told["reference_voice"] = {"source": item.voice.source, "sha256": item.voice.sha256}
    return told
