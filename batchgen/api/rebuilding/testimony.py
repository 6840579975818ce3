"""What a sidecar says of its job, as facts.

Rules of this file:

* A sidecar is the last thing that is written of a job, so its job is done, and its money spent.
* A sidecar is a file that anybody may have edited: what cannot be read as one is no witness.
* The request that it was bought with is the manifest's, if model, prompt, parameters and inputs are
  the same, as far as a sidecar tells them. Else it is another one: the job counts as changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from batchgen.api.rebuilding.retelling import MISSING
from batchgen.artifacts import Tree
from batchgen.catalog import Media, Request
from batchgen.core import facts as f
from batchgen.core.policy import RETENTION
from batchgen.redaction import without_secrets

_MOST = 999
"""Results of one request, more than any model makes."""


class _Cost(BaseModel):
    amount: float
    currency: str | None
    estimated: bool


class _File(BaseModel):
    model_config = ConfigDict(extra="allow")
    path: str
    bytes: int
    sha256: str


class _Attempt(BaseModel):
    attempt: int
    task_id: str | None
    outcome: str | None
    code: str | None
    message: str | None


class Sidecar(BaseModel):
    """The document beside a result, as far as the journal would know it."""

    job: str
    manifest: str
    model: str
    prompt: str | None
    negative_prompt: str | None
    cut: dict[str, str] | None = None
    parameters: dict[str, Any]
    inputs: dict[str, Any]
    task_id: str | None
    request_id: str | None
    submitted_at: AwareDatetime
    finished_at: AwareDatetime
    saved_at: AwareDatetime
    orig_prompt: str | None
    actual_prompt: str | None
    usage: dict[str, Any] | None
    cost: _Cost | None
    files: list[_File]
    attempts: list[_Attempt]
    text: list[str] | None
    adopted: bool = False

    @property
    def micros(self) -> int | None:
        """What it cost, in millionths of its currency; None where no price was known."""
        return None if self.cost is None else round(self.cost.amount * 1_000_000)

    def tells_of(self, request: Request) -> bool:
        """Whether it was bought with this request."""
        parameters = {**request.parameters, **request.extra_parameters}
        return (
            self.model == request.model
            and self.prompt == _told(request.prompt)
            and self.negative_prompt == _told(request.inputs.get("negative_prompt"))
            and self.parameters == _told(parameters)
            and _listed(self.inputs)
            == {
                key: [_same(_document(item)) for item in items]
                for key, items in request.media.items()
            }
        )

    def request(self) -> Request:
        """The request that it tells of, as well as it can be known from here."""
        texts = {"prompt": self.prompt, "negative_prompt": self.negative_prompt}
        return Request(
            model=self.model,
            inputs={key: text for key, text in texts.items() if text is not None},
            media={
                key: tuple(_medium(item) for item in items)
                for key, items in _lists(self.inputs).items()
            },
            parameters=self.parameters,
            cut=self.cut or {},
        )

    def facts(self, wanted: f.Wanted) -> Iterator[f.JobFact]:
        """The job's facts, from what the manifest wanted to the end."""
        says: dict[str, Any] = {"account": wanted.account, "job": self.job}
        yield wanted
        for attempt in self.attempts[:-1]:
            yield from _past(attempt, {**says, "at": wanted.at, "attempt": attempt.attempt})
        says["attempt"] = self.attempts[-1].attempt if self.attempts else 1
        submitted, finished = self.submitted_at.timestamp(), self.finished_at.timestamp()
        yield f.SubmitStarted(**says, at=submitted)
        if self.task_id is not None:
            told = {"task_id": self.task_id, "request_id": self.request_id}
            if self.adopted:
                yield f.SubmitLost(**says, at=submitted, reason="its answer was lost")
            yield (f.Adopted if self.adopted else f.Submitted)(**{**says, **told}, at=submitted)
        places = dict(sorted((_place(self.job, file.path), file) for file in self.files))
        asked = min(int(self.parameters.get("n") or 1), _MOST)
        results = range(max([*places, asked - 1]) + 1)
        yield f.Rendered(
            **says,
            at=finished,
            results=tuple(_result(places.get(place)) for place in results),
            expires=finished + RETENTION,
            usage=self.usage,
            cost=None if self.cost is None or self.cost.estimated else self.micros,
            submit_time=None,
            end_time=finished,
            request_id=self.request_id,
            orig_prompt=self.orig_prompt,
            actual_prompt=self.actual_prompt,
            texts=tuple(self.text or ()),
        )
        says["at"] = self.saved_at.timestamp()
        for place, file in places.items():
            yield f.Saved(**says, index=place, file=file.model_dump())
        yield (f.Sealed if len(places) == len(results) else f.SealedInPart)(**says)


async def sidecars(tree: Tree, manifest: str, names: Iterable[Path]) -> dict[str, Sidecar]:
    """The sidecars of a manifest's jobs among the files ``names`` of its folder, by job."""
    read = [(path.stem, await tree.read_sidecar(path.stem)) for path in names]
    found = [witness(document, job, manifest) for job, document in read]
    return {sidecar.job: sidecar for sidecar in found if sidecar is not None}


def witness(document: Mapping[str, Any] | None, job: str, manifest: str) -> Sidecar | None:
    """The document as the sidecar of this job of this manifest; None where it is no such thing."""
    try:
        told = Sidecar.model_validate(document)
        list(told.facts(_NOBODY))  # that its files are named as a job's are
    except (TypeError, ValueError):  # pydantic's ValidationError is one of these
        return None
    return told if (told.manifest, told.job) == (manifest, job) else None


def _past(attempt: _Attempt, says: Mapping[str, Any]) -> Iterator[f.JobFact]:
    """An attempt before the one that succeeded."""
    yield f.SubmitStarted(**says)
    if attempt.task_id is not None:
        yield f.Submitted(**says, task_id=attempt.task_id, request_id=None)
    if attempt.outcome == "CANCELED":
        yield f.TaskCanceled(**says)
    elif attempt.outcome == "FAILED":
        yield f.TaskFailed(**says, code=attempt.code or "", message=attempt.message or "")


def _result(file: _File | None) -> f.ResultRef:
    if file is None:
        return f.ResultRef(code=MISSING, message="the sidecar does not name it")
    return f.ResultRef(path=f"/{file.path}")


def _place(job: str, name: str) -> int:
    """Which result a file is, from 0, by its name; ValueError where it is no result of the job."""
    found = re.fullmatch(rf"{re.escape(job)}(?:-([1-9]\d{{0,2}}))?\.\w+", name)
    if found is None:
        raise ValueError(f"{name} is no result of job {job}")
    return int(found[1]) - 1 if found[1] else 0


def _told(value: Any) -> Any:
    """A value as a sidecar tells it."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {without_secrets(str(key)): _told(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_told(part) for part in value]
    return value


def _lists(inputs: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    lists = {key: item if isinstance(item, list) else [item] for key, item in inputs.items()}
    if not all(isinstance(item, dict) for items in lists.values() for item in items):
        raise ValueError("an input is no object")
    return lists


def _listed(inputs: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {key: [_same(item) for item in items] for key, items in _lists(inputs).items()}


def _same(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes two inputs the same: a local file's content counts, not its name."""
    voice = item.get("reference_voice")
    content = item.get("sha256") or _told(item.get("source"))
    return content, item.get("type"), _same(voice) if isinstance(voice, Mapping) else None


def _document(item: Media) -> dict[str, Any]:
    voice = _document(item.voice) if item.voice else None
    told = {"source": item.source, "sha256": item.sha256, "type": item.role}
    return {**told, "reference_voice": voice}


def _medium(item: Mapping[str, Any]) -> Media:
    voice = item.get("reference_voice")
    return Media(
        source=str(item.get("source")),
        sha256=item.get("sha256"),
        role=item.get("type"),
        voice=_medium(voice) if isinstance(voice, Mapping) else None,
    )


_NOBODY = f.Wanted(
    at=0.0, account="", job="", request="", model="", order=0, price=None, currency=None
)
