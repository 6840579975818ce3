"""From entries to jobs: defaults, checks, ids, and what must not be there twice.

Rules:

- A default holds for every job whose model takes its key; a job's own value wins, and its null
  takes the default away. A default that no job's model takes would be silently without effect:
  it is a mistake.
- A complaint stands where its value was written: in the job or, once, in the defaults. A warning
  does so as well, and stops nothing.
- A job that fails one check still goes through the others, and still holds its id, so that all
  mistakes show at once and none of them twice.
- Two jobs are told apart by what they ask for (`Request.identity`), by their ids, and by every
  file name they may write, on any file system.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from batchgen.artifacts.names import names_of, problem_with, slug
from batchgen.catalog import Catalog, Complaint, Media, Model, Request, Severity
from batchgen.catalog.checks import COMMON_KEYS
from batchgen.catalog.complaint import Path
from batchgen.manifest.claims import Claims
from batchgen.manifest.entries import Entry
from batchgen.manifest.media import MediaFolder, Unusable
from batchgen.manifest.model import Job
from batchgen.manifest.problems import Place, Problems, did_you_mean, quoted

_ID_DIGITS = 8
"""Of the request's identity in a default id."""


class JobReader:
    """Turns entries into jobs, one after another; remembers what the next ones may not repeat."""

    def __init__(
        self,
        catalog: Catalog,
        region: str | None,
        media: MediaFolder,
        defaults: Entry,
        problems: Problems,
    ) -> None:
        self.jobs: list[Job] = []
        self._catalog = catalog
        self._region = region
        self._media = media
        self._problems = problems
        self._keys = catalog.keys | {"id"}
        self._defaults = defaults
        self._shared = self._checked_defaults()
        self._shared_by_model: dict[str, Mapping[str, Any]] = {}
        self._claims = Claims(problems)

    def _checked_defaults(self) -> Mapping[str, Any]:
        self._tell_unknown(self._defaults)
        values = self._defaults.values
        if "id" in values:
            self._problems.add(self._defaults.place_of("id"), "an id belongs to one job alone")
        known = self._catalog.keys
        return {key: value for key, value in values.items() if key in known and value is not None}

    def _tell_unknown(self, entry: Entry) -> bool:
        unknown = entry.values.keys() - self._keys
        for key in unknown:
            hint = did_you_mean(key, self._keys)
            if hint is None and " " in key:
                hint = "a prompt that holds a colon must be put in quotes"
            self._problems.add(entry.place_of(key), f"unknown key {quoted(key)}", hint)
        return bool(unknown)

    # -- one entry -----------------------------------------------------------------------------

    def add(self, entry: Entry) -> None:
        """Check an entry and, if nothing is wrong with it, make it a job."""
        sound = not self._tell_unknown(entry)
        model = self._model(entry)
        job_id, id_is_sound = self._own_id(entry, model)
        request = self._request(entry, model) if model else None
        if model and request and sound and id_is_sound:
            self._admit(entry, job_id, model, request)
        else:
            self._remember_unsound(entry, job_id)

    def _remember_unsound(self, entry: Entry, job_id: str | None) -> None:
        """Look for repetitions of a job that has no request: by its own words and its id."""
        written = {key: value for key, value in entry.values.items() if key != "id"}
        if written and not self._claims.request(json.dumps(written, sort_keys=True), entry):
            return
        if job_id is not None:
            self._claims.names(job_id, names_of(job_id, 0, ""), entry)

    def _admit(self, entry: Entry, job_id: str | None, model: Model, request: Request) -> None:
        identity = request.identity()
        own_id = job_id or f"{slug(request.prompt or '')}-{identity[:_ID_DIGITS]}"
        names = names_of(own_id, request.results, model.suffix)
        if not (self._claims.request(identity, entry) and self._claims.names(own_id, names, entry)):
            return
        price = model.price(request, self._region)
        order = len(self.jobs)
        self.jobs.append(
            Job(own_id, request, model, price, entry.file, entry.line, identity, order)
        )

    def _value(self, entry: Entry, key: str) -> Any:
        return entry.values[key] if key in entry.values else self._shared.get(key)

    def _place(self, entry: Entry, path: Path) -> Place:
        if not path:
            return entry.place
        return (entry if path[0] in entry.values else self._defaults).place_of(*path)

    def _own_id(self, entry: Entry, model: Model | None) -> tuple[str | None, bool]:
        """Return the id that the entry gives itself, and whether all is well with it."""
        job_id = entry.values.get("id")
        if job_id is None:
            return None, self._can_be_named(entry, model)
        problem = problem_with(job_id) if isinstance(job_id, str) else "an id must be a text"
        if problem is None:
            return job_id, True
        self._problems.add(entry.place_of("id"), problem)
        return None, False

    def _can_be_named(self, entry: Entry, model: Model | None) -> bool:
        if self._value(entry, "prompt") is not None:
            return True
        prompt = model.keys.get("prompt") if model else None
        if prompt is None or not prompt.required:
            self._problems.add(entry.place, "a job needs a prompt or an id")
        return False  # else the model's check complains that the prompt is missing

    def _model(self, entry: Entry) -> Model | None:
        name = self._value(entry, "model")
        if name is None:
            self._problems.add(
                entry.place, "a job needs a `model`", "name it in the job or under `defaults:`"
            )
            return None
        model = self._catalog.find(name) if isinstance(name, str) else None
        if model is None:
            hint = did_you_mean(str(name), self._catalog.models)
            self._problems.add(
                self._place(entry, ("model",)), f"unknown model {quoted(name)}", hint
            )
        return model

    def _request(self, entry: Entry, model: Model) -> Request | None:
        values = self._values(entry, model)
        told = model.check(values, region=self._region, known=self._catalog.keys)
        sound = self._tell(entry, told)
        found = self._found(entry, model, values)
        usable = None not in found.values()
        media = {path: medium for path, medium in found.items() if medium}
        fitting = not found or self._tell(entry, model.check_media(values, media))
        return model.request(values, media) if sound and usable and fitting else None

    def _found(
        self, entry: Entry, model: Model, values: Mapping[str, Any]
    ) -> dict[Path, Media | None]:
        """Look at all media that the values name; None and a problem for what cannot be used."""
        found: dict[Path, Media | None] = {}
        for slot in model.slots(values):
            medium = self._media.find(slot.source, slot.kinds)
            if isinstance(medium, Unusable):
                place = self._place(entry, slot.path)
                self._problems.add(place, f"{_named(slot.path)}: {medium.message}", medium.hint)
            found[slot.path] = None if isinstance(medium, Unusable) else medium
        return found

    def _tell(self, entry: Entry, complaints: Iterable[Complaint]) -> bool:
        """Tell mistakes and warnings at their places; return whether there are only warnings."""
        sound = True
        for complaint in complaints:
            warning = complaint.severity is Severity.WARNING
            tell = self._problems.warn if warning else self._problems.add
            tell(self._place(entry, complaint.path), complaint.message, complaint.hint)
            sound = sound and warning
        return sound

    def _values(self, entry: Entry, model: Model) -> dict[str, Any]:
        shared = self._shared_by_model.get(model.name)
        if shared is None:
            takes = COMMON_KEYS.union(model.keys)
            shared = {key: value for key, value in self._shared.items() if key in takes}
            self._shared_by_model[model.name] = shared
        merged = {**shared, **entry.values}
        return {
            key: value
            for key, value in merged.items()
            if value is not None and key in self._catalog.keys
        }

    # -- all of them ---------------------------------------------------------------------------

    def finish(self) -> tuple[Job, ...]:
        """Return the jobs, after the checks that only all of them together allow."""
        if not self._problems:
            for key in self._idle_defaults():
                message = f"no job's model takes `{key}`, so this default has no effect"
                self._problems.add(self._defaults.place_of(key), message)
        return tuple(self.jobs)

    def _idle_defaults(self) -> Iterator[str]:
        for key in self._shared:
            if not any(key in shared for shared in self._shared_by_model.values()):
                yield key


def _named(path: Path) -> str:
    """``img_url``, ``images[0]``, ``media[1].url``."""
    key, *below = path
    return f"{key}{''.join(f'[{step}]' if isinstance(step, int) else f'.{step}' for step in below)}"
