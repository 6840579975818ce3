"""What only one job of a batch may have: its request, its id, and its file names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from batchgen.artifacts.names import folded
from batchgen.manifest.entries import Entry
from batchgen.manifest.problems import Place, Problems

_NAME_ONE = "give one of the two an `id` of its own; a .txt has no place for it, a .csv has"
"""Ids that are made of a prompt and eight digits meet about once in a hundred thousand jobs whose
prompts begin alike. A longer one would depend on which comes first, and a job that changes its id
is bought again."""


class _Owner(NamedTuple):
    job_id: str
    names: Sequence[str]
    place: Place


class Claims:
    """Remembers who was first; every later claim is a problem that names the first."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._requests: dict[str, Place] = {}
        self._names: dict[str, _Owner] = {}

    def request(self, identity: str, entry: Entry) -> bool:
        """Claim a request for a job; False if another job asks for the same."""
        place = entry.place
        first = self._requests.setdefault(identity, place)
        if first is place:
            return True
        where = first.seen_from(entry.file)
        self._problems.add(
            place,
            f"this asks for the same as the job in {where}, and would be paid for twice",
            "to have another take, give it another `seed` or prompt",
        )
        return False

    def names(self, job_id: str, names: Sequence[str], entry: Entry) -> bool:
        """Claim file names for a job; False if another job has one of them."""
        owner = _Owner(job_id, names, entry.place)
        for name in names:
            key = folded(name)
            first = self._names.setdefault(name if key == name else key, owner)
            if first is not owner:
                hint = "choose another `id`" if "id" in entry.values else _NAME_ONE
                self._problems.add(entry.place_of("id"), _clash(job_id, name, first, entry), hint)
                return False
        return True


def _clash(job_id: str, name: str, first: _Owner, entry: Entry) -> str:
    where = first.place.seen_from(entry.file)
    if first.job_id == job_id:
        return f"the id `{job_id}` is already that of the job in {where}"
    if name in first.names:
        return f"its file {name} would be a file of the job `{first.job_id}` in {where} as well"
    other = next(other for other in first.names if folded(other) == folded(name))
    return (
        f"its file {name} cannot be told from {other} of the job `{first.job_id}` in {where} "
        "on every file system"
    )
