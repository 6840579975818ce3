"""Puts one local file into the service's temporary storage, and says what came of it.

An upload costs nothing, so whatever breaks is simply made again later, under a new name; what is
answered with the same trouble each time is given up for this run. Only the file itself is never
trusted: its bytes are hashed on their way, and one that is not what was planned is noticed before
anybody could use it.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from random import Random
from typing import Any

from batchgen.catalog import Media
from batchgen.core import facts as f
from batchgen.core.job import Job
from batchgen.core.policy import UPLOAD_LIFE, backoff
from batchgen.core.standing import Standing
from batchgen.dashscope.answers import NoAnswer, Refused, UploadPolicy
from batchgen.dashscope.client import Service
from batchgen.dashscope.refusals import RefusalKind
from batchgen.dashscope.uploads import NotStored, Storage, Stored, UploadTrouble
from batchgen.runner.errand import Errand
from batchgen.runner.media import LocalFile, MediaChanged, local_file
from batchgen.runner.outcome import Outcome, about_need, code_of, stop

PATIENCE = 3600.0
"""Seconds for which a run tries an upload that is answered with nothing but trouble: as long as it
bears silence, unless told otherwise."""

POLICIES = 2
"""How often in a row a policy may expire under an upload before it waits like any other."""


class Uploader:
    """Turns a file that jobs need into the facts of its upload."""

    def __init__(
        self, errand: Errand, service: Service, storage: Storage, standing: Standing
    ) -> None:
        self._errand = errand
        self._service = service
        self._storage = storage
        self._standing = standing

    async def upload(self, job: Job, need: f.Need) -> Outcome:
        """Upload the file of one of the jobs that need it. Only a cancellation ends it early."""
        files = self._errand.request(job).files
        medium = next(medium for medium in files if medium.sha256 == need.content)
        try:
            async with local_file(medium, self._errand.folder) as file:
                outcome = await self._upload(job, need, medium, file)
                return self._changed(job, file.changed) if file.changed else outcome
        except MediaChanged as error:
            return self._changed(job, error)

    async def _upload(self, job: Job, need: f.Need, medium: Media, file: LocalFile) -> Outcome:
        for _ in range(POLICIES):
            # The life counts from before the upload: the service's own count cannot begin sooner.
            began = self._errand.clock.now()
            policy = await self._service.upload_policy(need.model)
            if not isinstance(policy, UploadPolicy):
                return self._without_policy(job, need, policy)
            if policy.max_bytes is not None and file.size > policy.max_bytes:
                return self._too_large(job, need, medium, file.size, policy.max_bytes)
            name = _new_name(medium, self._errand.dice)
            answer = await self._storage.put(policy, name, file.pieces(), file.size)
            if isinstance(answer, Stored) and file.is_whole:
                ends = began + UPLOAD_LIFE / self._standing.policy.service_speed
                fact = f.Uploaded(**self._says(job, need), url=answer.url, ends=ends)
                return Outcome((fact,), heard=True)
            if not isinstance(answer, NotStored) or answer.trouble is not UploadTrouble.LATE:
                break
        return self._not_stored(job, need, answer)

    def _without_policy(self, job: Job, need: f.Need, answer: Refused | NoAnswer) -> Outcome:
        if isinstance(answer, NoAnswer):
            code = "NoPolicy" if answer.heard else ""
            return self._again(job, need, code, answer.reason, answer.retry_after)
        code, message = code_of(answer), answer.message
        match answer.kind:
            case RefusalKind.FINAL:
                return self._refused(job, need, code, message)
            case RefusalKind.MODEL | RefusalKind.ACCOUNT:
                return Outcome((stop(job, answer, self._errand.clock.now()),), heard=True)
            case RefusalKind.LATER:
                return self._again(job, need, code, message, answer.retry_after, patient=True)
            case _:
                return self._again(job, need, code, message, answer.retry_after)

    def _too_large(self, job: Job, need: f.Need, medium: Media, size: int, most: int) -> Outcome:
        message = f"{medium.source} has {size} bytes, and the service's storage takes {most}"
        return self._refused(job, need, "FileTooLarge", message)

    def _not_stored(self, job: Job, need: f.Need, answer: Stored | NotStored) -> Outcome:
        if isinstance(answer, Stored):
            return self._again(job, need, "CutShort", "stored before it was read to its end", None)
        if answer.trouble is UploadTrouble.REFUSED:
            return self._refused(job, need, answer.code or "UploadRefused", answer.reason)
        return self._again(job, need, answer.code, answer.reason, None)

    def _again(
        self,
        job: Job,
        need: f.Need,
        code: str,
        reason: str,
        hint: float | None,
        *,
        patient: bool = False,
    ) -> Outcome:
        """Later; but what is answered with trouble (it has a code), and is not asked for patience,
        not for ever. What goes wrong in between, or in another way, buys it no more time.
        """
        says = self._says(job, need)
        before = self._standing.preparations.of((job.account, need))
        since = says["at"] if before.failing_since is None else before.failing_since
        if code and not patient and says["at"] - since >= PATIENCE:
            return self._refused(job, need, code, f"{reason} (for {PATIENCE // 60:.0f} minutes)")
        wait = backoff(before.tries + 1, self._errand.dice.random(), hint=hint)
        fact = f.UploadDeferred(**says, until=says["at"] + wait, reason=reason, code=code)
        return Outcome((fact,), heard=bool(code), reason=reason)

    def _refused(self, job: Job, need: f.Need, code: str, message: str) -> Outcome:
        fact = f.UploadRefused(**self._says(job, need), code=code, message=message)
        return Outcome((fact,), heard=True)

    def _says(self, job: Job, need: f.Need) -> dict[str, Any]:
        return about_need(job, need, self._errand.clock.now())

    def _changed(self, job: Job, error: MediaChanged) -> Outcome:
        """The job's own file, not the content: other jobs may have the same in another place."""
        now = self._errand.clock.now()
        fact = f.Barred(
            at=now, account=job.account, job=job.id, code="InputChanged", message=str(error)
        )
        return Outcome((fact,))


def _new_name(medium: Media, dice: Random) -> str:
    """One that nobody has used yet, and that keeps the user's own names at home."""
    suffix = PurePath(medium.source).suffix.lower()
    plain = suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else ""
    return f"{(medium.sha256 or '')[:32]}-{dice.getrandbits(32):08x}{plain}"
