"""Writes the sidecar of a job from its facts, and says that the job is done.

Everything comes from the journal, not from memory: a sidecar that is lost can be written again by
any later run, and says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from batchgen.artifacts import Occupied, Tree, sidecar
from batchgen.catalog import Media, Request
from batchgen.core import facts as f
from batchgen.core.lifecycle import Job, ResultState
from batchgen.journal import Journal
from batchgen.runner.clock import Clock
from batchgen.runner.outcome import Outcome, about
from batchgen.version import VERSION


class Sealer:
    """Turns a job whose results are settled into its sidecar."""

    def __init__(
        self,
        *,
        journal: Journal,
        tree: Tree,
        manifest: str,
        request_of: Callable[[str], Request],
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._tree = tree
        self._manifest = manifest
        self._request_of = request_of
        self._clock = clock

    async def seal(self, job: Job) -> Outcome:
        """Write the sidecar. Raises MachineError when the disk refuses."""
        story = await self._journal.story(job.id)
        document = document_of(
            story, manifest=self._manifest, request=self._request_of(job.request)
        )
        try:
            await self._tree.write_sidecar(job.id, document)
        except Occupied as error:
            return Outcome((f.Parked(**about(job, self._clock.now()), reason=error.message),))
        complete = all(result.state is ResultState.SAVED for result in job.results)
        kind = f.Sealed if complete else f.SealedInPart
        return Outcome((kind(**about(job, self._clock.now())),))


def document_of(story: Iterable[f.Fact], *, manifest: str, request: Request) -> dict[str, Any]:
    """The sidecar that the facts of one job amount to."""
    wanted: f.Wanted | None = None
    started: f.SubmitStarted | None = None
    submitted: f.Submitted | None = None
    rendered: f.Rendered | None = None
    saved: dict[int, f.Saved] = {}
    attempts: list[dict[str, Any]] = []
    for fact in story:
        match fact:
            case f.Wanted():
                wanted = fact
            case f.SubmitStarted():
                started, submitted, rendered, saved = fact, None, None, {}
            case f.Submitted():
                submitted = fact
                attempts.append(_attempt(fact))
            case f.TaskFailed() if attempts:
                attempts[-1].update(outcome="FAILED", code=fact.code, message=fact.message)
            case f.TaskCanceled() if attempts:
                attempts[-1].update(outcome="CANCELED")
            case f.Rendered():
                rendered = fact
                attempts[-1].update(outcome="SUCCEEDED")
            case f.Saved(index=index):
                saved[index] = fact
            case _:
                pass
    assert wanted
    assert started
    assert submitted
    assert rendered
    return sidecar(
        job=wanted.job,
        manifest=manifest,
        model=request.model,
        prompt=request.prompt,
        negative_prompt=request.inputs.get("negative_prompt"),
        parameters={**request.parameters, **request.extra_parameters},
        inputs={key: _inputs(items) for key, items in request.media.items()},
        task_id=submitted.task_id,
        request_id=submitted.request_id,
        submitted_at=started.at,
        finished_at=rendered.end_time or rendered.at,
        saved_at=max(fact.at for fact in saved.values()),
        orig_prompt=rendered.orig_prompt,
        actual_prompt=rendered.actual_prompt,
        usage=rendered.usage,
        cost_micros=wanted.price if rendered.cost is None else rendered.cost,
        currency=wanted.currency,
        cost_estimated=rendered.cost is None,
        files=[dict(saved[index].file) for index in sorted(saved)],
        attempts=attempts,
        text=rendered.texts,
        version=VERSION,
    )


def _attempt(fact: f.Submitted) -> dict[str, Any]:
    return {
        "attempt": fact.attempt,
        "task_id": fact.task_id,
        "outcome": None,
        "code": None,
        "message": None,
    }


def _inputs(items: tuple[Media, ...]) -> Any:
    """One input as a mapping, several as a list of them."""
    told = [{"source": item.source, "sha256": item.sha256} for item in items]
    return told[0] if len(told) == 1 else told
